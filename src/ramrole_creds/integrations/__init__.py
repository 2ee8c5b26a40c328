"""Helpers for HTTP clients and SDKs. Each module imports its own library, so import only the one you need.

HTTP clients: `requests`, `httpx`, `aiohttp` and `urllib3` sign what these clients send. Most SDKs take a provider as it
is and need no helper. The others have one: `acs_client`, `aliyun_log`, `aliyun_log_producer`, `botocore`, `fc2`, `mns`,
`odps`, `oss_v2` (async) and `ossfs`; of the data stack `polars`, `obstore`, `daft`, `lance`, `iceberg`, `paimon`,
`duckdb` and `django_storages`. `refreshing_client` serves clients that accept static keys only, and `function_compute`
reads the credentials that a function runtime passes to a program.

`retry_on_rejected(provider)` wraps a call of any client: it replaces a rejected token and repeats the call once.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers treat this name as true; importing typing would cost start-up time

if TYPE_CHECKING:
    from ramrole_creds.integrations.retry import retry_on_rejected

__all__ = ["retry_on_rejected"]


def __getattr__(name: str) -> object:
    """Load the helper when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ramrole_creds.integrations import retry

    return getattr(retry, name)


def __dir__() -> list[str]:
    return __all__
