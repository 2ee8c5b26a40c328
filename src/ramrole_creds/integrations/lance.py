"""Rotating credentials for lance and lancedb, which read and write the S3-compatible endpoint of OSS.

    tables = LanceTables(provider, "s3://bucket/tables", aws_endpoint=endpoint, aws_region=region)
    lance.dataset(namespace_client=tables, table_id=["table"])

    properties = {"provider": "ecs-ram-role://web", "root": "s3://bucket/tables", "aws_endpoint": endpoint, …}
    database = lancedb.connect_namespace("ramrole_creds.integrations.lance.LanceTables", properties)

`storage_options` of lance are strings that never change. A namespace is asked again when the options it gave end; this
one says that they end at once, so lance asks for each request. So a dataset may be used for longer than a token lives.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from ramrole_creds._checks import names_secret
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk
from ramrole_creds.integrations.refreshing_client import RefreshingClient

load_sdk("lance", "lance")

from lance_namespace import LanceNamespace  # noqa: E402  # a missing SDK gets a better error above

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["LanceTables"]

_numbers = itertools.count(1)
KEY_NAMES = ("access_key_id", "secret_access_key", "session_token")

if TYPE_CHECKING:
    _LanceNamespace = SdkBase
else:
    _LanceNamespace = LanceNamespace


class LanceTables(_LanceNamespace):
    """The tables below one address, as a namespace of lance. Its pickle holds the provider and no secret.

    Args:
        provider: a provider, or the URL of one.
        root: address of the folder of the tables, `s3://bucket/folder`.
        options: `aws_endpoint`, `aws_region` and the other storage options of lance, without keys.

    Raises:
        ConfigurationError: the options hold a key, or `provider` is not a provider.
    """

    def __init__(self, provider: CredentialProvider | str, root: str, **options: str) -> None:
        super().__init__()
        provider = as_provider(provider)
        given = [name for name in options if names_secret(name) or name.lower().endswith("access_key_id")]
        if given:
            raise ConfigurationError(
                f"Both a provider and {', '.join(given)} were given. Remove the keys: the provider supplies them."
            )
        self._tables = RefreshingClient(provider, functools.partial(_make_directory, root, options))
        self._arguments = provider, root, options
        self._number = next(_numbers)

    def namespace_id(self) -> str:
        """A name that no other object of this process has: lance keeps what it opened under it."""
        provider, root, _ = self._arguments
        return f"LanceTables({root}, {provider.get_provider_name()} {self._number})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, self._arguments

    def _tables_now(self) -> SdkObject:
        return self._tables()


def _rebuild(provider: CredentialProvider, root: str, options: dict[str, str]) -> LanceTables:
    return LanceTables(provider, root, **options)


def _make_directory(root: str, options: dict[str, str], snapshot: Credentials) -> SdkObject:
    keys = (snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token)
    settings = {f"aws_{name}": value for name, value in zip(KEY_NAMES, keys, strict=True) if value is not None}
    storage = {f"storage.{name}": value for name, value in (options | settings).items()}
    refresh = {"vend_input_storage_options": "true", "vend_input_storage_options_refresh_interval_millis": "0"}
    return load_sdk("lance.namespace", "lance").DirectoryNamespace(
        root=root, **storage, **refresh, **{"storage.refresh_offset_millis": "0"}
    )


def _delegated(name: str) -> Callable[..., SdkObject]:
    def operation(self: LanceTables, *arguments: SdkObject, **options: SdkObject) -> SdkObject:
        return getattr(self._tables_now(), name)(*arguments, **options)

    operation.__name__ = name
    operation.__doc__ = f"`{name}` of lance's DirectoryNamespace with the current credentials."
    return operation


for _name in dir(LanceNamespace):
    if not _name.startswith("_") and _name != "namespace_id":
        setattr(LanceTables, _name, _delegated(_name))
