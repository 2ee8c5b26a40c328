"""A provider: something that can be asked for credentials at any time, by any number of threads and event loops.

Whoever writes one implements `fetch` and gives it a `name`. Caching, refreshing, waiting, events, pickling and the
names that SDKs ask by are inherited.
"""

from __future__ import annotations

import functools
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypedDict

from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.readiness import wait_until_ready
from ramrole_creds._checks import unknown_argument
from ramrole_creds._pickling import ProviderRecipe, discard, discard_all, restore
from ramrole_creds._sdk_names import SdkProviderMixin
from ramrole_creds._signatures import ConstructorSignature
from ramrole_creds._tracebacks import describe_exception, hide_frames
from ramrole_creds.clock import DEFAULT_CLOCK, Clock
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, FetchError, RamRoleError, cannot_be_pickled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Never, Self

    from ramrole_creds._cache.status import ProviderStatus
    from ramrole_creds.events import EventListener

__all__ = ["CredentialProvider", "FetchContext", "ProviderOptions"]


class ProviderOptions(TypedDict, total=False):
    """Keyword arguments that every provider takes.

    Args:
        policy: when to refresh and how long to wait; None means `default_policy` of the class.
        clock: the time for refreshing and expiry; None means the clock of the system.
        on_event: called with the provider's events (see `ramrole_creds.events`).
    """

    policy: RefreshPolicy | None
    clock: Clock | None
    on_event: EventListener | None


class CredentialProvider(SdkProviderMixin[Credentials], ABC):
    """Base class of all providers.

    Args:
        policy: when to refresh and how long to wait; None means `default_policy` of the class.
        clock: the time for refreshing and expiry; None means the clock of the system.
        on_event: called with the provider's events (see `ramrole_creds.events`).

    A subclass need not call this constructor. The pickle of a provider contains the arguments of its constructor, so
    these must not be secrets. A class whose arguments are secrets raises an error in `__reduce__`.
    """

    __signature__: ClassVar[ConstructorSignature] = ConstructorSignature()
    name: ClassVar[str]
    """The name of this kind of provider, in events, logs and the names of its credentials."""

    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy()
    """The policy of a provider that is given no `policy`."""

    _policy: RefreshPolicy | None = None
    _clock: Clock | None = None
    _on_event: EventListener | None = None
    _cache: CredentialCache
    _recipe: ProviderRecipe

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Errors leave `fetch`, called directly too, and our constructors without frames, which hold secrets."""
        super().__init_subclass__(**kwargs)
        if "fetch" in vars(cls):
            cls.fetch = hide_frames(cls.fetch)  # type: ignore[method-assign]  # of the same type
        if "__init__" in vars(cls) and cls.__module__.startswith("ramrole_creds."):
            cls.__init__ = hide_frames(cls.__init__)  # type: ignore[method-assign]  # as above

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Note the arguments: a pickle contains nothing else."""
        # Before Python complains about what is missing: the missing one is often misspelt.
        unknown = next((name for name in kwargs if _is_unknown(cls, name)), None)
        if unknown is not None:
            args, kwargs = (), {}  # the traceback shows this frame, and they may be secrets
            raise unknown_argument(unknown, cls.__name__, _constructors(cls))
        provider = super().__new__(cls)
        provider._recipe = ProviderRecipe(cls, args, kwargs)
        _providers[id(provider)] = provider
        return provider

    def __init__(
        self,
        *,
        policy: RefreshPolicy | None = None,
        clock: Clock | None = None,
        on_event: EventListener | None = None,
        **unknown: Never,
    ) -> None:
        for name in unknown:
            raise unknown_argument(name, type(self).__name__, _constructors(type(self)))
        if policy is not None and not isinstance(policy, RefreshPolicy):
            raise _other_policy(policy)
        if clock is not None and not all(callable(getattr(clock, name, None)) for name in ("time", "monotonic")):
            raise ConfigurationError(
                f"clock must have time() and monotonic() methods; {type(clock).__name__} does not."
            )
        if on_event is not None and not callable(on_event):
            raise ConfigurationError(f"on_event must be callable, not {type(on_event).__name__}.")
        self._policy = policy
        self._clock = clock
        self._on_event = on_event

    @abstractmethod
    def fetch(self, context: FetchContext) -> Credentials:
        """One retrieval from the source, without a cache.

        Args:
            context: the time left (`remaining()`), `valid_for`, `rejected` and the `clock`.

        Raises:
            ProviderUnavailable: the source is not configured here.
            FetchError: the source is configured and returned no credentials.
        """

    def get_credentials(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """Credentials that are valid now; cached, refreshed in the background, thread-safe.

        Args:
            valid_for: seconds for which they must be valid.
            timeout: seconds that this call waits at most; the fetch continues after that.

        Raises:
            ProviderUnavailable: the source is not configured here.
            FetchError: the fetch failed, and there are no held credentials.
            CredentialsExpired: the held credentials have expired and could not be replaced.
            LifetimeTooShort: no credentials are valid for `valid_for` seconds.
            WaitTimeout: the fetch took longer than `timeout`.
        """
        try:
            cache = self._cache
        except AttributeError:
            cache = self._open_cache()
        # What `cache.get` does first, here once more: it spares the hot path a call. The clock is loaded as a value and
        # not as a method, which costs less.
        snapshot, monotonic = cache.snapshot, cache.monotonic
        if monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]  # never None while fresh
        return cache.get(valid_for, timeout)

    async def get_credentials_async(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """`get_credentials` for coroutines: same cache, same fetch in flight, any number of event loops."""
        return await self._open_cache().get_async(valid_for, timeout)

    def refresh(self, rejected: Credentials | None = None) -> Credentials:
        """Fetch now; callers at the same time share one fetch.

        Args:
            rejected: the credentials that a service rejected; if they were replaced already, nothing is fetched.

        Raises:
            ProviderUnavailable, FetchError: what the fetch raised.
            ConfigurationError: `rejected` is not a Credentials object.
        """
        complaint = _complaint_about_rejected(rejected)
        if complaint:
            rejected = None  # the traceback shows this frame, and a text may be a secret
            raise ConfigurationError(complaint)
        return self._open_cache().refresh(rejected)

    def wait_ready(self, timeout: float) -> Credentials:
        """Wait at the start of a program until there are credentials, for instance until a role is attached.

        The source is asked again with the back-off of `policy`, also after errors that `get_credentials` raises at
        once. In a coroutine, use `await asyncio.to_thread(provider.wait_ready, timeout)`.

        Args:
            timeout: maximum seconds to wait.

        Raises:
            ProviderUnavailable, NoCredentialsError, FetchError: the last error when the time is over.
            WaitTimeout: the time is over, and the first fetch has not ended.
            IdentityMismatch: at once, if the credentials are not of the expected role or account.
            ConfigurationError: at once, if the provider is closed, or `timeout` is not valid.
        """
        return wait_until_ready(self.get_credentials, self._clock or DEFAULT_CLOCK.target, timeout)

    def status(self) -> ProviderStatus:
        """The state of the provider and of its credentials, without secrets; never fetches."""
        return self._open_cache().status()

    def observe_fetches(self, observer: Callable[..., None]) -> None:
        """Report each fetch with the values that decided about it. This is for `ramrole_creds.recorder`: use that.

        Args:
            observer: called with the engine's own values, by the thread that fetched.
        """
        self._open_cache().observe(observer)

    def close(self) -> None:
        """Forget the credentials and stop refreshing; later calls raise ConfigurationError."""
        self._open_cache().close()
        discard(self)
        _providers.pop(id(self), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Constant for the life of the object, and different for each: fsspec finds file systems by it."""
        try:
            return f"<{type(self).__name__} {self.get_provider_name()} at {id(self):#x}>"
        except AttributeError:  # a traceback shows it before its constructor has ended
            return f"<{type(self).__name__} without arguments>"

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, self._recipe.reduce_args(self)

    def __json__(self, *_: object) -> NoReturn:
        """What Celery's messages, among others, ask an object for."""
        raise cannot_be_pickled(
            f"{type(self).__name__} cannot be sent as JSON. Make it where the task runs, at module level, or send its "
            'URL and call provider_from_url() there. The serializer "pickle" can send it.'
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return self._recipe.token()

    def _restart(self) -> None:
        cache = self.__dict__.pop("_cache", None)
        if cache is not None:
            cache.close()
        if type(self).__module__.startswith("ramrole_creds."):  # of another class only its author knows what it keeps
            before = dict(self.__dict__)
            try:
                self._recipe.repeat(self)
            except ConfigurationError:  # of the environment as it is now; it was made in another
                self.__dict__.update(before)

    def _open_cache(self) -> CredentialCache:
        try:
            return self._cache
        except AttributeError:
            policy = self._policy if self._policy is not None else self.default_policy
            cache = CredentialCache(
                _WeakFetch(self),
                name=self.get_provider_name(),
                policy=policy,
                clock=self._clock if self._clock is not None else DEFAULT_CLOCK.target,
                on_event=self._on_event,
            )
            # Two first callers at once: `setdefault` gives both the same cache, and so one fetch.
            return self.__dict__.setdefault("_cache", cache)  # type: ignore[no-any-return]


_providers: weakref.WeakValueDictionary[int, CredentialProvider] = weakref.WeakValueDictionary()
"""By their ids, in the order of their creation: a provider need not be hashable."""


def _constructors(cls: type) -> list[Any]:
    return [vars(one)["__init__"] for one in cls.__mro__[:-1] if "__init__" in vars(one)]


@functools.cache
def _argument_names(cls: type) -> frozenset[str]:
    """The names that constructors of this library take. Without inspect, whose import takes a tenth of a start."""
    names: set[str] = set()
    for constructor in _constructors(cls):
        code = getattr(constructor, "__wrapped__", constructor).__code__
        names.update(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    return frozenset(names)


def _is_unknown(cls: type, name: str) -> bool:
    return cls.__module__.startswith("ramrole_creds.") and name not in _argument_names(cls)


def restart_providers() -> None:
    """Reset every provider that was given no clock: nothing is fetched, and the environment is read again.

    For a test toolkit that has put another default clock or another environment in place.
    """
    discard_all()
    for provider in list(_providers.values()):
        if provider._clock is None:  # noqa: SLF001  # of this module
            provider._restart()  # noqa: SLF001  # as above


def _other_policy(policy: object) -> ConfigurationError:
    """The error about a policy that says nothing about refreshing; the official library's `policy` is another one."""
    hint = " The RAM policy of a role session is session_policy." if isinstance(policy, (str, Mapping)) else ""
    return ConfigurationError(f"policy must be a RefreshPolicy, not {type(policy).__name__}.{hint}")


def _complaint_about_rejected(rejected: object) -> str:
    if rejected is None or isinstance(rejected, Credentials):
        return ""
    return (
        f"rejected must be the Credentials that a service rejected, not {type(rejected).__name__}. Pass the "
        "credentials that get_credentials() returned for that request."
    )


class _WeakFetch:
    """Fetches for the cache without keeping the provider alive: when it goes, cache and refresher go with it."""

    __slots__ = ("_provider",)

    def __init__(self, provider: CredentialProvider) -> None:
        self._provider = weakref.ref(provider)

    def __call__(self, context: FetchContext) -> Credentials:
        provider = self._provider()
        if provider is None:
            raise FetchError(
                "The provider no longer exists. Keep a reference to it for as long as its credentials are used."
            )
        return fetch_from(provider, context)


def fetch_from(provider: CredentialProvider, context: FetchContext) -> Credentials:
    """Call `fetch` of a provider whose code may be somebody else's.

    Raises:
        RamRoleError: what it raised.
        FetchError: it raised something else; names class, file and line, and shows no text.
    """
    try:
        return provider.fetch(context)
    except RamRoleError:
        raise
    except Exception as error:  # noqa: BLE001  # plug-ins raise anything
        failure = describe_exception(error)
        raise FetchError(
            f"{provider.get_provider_name()} failed with {failure}. The text of the error is not shown, since it may "
            "contain a secret."
        ) from None
