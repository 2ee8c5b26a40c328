"""Repeat a client's call once where the service refused the credentials it was made with.

    bucket = oss2.Bucket(oss2.ProviderAuthV4(provider), endpoint, "bucket", region="cn-hangzhou")
    put = retry_on_rejected(provider)(bucket.put_object)
    put("key", b"body")

No SDK tells its provider that a token was refused: it raises, and would raise again with the same token. Credentials
can be refused before their time: the role was deleted and made again, sessions were revoked, a clock is wrong.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from ramrole_creds.errors import RamRoleError
from ramrole_creds.integrations import _error_codes as refusals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["is_rejection", "retry_on_rejected"]

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")

_NOT_TOLD = re.compile(r"ACCESS_DENIED during Head\w+ operation: No response body")
"""A refused HEAD has no body: botocore gives the status as its code, pyarrow says this. A refresh finds out."""

_CODE_NAMES = ("code", "error_code", "errorCode", "err_code", "_errorCode", "type")
_INNER_NAMES = ("__cause__", "__context__", "inner_exception", "exception")
MAX_INNER_ERRORS = 16


def retry_on_rejected(provider: CredentialProvider) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator for calls of any client that has its credentials from `provider`.

    A call that raises because the service refused the token or key is repeated once, after one `refresh`; concurrent
    calls share it, and a provider that has been given newer credentials meanwhile is not asked. Works for functions,
    methods and coroutine functions. Files among the arguments are rewound; a call with an iterator among them is not
    repeated, since what was taken from it is gone. Errors of any other kind pass through.

    Wrap calls that do their work before they return: a lazy listing makes its requests later, out of reach.

    Args:
        provider: the provider that the client was given.

    Returns:
        The decorator; what it wraps takes and returns the same.
    """

    def decorate(call: Callable[_P, _R]) -> Callable[_P, _R]:
        if inspect.iscoroutinefunction(call):

            @functools.wraps(call)
            async def awaited(*args: _P.args, **kwargs: _P.kwargs) -> Any:  # noqa: ANN401  # whatever `call` gives
                used = await provider.get_credentials_async()
                again = _Repetition(provider, used, (*args, *kwargs.values()))
                return await _await_twice(again, call(*args, **kwargs), lambda: call(*args, **kwargs))

            return cast("Callable[_P, _R]", awaited)

        @functools.wraps(call)
        def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            again = _Repetition(provider, provider.get_credentials(), (*args, *kwargs.values()))
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                if not again.prepare(error):
                    raise
                result = call(*args, **kwargs)
            if inspect.iscoroutine(result):  # a method that returns a coroutine without being a coroutine function
                return cast("_R", _await_twice(again, result, lambda: cast("Awaitable[object]", call(*args, **kwargs))))
            return result

        return called

    return decorate


def is_rejection(error: BaseException) -> bool:
    """True where a client's error says that the service refused the token or the key, by whatever SDK it is.

    The services' codes decide, wherever the SDK keeps them; a wrong signature, a missing permission, a clock that is
    off and a failure of a provider of ours are none.
    """
    chain = list(_chain(error))
    if any(isinstance(one, RamRoleError) for one in chain):
        return False
    for one in chain:
        codes = list(_codes(one))
        if any(map(refusals.is_code, codes)):
            return True
        text = str(one)
        if "403" in codes or _NOT_TOLD.search(text):
            return True
        if any(code in refusals.BROAD_CODES for code in codes):
            return refusals.is_about_keys(text)
        if not codes and refusals.names_code(text):
            return True
    return False


class _Repetition:
    """One call's second try."""

    def __init__(self, provider: CredentialProvider, used: Credentials, arguments: Iterable[object]) -> None:
        self._provider = provider
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
        """Have the credentials replaced and the files rewound; False where a second try would be in vain."""
        if not is_rejection(error):
            return False
        logger.info("A service refused the credentials of %s: asking for new ones", self._provider.get_provider_name())
        try:
            fresh = self._provider.refresh(rejected=self._used)
        except RamRoleError as trouble:
            logger.warning("A service refused the credentials, and there are no others: %s", trouble)
            return False
        if _triple(fresh) == _triple(self._used) or not self._repeatable:
            return False
        for file, position in self._files:
            file.seek(position)
        return True


async def _await_twice(again: _Repetition, first: Any, second: Callable[[], Any]) -> Any:  # noqa: ANN401  # any call's
    import asyncio

    try:
        return await first
    except Exception as error:
        if not await asyncio.to_thread(again.prepare, error):
            raise
    return await second()


def _triple(credentials: Credentials) -> tuple[str, str, str | None]:
    return credentials.access_key_id, credentials.access_key_secret, credentials.security_token


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: causes, and the inner errors that SDKs keep under names of their own."""
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
