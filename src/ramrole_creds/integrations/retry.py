"""Repeat a client's call once after the service rejected its credentials.

    bucket = oss2.Bucket(oss2.ProviderAuthV4(provider), endpoint, "bucket", region="cn-hangzhou")
    put = retry_on_rejected(provider)(bucket.put_object)
    put("key", b"body")

No SDK reports a rejected token to its provider: it raises, and would raise again with the same token. A service can
reject credentials before they expire: the role was deleted and created again, its sessions were revoked, or a clock is
wrong.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from ramrole_creds._formats import error_codes
from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.errors import ConfigurationError, RamRoleError
from ramrole_creds.integrations._refresh_pause import pause_of
from ramrole_creds.integrations._sdk import as_provider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["is_rejection", "retry_on_rejected"]

logger: logging.Logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

# The answer to HEAD has no body. For a refused one botocore reports the status as its code, pyarrow the first text,
# object_store (polars, obstore, deltalake) the second, and DuckDB before 1.5.5 the last two. Only a refresh can tell
# whether the token was the reason.
_HEAD_REFUSED = re.compile(
    r"ACCESS_DENIED during Head\w{1,40} operation: No response body"
    r"|Error performing HEAD [^\s]{1,2048} in [^\s]{1,40}(?:, after \d{1,4} retries[^-]{0,200})? - "
    r"Server returned non-2xx status code: 403 "
    r"|HTTP Error: Unable to connect to URL [^\s]{1,2048}: (?:403 \(Forbidden\)|Forbidden \(HTTP code 403\))"
)

_CODE_NAMES = ("code", "error_code", "errorCode", "err_code", "_errorCode", "type")
_INNER_NAMES = ("__cause__", "__context__", "inner_exception", "exception")
MAX_INNER_ERRORS = 16


def retry_on_rejected(provider: CredentialProvider) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator for calls of a client that gets its credentials from `provider`.

    If the service rejects the token or key, the decorator calls `refresh` once and repeats the call once. Concurrent
    calls share the refresh, and it is skipped where the provider already has newer credentials. The decorator works for
    functions, methods and coroutine functions. Files among the arguments are rewound. A call that takes an iterator is
    not repeated, because the iterator's items are gone. Other errors are raised unchanged.

    A wrapped method can be pickled if its object can. Pickle sends a function by its name: write
    `@retry_on_rejected(provider)` above it, in a module. cloudpickle, which Ray, Spark and joblib use, sends both.

    Wrap calls that finish their work before they return: a lazy listing sends its requests later, outside the wrapper.

    Args:
        provider: the provider that the client uses.

    Returns:
        The decorator. The wrapped function takes the same arguments and returns the same result.

    Raises:
        ConfigurationError: `provider` is not a provider.
    """
    if inspect.isroutine(provider):
        raise ConfigurationError("retry_on_rejected takes the provider first: write retry_on_rejected(provider)(call).")
    provider = as_provider(provider)

    def decorate(call: Callable[_P, _R]) -> Callable[_P, _R]:
        given: object = call
        if not callable(given) or hasattr(given, "get_credentials"):
            raise ConfigurationError(
                f"retry_on_rejected(provider) wraps a function or method, not {type(given).__name__}: write "
                "retry_on_rejected(provider)(client.call), and call what it returns."
            )
        if inspect.iscoroutinefunction(call):

            @functools.wraps(call)
            async def awaited(*args: _P.args, **kwargs: _P.kwargs) -> object:
                used = await provider.get_credentials_async()
                again = _Repetition(provider, used, (*args, *kwargs.values()))
                return await _await_twice(again, call(*args, **kwargs), lambda: call(*args, **kwargs))

            return cast("Callable[_P, _R]", awaited)

        if not inspect.isfunction(call):
            return _RetriedCall(provider, call)

        @functools.wraps(call)
        def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            return _call_twice(provider, call, *args, **kwargs)

        return called

    return decorate


def is_rejection(error: BaseException) -> bool:
    """True where a client's error says that the service rejected the token or the key, whichever SDK raised it.

    The services' codes decide, wherever the SDK stores them. A wrong signature, a missing permission, a wrong clock and
    an error of one of our providers do not count.

    Args:
        error: the error that the client raised.
    """
    chain = list(_chain(error))
    if any(isinstance(one, RamRoleError) for one in chain):
        return False
    return any(map(_says_rejected, chain))


def _says_rejected(error: BaseException) -> bool:
    codes = list(_codes(error))
    if any(map(error_codes.is_rejection_code, codes)):
        return True
    text = str(error)[: error_codes.MAX_TEXT_LENGTH]
    if "403" in codes or _HEAD_REFUSED.search(text):
        return True
    if not error_codes.BROAD_CODES.isdisjoint(codes):
        return error_codes.is_about_keys(text)
    return not codes and error_codes.names_rejection(text)


class _RetriedCall(Generic[_P, _R]):
    """A method or another object with the repetition. Its pickle holds both, where that of a function holds a name."""

    def __init__(self, provider: CredentialProvider, call: Callable[_P, _R]) -> None:
        functools.update_wrapper(self, call, updated=())
        self.__name__: str = getattr(call, "__name__", type(call).__name__)
        self._provider = provider
        self._call = call

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return _call_twice(self._provider, self._call, *args, **kwargs)

    def __reduce__(self) -> tuple[object, ...]:
        return _RetriedCall, (self._provider, self._call)


def _call_twice(
    provider: CredentialProvider,
    call: Callable[_P, _R],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _R:
    again = _Repetition(provider, provider.get_credentials(), (*args, *kwargs.values()))
    try:
        result = call(*args, **kwargs)
    except Exception as error:
        if not again.prepare(error):
            raise
        result = call(*args, **kwargs)
    if inspect.iscoroutine(result):  # of a method that returns a coroutine without being a coroutine function
        return cast("_R", _await_twice(again, result, lambda: cast("Awaitable[object]", call(*args, **kwargs))))
    return result


class _Repetition:
    """The second attempt of one call."""

    def __init__(self, provider: CredentialProvider, used: Credentials, arguments: Iterable[object]) -> None:
        self._provider = provider
        self._pause = pause_of(provider, DEFAULT_CLOCK)
        self._used = used
        self._repeatable = True
        self._files: list[tuple[Any, int]] = []
        for argument in arguments:
            if hasattr(argument, "seek") and hasattr(argument, "tell"):
                try:
                    self._files.append((argument, argument.tell()))
                except (OSError, ValueError):  # a pipe
                    self._repeatable = False
            elif hasattr(argument, "__next__") or hasattr(argument, "__anext__"):
                self._repeatable = False

    def prepare(self, error: Exception) -> bool:
        """Refresh the credentials and rewind the files. False where a second attempt cannot help."""
        if not is_rejection(error) or not self._pause.allows(self._used):
            return False
        logger.info("A service rejected the credentials of %s: refreshing them", self._provider.get_provider_name())
        fresh = self._pause.refresh(self._provider, self._used, logger)
        if fresh is None or not self._repeatable:
            return False
        for file, position in self._files:
            file.seek(position)
        return True


async def _await_twice(again: _Repetition, first: Awaitable[_T], second: Callable[[], Awaitable[_T]]) -> _T:
    import asyncio

    try:
        return await first
    except Exception as error:
        if not await asyncio.to_thread(again.prepare, error):
            raise
    return await second()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and the errors inside it: causes, and inner errors under the names that SDKs use."""
    queue, seen = [error], {id(error)}
    while queue and len(seen) < MAX_INNER_ERRORS:
        one = queue.pop(0)
        yield one
        inner = [getattr(one, name, None) for name in _INNER_NAMES]
        unwrap = getattr(one, "unwrap", None)
        if callable(unwrap):
            inner.append(unwrap())
        for each in inner:
            if isinstance(each, BaseException) and id(each) not in seen:
                seen.add(id(each))
                queue.append(each)


def _codes(error: BaseException) -> Iterator[str]:
    for name in _CODE_NAMES:
        code = getattr(error, name, None)
        if isinstance(code, str) and code:
            yield code
    response = getattr(error, "response", None)  # botocore
    if isinstance(response, dict):
        code = response.get("Error", {}).get("Code")
        if isinstance(code, str):
            yield code
