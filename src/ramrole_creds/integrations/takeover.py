"""Replace the providers of the official SDKs by this library's, in programs that do not know it.

    from ramrole_creds.integrations import takeover

    takeover.install()

Modules that are imported already are patched at once, the others when they are imported. What is replaced:

- alibabacloud-credentials: the provider of the instance role and the default chain, so `Client()` and
  `Client(Config(type="ecs_ram_role"))`;
- aliyun-python-sdk-core: the signer of `EcsRamRoleCredential`;
- oss2: `EcsRamRoleCredentialsProvider`, where it asks the metadata service.

Versions that are not known here are left alone, with one warning. `ramrole-creds run` installs it in Python children.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from contextlib import suppress
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["HOOK_DIRECTORY", "VARIABLE", "install", "uninstall"]

VARIABLE: Final = "RAMROLE_CREDS_TAKEOVER"
"""Set to "1" by `ramrole-creds run`."""
HOOK_DIRECTORY: Final = Path(__file__).with_name("_takeover_hook")
"""A directory whose `sitecustomize` installs the takeover, for PYTHONPATH."""

ROLES_PATH: Final = "/latest/meta-data/ram/security-credentials/"
# Distribution -> first and last known release, of which two numbers count.
KNOWN_RELEASES: Final = {
    "alibabacloud-credentials": ((1, 0), (1, 0)),
    "aliyun-python-sdk-core": ((2, 13), (2, 16)),
    "oss2": ((2, 18), (2, 19)),
}

_MISSING: Final = object()
_lock = threading.RLock()  # guards what follows
_taken: _Takeover | None = None


def install(provider: CredentialProvider | None = None) -> None:
    """Replace the official SDKs' providers from now on; a second call changes nothing.

    Args:
        provider: whose credentials they give. None for what each of them means: `default_provider()` for the default
            chain, the instance's role, or the credentials URI where asking the metadata service is forbidden.
    """
    global _taken  # noqa: PLW0603  # one takeover per process
    with _lock:
        if _taken is None:
            _taken = _Takeover(_Sources(provider))
            _taken.begin()


def uninstall() -> None:
    """Restore the official SDKs' providers; objects that were made meanwhile work as they do without us."""
    global _taken  # noqa: PLW0603  # as above
    with _lock:
        if _taken is not None:
            _taken.end()
            _taken = None


class _Sources:
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


class _Takeover(MetaPathFinder):
    """Patches modules when they are imported, and remembers what was there before."""

    def __init__(self, sources: _Sources) -> None:
        self._sources = sources
        self._before: list[tuple[type, str, object]] = []
        self._warned: set[str] = set()
        self._searching = threading.local()

    def begin(self) -> None:
        """Patch what is imported, and wait for the rest."""
        sys.meta_path.insert(0, self)
        for name in _PATCHES:
            module = sys.modules.get(name)
            if module is not None:
                self.patch(module)

    def end(self) -> None:
        """Restore everything."""
        with suppress(ValueError):
            sys.meta_path.remove(self)
        for owner, name, before in reversed(self._before):
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._before.clear()
        self._sources.close()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find a module, and patch it after it was executed."""
        del path, target
        if fullname not in _PATCHES or getattr(self._searching, "now", False):
            return None
        self._searching.now = True
        try:
            spec = find_spec(fullname)
        finally:
            self._searching.now = False
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def execute_and_patch(module: ModuleType) -> None:
                execute(module)
                self.patch(module)

            loader.exec_module = execute_and_patch
        return spec

    def patch(self, module: ModuleType) -> None:
        """Replace the providers of a module, where its release is known."""
        distribution, class_name, replacements = _PATCHES[module.__name__]
        owner = getattr(module, class_name, None)
        if not _is_known(distribution) or not isinstance(owner, type):
            self._warn(distribution)
            return
        made = replacements(owner, self._sources)
        if any(not hasattr(owner, name) for name in made):
            self._warn(distribution)
            return
        for name, replacement in made.items():
            self._before.append((owner, name, vars(owner).get(name, _MISSING)))
            setattr(owner, name, replacement)

    def _warn(self, distribution: str) -> None:
        if distribution in self._warned:
            return
        self._warned.add(distribution)
        first, last = KNOWN_RELEASES[distribution]
        with suppress(Warning):  # where warnings are errors, the import goes on all the same
            warnings.warn(
                f"{distribution} {_version(distribution)} is not known to ramrole-creds (known: {first[0]}.{first[1]} "
                f"to {last[0]}.{last[1]}): its own credential providers are left as they are.",
                RuntimeWarning,
                stacklevel=2,
            )


def _is_known(distribution: str) -> bool:
    parts = _version(distribution).split(".")[:2]
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return False
    first, last = KNOWN_RELEASES[distribution]
    return first <= (int(parts[0]), int(parts[1])) <= last


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of an unknown version"


# --- the replacements: each function gives the attributes that a class gets -------------------------------------------


def _replace_default_chain(owner: type, sources: _Sources) -> dict[str, object]:
    del owner

    def get_credentials(self: object) -> Credentials:
        del self
        return _or_credential_exception(lambda: sources.chain().get_credentials())

    async def get_credentials_async(self: object) -> Credentials:
        del self
        return await _or_credential_exception_async(sources.chain(), None)

    return {"get_credentials": get_credentials, "get_credentials_async": get_credentials_async}


def _replace_role_provider(owner: type, sources: _Sources) -> dict[str, object]:
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
        return _or_credential_exception(lambda: _checked(sources.role(name).get_credentials(), name))

    async def get_credentials_async(self: object) -> Credentials:
        name = role_of(self)
        return await _or_credential_exception_async(sources.role(name), name)

    return {
        "__init__": __init__,
        "get_credentials": get_credentials,
        "get_credentials_async": get_credentials_async,
    }


def _replace_core_signer(owner: type, sources: _Sources) -> dict[str, object]:
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


def _replace_oss2_provider(owner: type, sources: _Sources) -> dict[str, object]:
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


_PATCHES: Final[dict[str, tuple[str, str, Callable[[type, _Sources], dict[str, object]]]]] = {
    "alibabacloud_credentials.provider.default": (
        "alibabacloud-credentials",
        "DefaultCredentialsProvider",
        _replace_default_chain,
    ),
    "alibabacloud_credentials.provider.ecs_ram_role": (
        "alibabacloud-credentials",
        "EcsRamRoleCredentialsProvider",
        _replace_role_provider,
    ),
    "aliyunsdkcore.auth.signers.ecs_ram_role_signer": (
        "aliyun-python-sdk-core",
        "EcsRamRoleSigner",
        _replace_core_signer,
    ),
    "oss2.credentials": ("oss2", "EcsRamRoleCredentialsProvider", _replace_oss2_provider),
}


def _checked(credentials: Credentials, role: str | None) -> Credentials:
    """The credentials, unless they are known to be of another role than the pinned one."""
    from ramrole_creds.errors import IdentityMismatch

    if role and credentials.identity is not None and credentials.identity != role:
        raise IdentityMismatch(
            f"The program pins the role {role!r}, and {credentials.provider_name} gives credentials of "
            f"{credentials.identity!r}. Attach {role!r}, or name {credentials.identity!r} in the program."
        )
    return credentials


def _or_credential_exception(get: Callable[[], Credentials]) -> Credentials:
    from alibabacloud_credentials.exceptions import CredentialException

    from ramrole_creds.errors import RamRoleError

    try:
        return get()
    except RamRoleError as error:
        raise CredentialException(str(error)) from error


async def _or_credential_exception_async(provider: CredentialProvider, role: str | None) -> Credentials:
    from alibabacloud_credentials.exceptions import CredentialException

    from ramrole_creds.errors import RamRoleError

    try:
        return _checked(await provider.get_credentials_async(), role)
    except RamRoleError as error:
        raise CredentialException(str(error)) from error
