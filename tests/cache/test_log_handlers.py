"""A log handler may use the very provider that logs: one that ships log lines signs its requests with it."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, FetchError, FunctionProvider, RamRoleError, RefreshPolicy
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import CredentialProvider

REAL_PATIENCE_SECONDS = 20.0


class ShippingHandler(logging.Handler):
    """Asks the provider for credentials at each line, as a handler that signs an upload does."""

    def __init__(self, provider: CredentialProvider) -> None:
        super().__init__(logging.DEBUG)
        self._provider = provider
        self.outcomes: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.outcomes.append(self._provider.get_credentials(timeout=0).access_key_id)
        except RamRoleError as error:
            self.outcomes.append(type(error).__name__)


@pytest.fixture
def shipping() -> Iterator[tuple[ShippingHandler, FunctionProvider, VirtualClock]]:
    clock = VirtualClock()
    given = [0]

    def fetch() -> Credentials:
        given[0] += 1
        if given[0] > 1:
            raise FetchError("upstream is down")
        return Credentials("STS.first", "secret", "token", clock.now() + timedelta(hours=1))

    with FunctionProvider(fetch, clock=clock) as provider:
        handler = ShippingHandler(provider)
        logger = logging.getLogger("ramrole_creds")
        logger.addHandler(handler)
        yield handler, provider, clock
        logger.removeHandler(handler)


def test_a_log_handler_that_uses_the_provider_does_not_deadlock(
    shipping: tuple[ShippingHandler, FunctionProvider, VirtualClock],
) -> None:
    handler, provider, clock = shipping

    def live() -> None:
        provider.get_credentials()
        clock.advance(hours=2)

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    thread.join(REAL_PATIENCE_SECONDS)
    assert not thread.is_alive(), "the handler waits for a lock that its own logging holds"
    assert "STS.first" in handler.outcomes
    assert "CredentialsExpired" in handler.outcomes


def test_a_log_handler_that_waits_for_a_fetch_that_logs_is_not_waited_for_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ramrole_creds._cache.credential_cache.MAX_LOCKED_WAIT_SECONDS", 0.05)
    logger = logging.getLogger("an_application")
    fetching, handling = threading.Event(), threading.Event()
    outcomes: list[str] = []

    class AskingHandler(logging.Handler):
        """Asks for credentials at one line, and holds its lock meanwhile, as every handler does."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "ask":
                handling.set()
                try:
                    outcomes.append(provider.get_credentials().access_key_id)
                except RamRoleError as error:
                    outcomes.append(type(error).__name__)

    def fetch() -> Credentials:
        fetching.set()
        assert handling.wait(REAL_PATIENCE_SECONDS)
        logger.warning("needs the lock of the handler")
        return Credentials("STS.first", "secret", "token")

    handler = AskingHandler()
    logger.addHandler(handler)
    begun = time.monotonic()
    try:
        with FunctionProvider(fetch, policy=RefreshPolicy(fetch_timeout=REAL_PATIENCE_SECONDS)) as provider:
            first = threading.Thread(target=provider.get_credentials, daemon=True)
            first.start()
            assert fetching.wait(REAL_PATIENCE_SECONDS)
            logger.warning("ask")
            first.join(REAL_PATIENCE_SECONDS)
            assert provider.get_credentials().access_key_id == "STS.first"
    finally:
        logger.removeHandler(handler)
    assert outcomes == ["WaitTimeout"]
    assert time.monotonic() - begun < REAL_PATIENCE_SECONDS / 2
