"""Rotating credentials for DuckDB, which reads and writes the S3-compatible endpoint of OSS.

    database = duckdb_connection(provider, connection, endpoint="s3.oss-cn-hangzhou.aliyuncs.com", region="cn-hangzhou")
    database().sql("SELECT * FROM 's3://bucket/key.parquet'")

DuckDB keeps keys in a secret. The handle replaces the secret when the credentials change, and returns the connection.
Call it for each query. A query that is still running when its token expires fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds._pickling import BoundToProcess
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.integrations.refreshing_client import RefreshingClient

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._sdk import SdkObject
    from ramrole_creds.provider import CredentialProvider

__all__ = ["duckdb_connection"]


def duckdb_connection(
    provider: CredentialProvider | str, connection: SdkObject, *, valid_for: float = 0.0, **options: str | bool
) -> RefreshingClient[SdkObject]:
    """A handle on a connection of DuckDB whose secret holds the current credentials.

    Args:
        provider: a provider, or the URL of one.
        connection: the connection; the extension httpfs must be loaded.
        valid_for: how many seconds the credentials must still live.
        options: `endpoint`, `region`, `url_style`, `use_ssl`, `scope` and the other options of a secret of type s3.
    """
    return RefreshingClient(provider, _DuckdbHandle(connection, options), valid_for=valid_for)


class _DuckdbHandle(BoundToProcess):
    """Replaces the secret of a connection."""

    _instead = (
        "its connection belongs to this process. Send the provider, and make the connection and its handle where they "
        "are used."
    )

    def __init__(self, connection: SdkObject, options: dict[str, str | bool]) -> None:
        self._connection = connection
        self._options = options

    def __call__(self, snapshot: Credentials) -> SdkObject:
        return _replace_secret(self._connection, self._options, snapshot)


@hide_frames
def _replace_secret(connection: SdkObject, options: dict[str, str | bool], snapshot: Credentials) -> SdkObject:
    parts = {
        **options,
        "key_id": snapshot.access_key_id,
        "secret": snapshot.access_key_secret,
        "session_token": snapshot.security_token or "",
    }
    settings = ", ".join(f"{name} {_literal(value)}" for name, value in parts.items())
    connection.execute(f"CREATE OR REPLACE SECRET ramrole_creds (TYPE s3, {settings})")
    return connection


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"
