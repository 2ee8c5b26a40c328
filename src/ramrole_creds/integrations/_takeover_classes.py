"""What the classes of the official SDKs get in place of their methods, and the providers behind it."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

ROLES_PATH: Final = "/latest/meta-data/ram/security-credentials/"


class Sources:
    """The providers behind the replaced ones, made when they are first needed.

    Args:
        provider: used for everything, where it is given.
    """

    def __init__(self, provider: CredentialProvider | None) -> None:
        self._given = provider
        self._made: dict[str, CredentialProvider] = {}
        self._lock = threading.Lock()  # guards _made

    def chain(self) -> CredentialProvider:
        """For what asks the default chain."""
        from ramrole_creds import default_provider

        return self._given or self._kept("", default_provider)

    def role(self, name: str | None) -> CredentialProvider:
        """For what asks the metadata service for a role, or for whatever role is attached."""
        return self._given or self._kept(f"role:{name or ''}", lambda: _role_provider(name))

    def close(self) -> None:
        """Close what was made here."""
        with self._lock:
            made, self._made = self._made, {}
        for provider in made.values():
            provider.close()

    def _kept(self, key: str, make: Callable[[], CredentialProvider]) -> CredentialProvider:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


def _role_provider(name: str | None) -> CredentialProvider:
    from ramrole_creds import CredentialsUriProvider, EcsRamRoleProvider

    forbidden = os.environ.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").strip().lower() == "true"
    if forbidden and os.environ.get("ALIBABA_CLOUD_CREDENTIALS_URI"):
        return CredentialsUriProvider()
    return EcsRamRoleProvider(name or None)


def _replace_default_chain(owner: type, sources: Sources) -> dict[str, object]:
    del owner

    def get_credentials(self: object) -> Credentials:
        del self
        return _ask(sources.chain)

    async def get_credentials_async(self: object) -> Credentials:
        del self
        return await _ask_async(sources.chain)

    return {"get_credentials": get_credentials, "get_credentials_async": get_credentials_async}


def _replace_role_provider(owner: type, sources: Sources) -> dict[str, object]:
    original: Any = vars(owner).get("__init__")

    def __init__(self: Any, **options: Any) -> None:  # noqa: ANN401, N807  # stands in for a class without types
        # Without its scheduler, whose thread would ask the metadata service every minute.
        with suppress(ValueError):  # "IMDS credentials is disabled", which is for its own client
            original(self, **{**options, "async_update_enabled": False})
        self._ramrole_creds_role = options.get("role_name")

    def role_of(self: object) -> str | None:
        name = getattr(self, "_ramrole_creds_role", None) or getattr(self, "_role_name", None)
        return name if isinstance(name, str) else None

    def get_credentials(self: object) -> Credentials:
        name = role_of(self)
        return _ask(lambda: sources.role(name), name)

    async def get_credentials_async(self: object) -> Credentials:
        name = role_of(self)
        return await _ask_async(lambda: sources.role(name), name)

    return {
        "__init__": __init__,
        "get_credentials": get_credentials,
        "get_credentials_async": get_credentials_async,
    }


def _replace_core_signer(owner: type, sources: Sources) -> dict[str, object]:
    del owner

    def _check_session_credential(self: Any) -> None:  # noqa: ANN401  # stands in for a class without types
        from aliyunsdkcore.acs_exception.exceptions import ClientException

        from ramrole_creds.errors import RamRoleError

        name = self._credential.role_name
        try:
            held = _checked(sources.role(name).get_credentials(), name)
        except RamRoleError as error:
            raise ClientException("SDK.CredentialsUnavailable", str(error)) from error
        # One tuple, as in the original: what a thread signs with is of one fetch.
        self._session_credential = (held.access_key_id, held.access_key_secret, held.security_token)

    return {"_check_session_credential": _check_session_credential}


def _replace_oss2_provider(owner: type, sources: Sources) -> dict[str, object]:
    original: Any = vars(owner).get("get_credentials")

    def get_credentials(self: Any) -> Any:  # noqa: ANN401  # stands in for a class without types
        from oss2.exceptions import ClientError

        from ramrole_creds.errors import RamRoleError

        head, separator, name = str(self.fetcher.auth_host).partition(ROLES_PATH)
        if not separator or not head:  # another service than the metadata service
            return original(self)
        try:
            return _checked(sources.role(name).get_credentials(), name)
        except RamRoleError as error:
            raise ClientError(str(error)) from error

    return {"get_credentials": get_credentials}


def _replace_old_role_provider(owner: type, sources: Sources) -> dict[str, object]:
    del owner

    def get_credentials(self: Any) -> object:  # noqa: ANN401  # stands in for a class without types
        name = self.role_name or None
        held = _ask(lambda: sources.role(name), name)
        return _renewing_credential(held, self)

    async def get_credentials_async(self: Any) -> object:  # noqa: ANN401  # as above
        name = self.role_name or None
        return _renewing_credential(await _ask_async(lambda: sources.role(name), name), self)

    return {"get_credentials": get_credentials, "get_credentials_async": get_credentials_async}


def _replace_old_default_chain(owner: type, sources: Sources) -> dict[str, object]:
    del owner

    class Chain:
        """What a credential of the default chain asks again."""

        def get_credentials(self) -> object:
            return _renewing_credential(_ask(sources.chain), self)

        async def get_credentials_async(self) -> object:
            return _renewing_credential(await _ask_async(sources.chain), self)

    def get_credentials(self: object) -> object:
        del self
        return Chain().get_credentials()

    return {"get_credentials": get_credentials}


def _renewing_credential(held: Credentials, provider: object) -> object:
    """A credential of release 0.3: without an expiration it asks its provider whenever it is read."""
    from alibabacloud_credentials.credentials import EcsRamRoleCredential

    credential: object = EcsRamRoleCredential(
        held.access_key_id, held.access_key_secret, held.security_token, None, provider
    )
    return credential


def _checked(credentials: Credentials, role: str | None) -> Credentials:
    """The credentials, unless they are known to be of another role than the pinned one."""
    from ramrole_creds.errors import IdentityMismatch

    if role and credentials.identity is not None and credentials.identity != role:
        raise IdentityMismatch(
            f"The program pins the role {role!r}, and {credentials.provider_name} gives credentials of "
            f"{credentials.identity!r}. Attach {role!r}, or name {credentials.identity!r} in the program."
        )
    return credentials


def _ask(find: Callable[[], CredentialProvider], role: str | None = None) -> Credentials:
    with _credential_exceptions():
        return _checked(find().get_credentials(), role)


async def _ask_async(find: Callable[[], CredentialProvider], role: str | None = None) -> Credentials:
    with _credential_exceptions():
        return _checked(await find().get_credentials_async(), role)


@contextmanager
def _credential_exceptions() -> Iterator[None]:
    """Raise the official library's exception in place of the one of this library."""
    from alibabacloud_credentials.exceptions import CredentialException

    from ramrole_creds.errors import RamRoleError

    try:
        yield
    except RamRoleError as error:
        raise CredentialException(str(error)) from error


# Module -> distribution, and the replacements for each of its classes.
PATCHES: Final[dict[str, tuple[str, dict[str, Callable[[type, Sources], dict[str, object]]]]]] = {
    "alibabacloud_credentials.provider.default": (
        "alibabacloud-credentials",
        {"DefaultCredentialsProvider": _replace_default_chain},
    ),
    "alibabacloud_credentials.provider.ecs_ram_role": (
        "alibabacloud-credentials",
        {"EcsRamRoleCredentialsProvider": _replace_role_provider},
    ),
    "alibabacloud_credentials.providers": (
        "alibabacloud-credentials",
        {
            "DefaultCredentialsProvider": _replace_old_default_chain,
            "EcsRamRoleCredentialProvider": _replace_old_role_provider,
        },
    ),
    "aliyunsdkcore.auth.signers.ecs_ram_role_signer": (
        "aliyun-python-sdk-core",
        {"EcsRamRoleSigner": _replace_core_signer},
    ),
    "oss2.credentials": ("oss2", {"EcsRamRoleCredentialsProvider": _replace_oss2_provider}),
}
