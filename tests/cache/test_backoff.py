"""What the last fetches mean for the next: each rule is one call of a pure function."""

from __future__ import annotations

import math

import pytest

from ramrole_creds import Credentials, FetchError, ProviderUnavailable, RamRoleError, RefreshPolicy
from ramrole_creds._cache.backoff import Backoff
from ramrole_creds._cache.snapshot import NO_SNAPSHOT, Snapshot

POLICY = RefreshPolicy()
HELD = Snapshot(Credentials("STS.NT1", "secret", "token"), 1, 0.0, 0.0, 750.0, 750.0, 920.0, 1000.0)


def test_a_success_forgets_the_failures_and_their_delay_and_nothing_else() -> None:
    before = Backoff(3, FetchError("no"), 5000.0, refused_generation=4, too_short=(4, 900.0))
    after = before.after_success()
    assert (after.failures, after.error, after.retry_at) == (0, None, -math.inf)
    assert (after.refused_generation, after.too_short) == (4, (4, 900.0))


@pytest.mark.parametrize(("now", "waits"), [(749.0, False), (750.0, True), (999.0, True), (1000.0, False)])
def test_a_child_that_was_forked_in_the_advisory_window_does_not_ask_at_once(now: float, waits: bool) -> None:
    parent = Backoff()
    child = parent.inherited(POLICY, HELD, now, 0.5)
    assert (child is not parent) is waits
    assert (child.retry_at > now) is waits


class ForeignError(RamRoleError):
    """Of a plug-in that knows nothing of our attributes."""


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (ForeignError("no"), 2.0),
        (FetchError("no"), 2.0),
        (FetchError("no", unrecoverable=True), 5.0),
        (ProviderUnavailable("no"), 5.0),
    ],
    ids=["foreign", "passing", "unrecoverable", "not here"],
)
def test_only_what_lasts_is_remembered_for_seconds(error: Exception, delay: float) -> None:
    assert Backoff().after_failure(POLICY, error, NO_SNAPSHOT, 100.0, 1.0).retry_at == 100.0 + delay
