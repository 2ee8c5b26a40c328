"""What a provider tells about itself when it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What a provider holds and what it is about to do, without secrets; for probes and dashboards.

    Args:
        state: "empty", "fresh", "advisory", "mandatory" or "expired".
        provider_name: where the credentials came from, or the provider's own name while there are none.
        access_key_id: shortened id, None while there are none.
        identity: role name or ARN where known.
        expiration: UTC, None for never, unknown or none held.
        generation: 1 for the first credentials, one more for each replacement.
        fetches: how many fetches this process started.
        failures: how many of them failed in a row, up to now.
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
