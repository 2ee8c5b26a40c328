"""What a fetch brings: a source that answers as it is received, on the world's time, and keeps count."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import FetchError, ProviderUnavailable

if TYPE_CHECKING:
    from ramrole_creds._cache.fetch_context import FetchContext
    from tests.cachesim.world import World

FOREVER = 1e9
SERVICE_OVERLAP_SECONDS = 1800.0
KEYS = ("key", "editable")
ENDLESS = (*KEYS, "unknown")
ERRORS: dict[str, BaseException] = {
    "error": FetchError("upstream is out of order"),
    "unrecoverable": FetchError("upstream says no", unrecoverable=True),
    "not_here": ProviderUnavailable("nothing is here"),
    "raises": LookupError("text that may hold a secret"),
    "exits": SystemExit(3),
}


@dataclass(frozen=True)
class Request:
    """One fetch as upstream saw it."""

    at: float
    valid_for: float
    rejected: Credentials | None


class Upstream:
    """Answers: `fresh` (new ones), `unchanged` (those given last), `shorter` (new ones that end sooner), `unknown`
    (a token without expiry), `key` (a long-term key), `editable` (a long-term key that may be replaced), `dead`
    (already expired), `service` (as the metadata service: new ones when those given last have at most the overlap
    left), `error`, `unrecoverable`, `not_here`, `raises`, `exits` (a BaseException), `none` (no credentials at all),
    `hangs` (never answers).

    Args:
        life: seconds that new credentials live.
        takes: seconds until it answers.
        dated: whether it tells its time with each answer.
    """

    def __init__(self, world: World, *, life: float = 21600.0, takes: float = 0.0, dated: bool = True) -> None:
        self.answers = "fresh"
        self.life = life
        self.takes = takes
        self.dated = dated
        self.overlap = SERVICE_OVERLAP_SECONDS
        self.unblocked = False
        """True lets those that hang end, with an error."""
        self.requests: list[Request] = []
        self.ends: dict[int, float] = {}
        """By serial: when the credentials end, in true seconds."""
        self.flying: dict[int, float] = {}
        """Requests under way, by their number: when they began."""
        self._world = world
        self._serial = 0
        self._latest: tuple[FetchContext | None, float] = (None, 0.0)
        self._given: Credentials | None = None

    def fetch(self, context: FetchContext) -> Credentials:
        """One retrieval."""
        world = self._world
        number = len(self.requests)
        self.requests.append(Request(world.clock.seconds(), context.valid_for, context.rejected))
        # A second look belongs to the fetch that takes it.
        began = self._latest[1] if self._latest[0] is context else world.now
        self._latest = context, began
        self.flying[number] = began
        process = world.process
        try:
            if self.answers == "hangs":
                world.block(lambda: self.unblocked, world.now + FOREVER)
                raise FetchError("the connection broke")
            world.sleep(self.takes)
            return self._answer(context)
        finally:
            if world.process == process:
                self.flying.pop(number, None)

    def _answer(self, context: FetchContext) -> Credentials:
        answers = self.answers
        if answers == "exits" and not self._world.threads_allowed:
            answers = "error"  # its caller runs it, and would end
        if answers in ERRORS:
            raise copy(ERRORS[answers])
        if answers == "none":
            return None  # type: ignore[return-value]
        if self.dated:
            context.record_server_time(float(int(self._world.clock.true_time())))
        if answers == "editable":
            context.recheck_after()
        given = self._given
        if given is not None:
            left = self.ends[serial_of(given)] - self._world.clock.true_seconds()
            if answers == "unchanged" or (answers == "service" and left > self.overlap):
                return given
            if answers == "shorter":
                return self.mint(left / 2)
        if answers == "dead":
            return self.mint(-1.0)
        self._given = self.mint(self.life, kind=answers)
        return self._given

    def mint(self, life: float, kind: str = "") -> Credentials:
        """New credentials."""
        self._serial += 1
        serial = self._serial
        self.ends[serial] = self._world.clock.true_seconds() + (FOREVER if kind in ENDLESS else life)
        ends = datetime.fromtimestamp(self._world.clock.true_time() + life, timezone.utc)
        return Credentials(
            access_key_id=f"{'LTAI5t' if kind in KEYS else 'STS.NT'}{serial:012d}",
            access_key_secret=f"secret{serial:012d}",
            security_token=None if kind in KEYS else f"token{serial:012d}",
            expiration=None if kind in ENDLESS else ends,
            provider_name="upstream",
        )


def serial_of(credentials: Credentials) -> int:
    """Which ones these are; all three parts must be of one fetch."""
    serial = credentials.access_key_id[-12:]
    assert credentials.access_key_secret == f"secret{serial}", credentials
    assert credentials.security_token in (None, f"token{serial}"), credentials
    return int(serial)
