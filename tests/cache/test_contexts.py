"""Where a fetch runs: in a copy of the context of the call that caused it; in the background, in an empty one."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING

from ramrole_creds import Credentials, FunctionProvider, RefreshPolicy

if TYPE_CHECKING:
    import pytest

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
REAL_PATIENCE_SECONDS = 20.0


def test_a_fetch_sees_the_context_of_its_caller_and_changes_only_a_copy() -> None:
    seen: list[str] = []

    def fetch() -> Credentials:
        seen.append(REQUEST.get())
        REQUEST.set("of the fetch")
        return Credentials("id", "secret")

    async def call(provider: FunctionProvider) -> None:
        REQUEST.set("of the coroutine")
        await provider.get_credentials_async()
        assert REQUEST.get() == "of the coroutine"

    token = REQUEST.set("of the thread")
    try:
        FunctionProvider(fetch).get_credentials()
        assert REQUEST.get() == "of the thread"
        asyncio.run(call(FunctionProvider(fetch)))
    finally:
        REQUEST.reset(token)
    assert seen == ["of the thread", "of the coroutine"]


def test_a_fetch_in_the_background_has_the_context_of_no_caller() -> None:
    seen: list[str] = []
    again = threading.Event()

    def fetch() -> Credentials:
        seen.append(REQUEST.get())
        if len(seen) > 1:
            again.set()
        return Credentials(f"id{len(seen)}", "secret", "token", datetime.now(timezone.utc) + timedelta(seconds=3))

    token = REQUEST.set("of the first call")
    try:
        with FunctionProvider(fetch, policy=RefreshPolicy(jitter=0.0)) as provider:
            provider.get_credentials()
            assert again.wait(REAL_PATIENCE_SECONDS)
    finally:
        REQUEST.reset(token)
    assert seen[:2] == ["of the first call", "none"]


def test_a_worker_is_not_taken_for_a_thread_of_the_callers_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """anyio notes the loop's library in the context; libraries in the worker would take its word for it."""
    library: contextvars.ContextVar[str | None] = contextvars.ContextVar("library", default=None)
    monkeypatch.setitem(sys.modules, "sniffio", SimpleNamespace(current_async_library_cvar=library))
    seen: list[str | None] = []

    def fetch() -> Credentials:
        seen.append(library.get())
        return Credentials("id", "secret")

    token = library.set("trio")
    try:
        FunctionProvider(fetch).get_credentials()
    finally:
        library.reset(token)
    assert seen == [None]
