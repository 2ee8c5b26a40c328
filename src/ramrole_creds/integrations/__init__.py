"""Ways into HTTP clients and SDKs; each module imports its own library, so import the one you need.

HTTP clients: `requests`, `httpx`, `aiohttp`, `urllib3` sign what these clients send. Most SDKs need nothing from here:
they take a provider as it is. The others: `acs_client`, `aliyun_log`, `aliyun_log_producer`, `botocore`, `fc2`, `mns`,
`odps`, `oss_v2` (async), `ossfs`, and `renewing` for clients that know static keys only.

`retry_on_rejected(provider)` wraps a call of any client: a refused token is replaced, and the call repeated once.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in the package itself: type checkers take it for true

if TYPE_CHECKING:
    from ramrole_creds.integrations.retry import retry_on_rejected

__all__ = ["retry_on_rejected"]


def __getattr__(name: str) -> object:
    """Load the helper when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ramrole_creds.integrations import retry as rejection

    return getattr(rejection, name)
