"""The tokens of a sign-in that a program keeps itself: one renewal at a time, and none that blocks another for ever."""

from __future__ import annotations

import os
import threading
import traceback

import pytest

from ramrole_creds import BearerTokenProvider, FetchError
from ramrole_creds.providers.sign_in.oauth import MemoryTokens, OAuthTokens

OLD = OAuthTokens(access_token="old-access", refresh_token="old-refresh")
NEW = OAuthTokens(access_token="new-access", refresh_token="new-refresh")
REAL_PATIENCE_SECONDS = 20.0


def test_a_renewal_that_hangs_holds_the_next_no_longer_than_its_time() -> None:
    store = MemoryTokens(OLD)
    entered, go = threading.Event(), threading.Event()

    def hang(_: OAuthTokens) -> OAuthTokens:
        entered.set()
        assert go.wait(REAL_PATIENCE_SECONDS)
        return NEW

    first = threading.Thread(target=store.update, args=(hang, 1.0), daemon=True)
    first.start()
    assert entered.wait(REAL_PATIENCE_SECONDS)
    with pytest.raises(FetchError, match="still renewing"):
        store.update(lambda _: None, 0.01)
    go.set()
    first.join(REAL_PATIENCE_SECONDS)
    assert store.update(lambda _: None, 0.01) is NEW


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not split processes")
def test_a_child_forked_amid_a_renewal_can_renew() -> None:
    store = MemoryTokens(OLD)
    statuses: list[int] = []

    def split(_: OAuthTokens) -> OAuthTokens:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if store.update(lambda _: NEW, 5.0) is NEW else 2
            finally:
                os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return NEW

    store.update(split, 1.0)
    assert statuses == [0]


@pytest.mark.parametrize(
    ("value", "name"),
    [(OLD, "access_token"), (OLD, "refresh_token"), (BearerTokenProvider("old").get_credential(), "bearer_token")],
    ids=["access", "refresh", "bearer"],
)
def test_a_token_cannot_be_set_and_no_frame_of_the_refusal_has_it(value: object, name: str) -> None:
    with pytest.raises(AttributeError, match=f"'{name}'.* cannot be set") as refused:
        setattr(value, name, "FAKESECRET0123456789")
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(refused.value.__traceback__)][1:]  # but this test's
    assert len(frames) == 1
    assert "FAKESECRET0123456789" not in repr(frames)
