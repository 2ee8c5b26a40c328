"""What a provider reports about itself when it is asked."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds._cache.snapshot import EMPTY, EXPIRED
from ramrole_creds.credentials import shorten_id
from ramrole_creds.errors import message_of

if TYPE_CHECKING:
    from ramrole_creds._cache.state import CacheState

JsonValue = str | int | bool | None


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What a provider holds and what it does next, without secrets; for probes and dashboards.

    Args:
        state: "empty", "fresh", "advisory", "mandatory" or "expired".
        provider_name: where the credentials came from, or the provider's own name while there are none.
        access_key_id: shortened id, None while there are none.
        identity: role name or ARN where known.
        expiration: UTC, None for never, unknown or none held.
        generation: 1 for the first credentials, one more for each replacement.
        fetches: how many fetches this process started.
        failures: how many of the latest failed in a row.
        last_fetch: UTC, when the credentials held were fetched.
        last_error: class and text of the last failure, None after a success.
        next_attempt: UTC, when the next fetch is due, None where none is.
    """

    state: str
    provider_name: str
    access_key_id: str | None
    identity: str | None
    expiration: datetime | None
    generation: int
    fetches: int
    failures: int
    last_fetch: datetime | None
    last_error: str | None
    next_attempt: datetime | None

    @property
    def usable(self) -> bool:
        """True where a call would return credentials that are valid now."""
        return self.state not in (EMPTY, EXPIRED)

    def as_dict(self) -> dict[str, JsonValue]:
        """All of it, `usable` included, as values that JSON knows; times are ISO 8601 in UTC."""
        values = {name: _json_value(value) for name, value in asdict(self).items()}
        return {"usable": self.usable, **values}


def describe(state: CacheState, now: float, wall: float, name: str) -> ProviderStatus:
    """The status of a cache in this state.

    Args:
        state: of the cache.
        now: seconds of the cache's clock.
        wall: Unix seconds at the same instant.
        name: of the source.
    """
    snapshot, held, error = state.snapshot, state.snapshot.credentials, state.backoff.error
    return ProviderStatus(
        state=snapshot.state_at(now),
        provider_name=held.provider_name if held is not None and held.provider_name else name,
        access_key_id=shorten_id(held.access_key_id) if held else None,
        identity=held.identity if held else None,
        expiration=held.expiration if held else None,
        generation=snapshot.generation,
        fetches=state.fetches,
        failures=state.backoff.failures,
        last_fetch=_moment(snapshot.fetched_at, now, wall),
        last_error=None if error is None else f"{type(error).__name__}: {message_of(error)}",
        next_attempt=_moment(max(state.due, now) if state.snapshot.doubtful else state.due, now, wall),
    )


def _moment(when: float, now: float, wall: float) -> datetime | None:
    if not math.isfinite(when):
        return None
    try:
        return datetime.fromtimestamp(wall + when - now, timezone.utc)
    except (OverflowError, ValueError, OSError):  # a wall clock beyond what a date can be
        return None


def _json_value(value: object) -> JsonValue:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if value is None or isinstance(value, (int, bool)):
        return value
    # Halves of characters, as in a path that is not UTF-8: a JSON encoder that writes UTF-8 refuses them.
    return str(value).encode("utf-8", "backslashreplace").decode()
