"""Rotating credentials for pypaimon, which takes keys as strings.

    catalog = paimon_catalog(provider, {"warehouse": "oss://bucket/warehouse", "fs.oss.endpoint": endpoint, …})
    table = catalog().get_table("database.table")

The handle creates a new catalog when the credentials change. Call it for each table that you read or write. A table
that you keep uses the keys it was opened with: when its token ends, its next request fails. Pass `valid_for` if one job
takes long. A table's pickle holds keys; send the handle to other processes, whose pickle holds none.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, load_sdk
from ramrole_creds.integrations.refreshing_client import RefreshingClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["paimon_catalog"]

OSS_KEYS = ("fs.oss.accessKeyId", "fs.oss.accessKeySecret", "fs.oss.securityToken")
S3_KEYS = ("s3.access-key", "s3.secret-key", "s3.session-token")


def paimon_catalog(
    provider: CredentialProvider | str, options: Mapping[str, str], *, valid_for: float = 0.0
) -> RefreshingClient[SdkObject]:
    """A handle on a catalog of pypaimon.

    Args:
        provider: a provider, or the URL of one.
        options: the options of the catalog, without keys. `warehouse` begins with `oss://` or `s3://`.
        valid_for: how many seconds a returned catalog must still work.

    Raises:
        ConfigurationError: pypaimon is not installed, or the options hold a key.
    """
    load_sdk("pypaimon", "paimon")
    given = [name for name in (*OSS_KEYS, *S3_KEYS) if options.get(name)]
    if given:
        raise ConfigurationError(
            f"Both a provider and {', '.join(given)} were given. Remove the keys: the provider supplies them."
        )
    return RefreshingClient(provider, functools.partial(_make_catalog, dict(options)), valid_for=valid_for)


def _make_catalog(options: dict[str, str], snapshot: Credentials) -> SdkObject:
    names = OSS_KEYS if options.get("warehouse", "").startswith("oss:") else S3_KEYS
    values = (snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token)
    keys = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    return load_sdk("pypaimon", "paimon").CatalogFactory.create({**options, **keys})
