"""The last event of a provider: `Closed`, whether it was closed or is held by nobody any more."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ramrole_creds import ConfigurationError, Credentials, FunctionProvider, events
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.threads import ThreadRuntime
from tests.eventually import REAL_PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = Credentials("LTAIkey", "secret")


def kinds(received: list[events.Event]) -> list[str]:
    return [type(event).__name__ for event in received]


def test_closing_twice_is_reported_once_and_nothing_follows() -> None:
    received: list[events.Event] = []
    provider = FunctionProvider(lambda: KEYS, name="web", on_event=received.append)
    provider.get_credentials()
    provider.close()
    provider.close()
    del provider
    gc.collect()
    assert kinds(received) == ["Fetched", "StateChanged", "Closed"]
    assert received[-1].provider == "web"


def test_a_fetch_that_ends_after_the_close_is_not_reported() -> None:
    received: list[events.Event] = []
    entered, go = threading.Event(), threading.Event()

    def fetch() -> Credentials:
        entered.set()
        go.wait(REAL_PATIENCE_SECONDS)
        return KEYS

    provider = FunctionProvider(fetch, on_event=received.append)
    caller = threading.Thread(target=ask, args=(provider,))
    caller.start()
    assert entered.wait(REAL_PATIENCE_SECONDS)
    provider.close()
    go.set()
    caller.join(REAL_PATIENCE_SECONDS)
    assert kinds(received) == ["Closed"]


def ask(provider: FunctionProvider) -> None:
    """A call that may find the provider closed."""
    with suppress(ConfigurationError):
        provider.get_credentials()


def test_a_listener_may_close_its_own_provider() -> None:
    received: list[events.Event] = []

    def listen(event: events.Event) -> None:
        received.append(event)
        if isinstance(event, events.StateChanged):
            provider.close()

    provider = FunctionProvider(lambda: KEYS, on_event=listen)
    ask(provider)
    assert eventually(lambda: kinds(received) == ["Fetched", "StateChanged", "Closed"])


def test_a_collected_provider_is_reported_by_another_thread() -> None:
    """The one that collects it may hold any lock, the listener's own among them."""
    lock, received, by = threading.Lock(), list[events.Event](), list[int]()

    def listen(event: events.Event) -> None:
        with lock:
            received.append(event)
            by.append(threading.get_ident())

    provider = FunctionProvider(lambda: KEYS, on_event=listen)
    provider.get_credentials()
    with lock:
        del provider
        gc.collect()
    assert eventually(lambda: kinds(received)[-1:] == ["Closed"])
    assert by[-1] != threading.get_ident()


def test_providers_of_one_name_are_told_apart_by_their_numbers() -> None:
    received: list[events.Event] = []
    providers = [FunctionProvider(lambda: KEYS, name="web", on_event=received.append) for _ in range(2)]
    for provider in providers:
        provider.get_credentials()
        provider.close()
    first, second = received[:3], received[3:]
    assert len({event.number for event in first}) == len({event.number for event in second}) == 1
    assert first[0].number != second[0].number


class Threadless(ThreadRuntime):
    """Starts no thread while it is told not to."""

    refuses = False

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        """As in a sub-interpreter, or in the master of uWSGI."""
        if self.refuses:
            raise RuntimeError("can't start new thread")
        super().spawn(work, purpose)


def test_where_no_thread_can_be_started_the_next_call_of_a_provider_reports_the_end() -> None:
    received: list[events.Event] = []
    runtime = Threadless()
    cache = CredentialCache(lambda _: KEYS, on_event=received.append, runtime=runtime)
    cache.get()
    runtime.refuses = True
    del cache
    gc.collect()
    runtime.refuses = False
    other = CredentialCache(lambda _: KEYS)
    other.refresh()
    assert eventually(lambda: kinds(received)[-1:] == ["Closed"])


def test_without_a_listener_a_close_starts_no_thread() -> None:
    runtime = Threadless()
    cache = CredentialCache(lambda _: KEYS, runtime=runtime)
    cache.get()
    runtime.refuses = True
    cache.close()
    del cache
    gc.collect()
