"""A provider from a function or a coroutine function."""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    CredentialProvider,
    Credentials,
    FetchContext,
    FetchError,
    FunctionProvider,
    ProviderChain,
    ProviderUnavailable,
    RefreshPolicy,
    StaticProvider,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = Credentials("LTAIkey", "secret")

REAL_PATIENCE_SECONDS = 30.0


def failing() -> Credentials:
    secret = "MarkerSecret"
    raise KeyError(secret)


async def failing_async() -> Credentials:
    await asyncio.sleep(0)
    return failing()


class Failing(CredentialProvider):
    name = "vault"

    def fetch(self, context: FetchContext) -> Credentials:
        return failing()


class Callable_:  # noqa: N801  # beside typing's
    async def __call__(self) -> Credentials:
        return KEYS


async def fetched() -> Credentials:
    await asyncio.sleep(0)
    return KEYS


def line_of(function: Callable[..., object], offset: int) -> str:
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


@pytest.mark.parametrize(
    "fn", [lambda: KEYS, fetched, partial(fetched), Callable_()], ids=["sync", "async", "partial", "call"]
)
def test_what_a_function_returns_is_cached(fn: Any) -> None:
    with FunctionProvider(fn) as provider:
        assert provider.get_credentials() is provider.get_credentials() is KEYS


def test_a_coroutine_function_serves_threads_and_coroutines_with_one_fetch() -> None:
    threads: list[str] = []

    async def fetch() -> Credentials:
        threads.append(threading.current_thread().name)
        await asyncio.sleep(0)
        return KEYS

    async def main() -> None:
        with FunctionProvider(fetch) as provider:
            assert await asyncio.gather(*(provider.get_credentials_async() for _ in range(9))) == [KEYS] * 9
            assert provider.get_credentials() is KEYS

    asyncio.run(main())
    assert len(threads) == 1


def test_a_coroutine_function_that_hangs_is_cancelled_at_the_time_limit() -> None:
    cancelled = threading.Event()

    async def hang() -> Credentials:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return KEYS

    provider = FunctionProvider(hang, policy=RefreshPolicy(fetch_timeout=0.2))
    # On a busy machine the fetch may be abandoned before the coroutine's own limit, 5 % earlier, has ended it.
    with pytest.raises(FetchError, match=r"TimeoutError|did not answer within fetch_timeout \(0\.2 s\)"):
        provider.get_credentials()
    assert cancelled.wait(REAL_PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "provider",
    [
        FunctionProvider(failing),
        FunctionProvider(failing_async),
        Failing(),
        ProviderChain(Failing(), StaticProvider("LTAI", "s")),
    ],
    ids=["function", "coroutine", "class", "chain"],
)
def test_a_failing_function_is_located_in_error_and_log_and_its_text_is_not_shown(
    provider: CredentialProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(FetchError) as raised:
        provider.get_credentials()
    where = f"KeyError at {line_of(failing, 2)}"
    assert where in str(raised.value)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any(where in text for text in warnings)
    assert "MarkerSecret" not in str(raised.value) + caplog.text
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_a_failure_within_a_library_names_the_line_that_called_it() -> None:
    def decode() -> Credentials:
        import json

        return json.loads("MarkerSecret")  # type: ignore[no-any-return]

    with pytest.raises(FetchError) as raised:
        FunctionProvider(decode).get_credentials()
    assert f"JSONDecodeError at {line_of(decode, 3)}." in str(raised.value)


def test_errors_of_this_library_pass_unchanged() -> None:
    def absent() -> Credentials:
        raise ProviderUnavailable("not here")

    with pytest.raises(ProviderUnavailable, match=r"^not here$"):
        FunctionProvider(absent).get_credentials()


def test_anything_else_than_credentials_is_refused() -> None:
    with pytest.raises(FetchError, match="must return Credentials, not dict"):
        FunctionProvider(dict).get_credentials()  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(ConfigurationError, match="needs a callable, not Credentials"):
        FunctionProvider(KEYS)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize("name", ["", 5, None])
def test_a_name_that_no_status_could_show_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"name (?:is empty|must be a text)"):
        FunctionProvider(lambda: Credentials("LTAI5tExample", "secret"), name=name)
