"""Replace the providers of the official SDKs by this library's, in programs that do not know it.

    from ramrole_creds.integrations import takeover

    takeover.install()

Modules that are imported already are patched at once, the others when they are imported. What is replaced:

- alibabacloud-credentials: the provider of the instance role and the default chain, so `Client()` and
  `Client(Config(type="ecs_ram_role"))`; the classes of release 0.3, which 1.0 still has, too;
- aliyun-python-sdk-core: the signer of `EcsRamRoleCredential`;
- oss2: `EcsRamRoleCredentialsProvider`, where it asks the metadata service.

Versions that are not known here are left alone, with one warning. `ramrole-creds run` installs it in Python children.
"""

from __future__ import annotations

import sys
import threading
import warnings
from contextlib import suppress
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ramrole_creds.integrations._takeover_classes import PATCHES, Sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from ramrole_creds.provider import CredentialProvider

__all__ = ["HOOK_DIRECTORY", "VARIABLE", "install", "uninstall"]

VARIABLE: Final = "RAMROLE_CREDS_TAKEOVER"
"""Set to "1" by `ramrole-creds run`."""
HOOK_DIRECTORY: Final = Path(__file__).with_name("_takeover_hook")
"""A directory whose `sitecustomize` installs the takeover, for PYTHONPATH."""

# Distribution -> first and last known release, of which two numbers count.
KNOWN_RELEASES: Final = {
    "alibabacloud-credentials": ((0, 3), (1, 0)),
    "aliyun-python-sdk-core": ((2, 13), (2, 16)),
    "oss2": ((2, 18), (2, 19)),
}

_MISSING: Final = object()
_lock = threading.RLock()  # guards what follows
_taken: _Takeover | None = None


def install(provider: CredentialProvider | None = None) -> None:
    """Replace the official SDKs' providers from now on; a second call changes nothing.

    Args:
        provider: provides the credentials of all of them. None keeps what each one stands for: `default_provider()` for
            the default chain, and the role of the instance, or the credentials URI if the metadata service is disabled.

    Raises:
        ConfigurationError: `provider` is not a provider.
    """
    if provider is not None:
        from ramrole_creds.integrations._sdk import as_provider  # only here: a start of Python should load little

        provider = as_provider(provider)
    global _taken  # noqa: PLW0603  # one takeover per process
    with _lock:
        if _taken is None:
            _taken = _Takeover(Sources(provider))
            _taken.begin()


def uninstall() -> None:
    """Restore the official SDKs' providers; objects that were made meanwhile work as they do without us."""
    global _taken  # noqa: PLW0603  # as above
    with _lock:
        if _taken is not None:
            _taken.end()
            _taken = None


class _Takeover(MetaPathFinder):
    """Patches modules when they are imported, and remembers what was there before."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._before: list[tuple[type, str, object]] = []
        self._warned: set[str] = set()
        self._searching = threading.local()
        self._ended = False

    def begin(self) -> None:
        """Patch what is imported, and wait for the rest."""
        sys.meta_path.insert(0, self)
        for name in PATCHES:
            module = sys.modules.get(name)
            if module is not None:
                self.patch(module)

    def end(self) -> None:
        """Restore everything."""
        self._ended = True
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
        if fullname not in PATCHES or getattr(self._searching, "now", False):
            return None
        self._searching.now = True
        try:
            spec = find_spec(fullname)
        finally:
            self._searching.now = False
        # A loader that is a class, as that of frozen modules, is everybody's.
        if spec is not None and spec.loader is not None and not isinstance(spec.loader, type):
            self._patch_after(spec.loader)
        return spec

    def _patch_after(self, loader: Any) -> None:  # noqa: ANN401  # any loader, whose attributes may be set
        """Have a loader patch what it executes next. One of an archive is that of all modules in it."""
        execute = loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            with suppress(AttributeError):
                del loader.exec_module
            execute(module)
            if module.__name__ in PATCHES:
                self.patch(module)

        with suppress(AttributeError):  # a loader without room for it: its module is left as it is
            loader.exec_module = execute_and_patch

    def patch(self, module: ModuleType) -> None:
        """Replace the providers of a module, where its release is known."""
        if self._ended:
            return
        distribution, classes = PATCHES[module.__name__]
        if not _is_known(distribution):
            self._warn(distribution)
            return
        made: list[tuple[type, dict[str, object]]] = []
        for class_name, replacements in classes.items():
            owner = getattr(module, class_name, None)
            attributes = replacements(owner, self._sources) if isinstance(owner, type) else {}
            if not isinstance(owner, type) or any(not hasattr(owner, name) for name in attributes):
                self._warn(distribution)
                return
            made.append((owner, attributes))
        for owner, attributes in made:
            for name, replacement in attributes.items():
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
