"""Rotating credentials for DuckDB, which reads and writes the S3-compatible endpoint of OSS.

    endpoint = "s3.oss-cn-hangzhou.aliyuncs.com"
    database = duckdb_connection(provider, connection, endpoint=endpoint, region="cn-hangzhou")
    database().sql("SELECT * FROM 's3://bucket/key.parquet'")

DuckDB keeps keys in a secret. The handle replaces the secret when the credentials change, and returns the connection.
Call it for each query. A query that is still running when its token expires fails. A transaction uses the secret of its
beginning: call the handle before it, with `valid_for` if it takes long. Two roles on one database need two values of
`scope`, the addresses that each is for.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ramrole_creds._pickling import BoundToProcess
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.integrations.refreshing_client import RefreshingClient

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._sdk import SdkObject
    from ramrole_creds.provider import CredentialProvider

__all__ = ["duckdb_connection"]

FIND = "SELECT name FROM duckdb_secrets() WHERE name = ? AND contains(secret_string, ?)"


def duckdb_connection(
    provider: CredentialProvider | str, connection: SdkObject, *, valid_for: float = 0.0, **options: str | bool
) -> RefreshingClient[SdkObject]:
    """A handle on a connection of DuckDB whose secret holds the current credentials.

    Args:
        provider: a provider, or the URL of one.
        connection: the connection; the extension httpfs must be loaded.
        valid_for: how many seconds the credentials must still live.
        options: `endpoint`, `region`, `url_style`, `use_ssl`, `scope` and the other options of a secret of type s3.
            Of two handles with the same `scope`, the one that was called last signs.
    """
    return _DuckdbConnection(provider, _DuckdbHandle(connection, options), valid_for=valid_for)


class _DuckdbConnection(RefreshingClient["SdkObject"]):
    """A handle that looks after its secret at each call."""

    def __call__(self) -> SdkObject:
        return self._make(self._provider.get_credentials(valid_for=self._valid_for))


class _DuckdbHandle(BoundToProcess):
    """Replaces the secret of a database, unless it holds these credentials already."""

    _instead = (
        "its connection belongs to this process. Send the provider, and make the connection and its handle where they "
        "are used."
    )

    def __init__(self, connection: SdkObject, options: dict[str, str | bool]) -> None:
        self._connection = connection
        self._options = options
        scope = str(options.get("scope", ""))
        self._name = f"ramrole_creds_{hashlib.sha256(scope.encode()).hexdigest()[:16]}" if scope else "ramrole_creds"
        self._held: Credentials | None = None

    def __call__(self, snapshot: Credentials) -> SdkObject:
        # On a cursor: a statement on the connection itself would end a result that is being read, and a rollback there
        # would bring the old secret back.
        with self._connection.cursor() as cursor:
            found = cursor.execute(FIND, [self._name, f"key_id={snapshot.access_key_id};"]).fetchall()
            if snapshot is not self._held or not found:
                _replace_secret(cursor, self._name, self._options, snapshot)
                self._held = snapshot
        return self._connection


@hide_frames
def _replace_secret(cursor: SdkObject, name: str, options: dict[str, str | bool], snapshot: Credentials) -> None:
    parts = {
        **options,
        "key_id": snapshot.access_key_id,
        "secret": snapshot.access_key_secret,
        "session_token": snapshot.security_token or "",
    }
    settings = ", ".join(f"{name} {_literal(value)}" for name, value in parts.items())
    cursor.execute(f"CREATE OR REPLACE SECRET {name} (TYPE s3, {settings})")


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"
