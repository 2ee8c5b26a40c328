"""Records settled fetches in a ring."""

from __future__ import annotations

import json
import math
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ramrole_creds._cache.settlement import Failed, Kept
from ramrole_creds._files import write_whole_file
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, NoCredentialsError, ProviderUnavailable, cannot_be_pickled
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    import os

    from ramrole_creds._cache.decisions import View
    from ramrole_creds._cache.settlement import Outcome, Settlement
    from ramrole_creds._cache.snapshot import Snapshot

SCHEMA: Final = "ramrole-creds recording 1"
MAX_SIZE: Final = 10_000_000
MAX_NAMES_PER_RECORD: Final = 4
Record = dict[str, Any]


class Recorder:
    """Keeps the last fetches of a provider in memory. It costs microseconds per fetch, and nothing per call.

    Args:
        provider: what is recorded, from now on.
        size: how many fetches are kept, at most ten million.

    Raises:
        ConfigurationError: `size` is not such a number, or `provider` is not a provider.
    """

    def __init__(self, provider: CredentialProvider, size: int = 2000) -> None:
        if type(size) is not int or not 1 <= size <= MAX_SIZE:
            raise ConfigurationError(f"size must be a whole number above 0, at most {MAX_SIZE:,}, not {size!r:.60}.")
        if not isinstance(provider, CredentialProvider):
            raise ConfigurationError(f"provider must be a CredentialProvider, not {type(provider).__name__}.")
        self._records: deque[Record] = deque(maxlen=size)
        self._numbers: dict[str, dict[str, int]] = {"key": {}, "identity": {}}
        self._counts = {"key": count(1), "identity": count(1)}
        self._policy: Record = {}
        provider.observe_fetches(self._observe)

    def __len__(self) -> int:
        return len(self._records)

    def dump(self, path: str | os.PathLike[str]) -> None:
        """Write the recording as JSON lines: a header, then one line per fetch, oldest first.

        Args:
            path: the file; it is created with mode 0600, or replaced by such a file.

        Raises:
            OSError: the file cannot be written.
        """
        records = list(self._records)
        before = records[0]["before"] if records else None
        lines: list[Record] = [{"schema": SCHEMA, "policy": self._policy, "before": before}]
        lines += [{name: value for name, value in record.items() if name != "before"} for record in records]
        text = "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines)
        write_whole_file(Path(path), text)

    def _observe(self, view: View, outcome: Outcome, settlement: Settlement) -> None:
        with suppress(Exception):  # what cannot be recorded must not fail a fetch
            self._note(view, outcome, settlement)

    def _note(self, view: View, outcome: Outcome, settlement: Settlement) -> None:
        record: Record = {
            "now": view.now,
            "wall": outcome.wall,
            "seconds": outcome.seconds,
            "ago": outcome.ago,
            "late": outcome.late,
            "server_time": outcome.server_time,
            "refetch_after": _finite(outcome.refetch_after),
            "issued_anew": outcome.issued_anew,
            "random": outcome.random_fractions,
            "doubted": view.state.snapshot.doubtful,
            "valid_for": _finite(outcome.valid_for),
            "rejected": None if outcome.rejected is None else self._key(outcome.rejected),
            "fetched": self._fetched(outcome.result),
            "settled": "failed"
            if isinstance(settlement, Failed)
            else "kept"
            if isinstance(settlement, Kept)
            else "replaced",
            "held": self._held(settlement.snapshot),
        }
        self._policy = asdict(view.policy)
        # Where another thread changed the state meanwhile, the engine settles the same outcome once more.
        if self._records and self._records[-1]["random"] is outcome.random_fractions:
            self._records.pop()
        # What was held before is written for the first record only: older ones have left the ring, or were never in it.
        record["before"] = self._records[-1]["held"] if self._records else self._held(view.state.snapshot)
        self._records.append(record)

    def _fetched(self, result: Credentials | Exception) -> Record:
        if isinstance(result, Credentials):
            return self._described(result)
        lasting = isinstance(result, (ProviderUnavailable, NoCredentialsError)) or getattr(
            result, "unrecoverable", False
        )
        kind = type(result)
        ours = kind.__module__.partition(".")[0] == "ramrole_creds"
        return {
            "error": kind.__name__ if ours else "FetchError",
            "lasting": bool(lasting),
            "retry_after": _finite(getattr(result, "retry_after", None)),
        }

    def _held(self, snapshot: Snapshot) -> Record | None:
        if snapshot.credentials is None:
            return None
        return {
            **self._described(snapshot.credentials),
            "generation": snapshot.generation,
            "advisory_at": _finite(snapshot.advisory_at),
            "mandatory_at": _finite(snapshot.mandatory_at),
            "expires_at": _finite(snapshot.expires_at),
            "doubtful": snapshot.doubtful,
        }

    def _described(self, credentials: Credentials) -> Record:
        expiration = credentials.expiration
        return {
            "key": self._key(credentials),
            "identity": self._number("identity", credentials.identity or credentials.access_key_id),
            "temporary": credentials.security_token is not None,
            "expiration": None if expiration is None else expiration.timestamp(),
        }

    def _key(self, credentials: Credentials) -> int:
        return self._number("key", credentials.access_key_id)

    def _number(self, kind: str, name: str) -> int:
        """The number of a name: 1 for the first of its kind. Names that have left the ring are forgotten."""
        numbers = self._numbers[kind]
        number = numbers.pop(name, None) or next(self._counts[kind])
        numbers[name] = number  # at the end: those that were not used for longest come first
        if len(numbers) > MAX_NAMES_PER_RECORD * (self._records.maxlen or 1):
            numbers.pop(next(iter(numbers)), None)
        return number

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "A Recorder cannot be pickled: it knows the names that its recording hides. Send what dump() wrote."
        )


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: None stands for it."""
    return None if value is None or not math.isfinite(value) else value
