"""Faults as data: what goes wrong, where, how often and when.

A fault that only *modifies* an answer (latency, a wrong Date, an Age, a changed credential document) combines with
others; of those that *replace* the answer (a status, a reset, a hang …) the first that matches is played.
"""

from __future__ import annotations

import fnmatch
import json
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.server.http_server import Listening
    from ramrole_creds.testing.server.messages import WireRequest

METADATA_STEPS = frozenset({"token", "role", "credentials", "item"})

# name -> the options that it takes
MODIFIERS: Mapping[str, frozenset[str]] = {
    "latency": frozenset({"seconds", "jitter"}),
    "date": frozenset({"seconds", "value"}),
    "no-date": frozenset(),
    "age": frozenset({"seconds"}),
    "skew": frozenset({"seconds"}),
    "header": frozenset({"name", "value"}),
    "document": frozenset({"set", "drop"}),
}
REPLACEMENTS: Mapping[str, frozenset[str]] = {
    "status": frozenset({"status", "body", "headers", "reason", "retry_after"}),
    "reset": frozenset({"after"}),
    "close": frozenset(),
    "hang": frozenset({"after"}),
    "drip": frozenset({"interval", "part"}),
    "truncate": frozenset({"at"}),
    "oversize": frozenset({"bytes", "length"}),
    "garbage": frozenset({"data"}),
    "garbage-body": frozenset({"body"}),
    "redirect": frozenset({"location", "status"}),
    "informational": frozenset({"count", "status"}),
    "outage": frozenset(),
}
LISTENING: Mapping[str, frozenset[str]] = {"refuse": frozenset(), "blackhole": frozenset()}
_COMMON = frozenset({"skip", "probability", "label"})


@dataclass(eq=False, slots=True)
class Fault:
    """One fault of a script; `played` counts how often it was."""

    where: str
    what: str
    options: Mapping[str, Any]
    times: int | None
    starts: float
    ends: float
    skip: int = 0
    probability: float = 1.0
    label: str = ""
    played: int = 0

    @property
    def modifies(self) -> bool:
        """True for a fault that only changes the answer."""
        return self.what in MODIFIERS

    @property
    def is_listening(self) -> bool:
        """True for a fault of the port itself."""
        return self.what in LISTENING

    def is_active(self, at: float) -> bool:
        """True while its time has come and it has not been used up."""
        return self.starts <= at < self.ends and (self.times is None or self.played < self.times)

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return self.label or (f"{self.what}({options})" if options else self.what)


@dataclass(frozen=True, slots=True)
class MatchedFaults:
    """The faults that one request meets."""

    modifiers: tuple[Fault, ...] = ()
    replacement: Fault | None = None

    def first(self, what: str) -> Fault | None:
        """The first modifier of this kind."""
        return next((fault for fault in self.modifiers if fault.what == what), None)

    def total(self, what: str, option: str = "seconds") -> float:
        """The sum of an option over all modifiers of this kind."""
        return sum(float(fault.options.get(option, 0.0)) for fault in self.modifiers if fault.what == what)

    def __str__(self) -> str:
        return " + ".join(str(fault) for fault in (*self.modifiers, self.replacement) if fault is not None)


NOTHING = MatchedFaults()


@dataclass(slots=True)
class Faults:
    """The script of faults of one fake cloud; safe for many threads.

    Args:
        clock: by which `between` counts.
        on_change: called after each change, and when a fault of the port itself begins or ends.
        seed: makes `probability` and `jitter` reproducible.
    """

    clock: Clock
    on_change: Callable[[], object] = lambda: None
    seed: int | str = 0
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _faults and every `played`
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - reproducible on purpose

    def add(
        self,
        where: str,
        what: str | int,
        times: int | None = None,
        between: tuple[float, float] | tuple[datetime, datetime] | None = None,
        **options: Any,  # noqa: ANN401 - each fault has options of its own, checked below
    ) -> Fault:
        """Add a fault.

        Args:
            where: "token", "role", "credentials", "item", "metadata" (all four), a service's name ("sts", "ram",
                "ecs", "oss" …), an action ("AssumeRole"), "*" for everything, or a path pattern, if wanted with a
                method in front ("/latest/meta-data/*", "PUT /latest/api/token").
            what: an HTTP status, or a name:
                "status" (status, body, headers, reason, retry_after), "reset" (after bytes), "close", "hang" (after
                bytes), "outage" (every request is reset), "drip" (interval, part="body"|"head"), "truncate" (at),
                "oversize" (bytes, length=True), "garbage" (data: not HTTP at all), "garbage-body" (body),
                "redirect" (location, status), "informational" (count, status: a flood of 1xx);
                "latency" (seconds, jitter; real time), "date" (seconds off, or value), "no-date", "age" (seconds),
                "skew" (seconds the server's clock is ahead), "header" (name, value), "document" (set, drop: keys of
                the credential JSON); "refuse" and "blackhole" (the port itself, so only for "*").
            times: how many requests it meets; None for every one.
            between: when: seconds from now by the cloud's clock, or two aware datetimes.
            **options: those named above, and `skip` (leave the first n requests alone), `probability`,
                and `label`, by which the request log shows it.

        Returns:
            The fault; `played` says how often it has been met.

        Raises:
            ValueError: unknown fault or option.
        """
        fault = _fault(where, what, times, between, options, self.clock.time())
        with self._lock:
            self._faults.append(fault)
        self._watch(fault)
        self.on_change()
        return fault

    def load(self, script: str | Path | Sequence[Mapping[str, Any]]) -> list[Fault]:
        """Add every fault of a script.

        Args:
            script: a list of mappings with the arguments of `add`, or the path of a JSON or (with PyYAML installed)
                YAML file that holds one, by itself or under the key "faults".

        Raises:
            ValueError: not a script, or YAML without PyYAML.
        """
        entries = _read(Path(script)) if isinstance(script, (str, Path)) else script
        if isinstance(entries, Mapping):
            entries = entries.get("faults", ())
        if not isinstance(entries, Sequence) or isinstance(entries, (str, bytes)):
            message = 'A script is a list of faults, by itself or under the key "faults".'
            raise ValueError(message)  # noqa: TRY004 - what a file holds is a value
        added = []
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, Mapping) or "where" not in entry or "what" not in entry:
                raise ValueError(f'Fault {number} of the script is no mapping with "where" and "what".')
            arguments = dict(entry)
            between = arguments.pop("between", None)
            if between is not None and not (isinstance(between, Sequence) and len(between) == 2):
                raise ValueError(f"Fault {number} of the script: between is a list of two, from and to in seconds.")
            added.append(self.add(**arguments, between=tuple(between) if between else None))
        return added

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()
        self.on_change()

    def remove(self, fault: Fault) -> None:
        """Forget one fault; no effect when it is gone already."""
        with self._lock:
            if fault in self._faults:
                self._faults.remove(fault)
        self.on_change()

    def __iter__(self) -> Any:  # noqa: ANN401 - an iterator of Fault
        with self._lock:
            return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def match(self, request: WireRequest, names: Collection[str]) -> MatchedFaults:
        """The faults that this request meets; counts them as played.

        Args:
            request: the request.
            names: what it is called: service, step, action.
        """
        if not self._faults:
            return NOTHING
        modifiers = []
        replacement = None
        now = self.clock.time()
        with self._lock:
            for fault in self._faults:
                if fault.is_listening or not fault.is_active(now) or not _matches(fault.where, request, names):
                    continue
                if not fault.modifies and replacement is not None:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.probability < 1 and self._random.random() >= fault.probability:
                    continue
                fault.played += 1
                if fault.modifies:
                    modifiers.append(fault)
                else:
                    replacement = fault
        return MatchedFaults(tuple(modifiers), replacement)

    def latency(self, matched: MatchedFaults) -> float:
        """Real seconds to wait before answering."""
        spread = matched.total("latency", "jitter")
        return matched.total("latency") + (self._random.uniform(0, spread) if spread else 0.0)

    def listening(self) -> Listening:
        """The state of the port that is wanted now: "open", "refuse" or "blackhole"."""
        now = self.clock.time()
        with self._lock:
            active = {one.what for one in self._faults if one.is_listening and one.is_active(now)}
        return "refuse" if "refuse" in active else "blackhole" if "blackhole" in active else "open"

    def next_change(self) -> float | None:
        """Unix time at which a fault of the port begins or ends next; None when none will."""
        now = self.clock.time()
        with self._lock:
            edges = [edge for one in self._faults if one.is_listening for edge in (one.starts, one.ends)]
        return min((edge for edge in edges if now < edge < float("inf")), default=None)

    def _watch(self, fault: Fault) -> None:
        call_at = getattr(self.clock, "call_at", None)
        if not fault.is_listening or call_at is None:
            return
        ahead = self.clock.monotonic() - self.clock.time()
        for edge in (fault.starts, fault.ends):
            if self.clock.time() < edge < float("inf"):
                call_at(edge + ahead, lambda: (self.on_change(), None)[1])


def _fault(
    where: str, what: str | int, times: int | None, between: Sequence[Any] | None, options: dict[str, Any], now: float
) -> Fault:
    if not isinstance(what, (int, str)):
        raise ValueError(f"A fault is an HTTP status or a name, not {what!r}.")  # noqa: TRY004 - scripts are values
    if isinstance(what, int) or what.isdigit():
        what, options = "status", {"status": int(what), **options}
    allowed = {**MODIFIERS, **REPLACEMENTS, **LISTENING}.get(what)
    if allowed is None:
        known = ", ".join(sorted([*MODIFIERS, *REPLACEMENTS, *LISTENING]))
        raise ValueError(f"There is no fault {what!r}. Known: an HTTP status, {known}.")
    unknown = set(options) - allowed - _COMMON
    if unknown:
        takes = ", ".join(sorted(allowed | _COMMON))
        raise ValueError(f"The fault {what!r} takes no {', '.join(sorted(unknown))}; it takes {takes}.")
    if what in LISTENING and (where != "*" or times is not None):
        raise ValueError(f'"{what}" is a fault of the port itself: where must be "*", and times cannot be counted.')
    if what == "status" and "status" not in options:
        raise ValueError('The fault "status" needs status=…')
    starts, ends = _span(between, now)
    own = {key: value for key, value in options.items() if key not in _COMMON}
    common = {key: value for key, value in options.items() if key in _COMMON}
    return Fault(where, what, own, times, starts, ends, **common)


def _span(between: Sequence[Any] | None, now: float) -> tuple[float, float]:
    if between is None:
        return float("-inf"), float("inf")
    first, last = between
    if isinstance(first, datetime) and isinstance(last, datetime):
        return first.timestamp(), last.timestamp()
    return now + float(first), now + float(last)


def _matches(where: str, request: WireRequest, names: Collection[str]) -> bool:
    if where == "*" or where in names:
        return True
    method, space, pattern = where.partition(" ")
    if space:
        if method != request.method:
            return False
    else:
        pattern = where
    return pattern.startswith("/") and (
        fnmatch.fnmatchcase(request.path, pattern) or fnmatch.fnmatchcase(request.target, pattern)
    )


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds; checked by the caller
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() in {".yaml", ".yml"}:
        try:
            import yaml
        except ModuleNotFoundError:
            raise ValueError(
                f"{path} is YAML and PyYAML is not installed: pip install 'ramrole-creds[yaml]', or write it as JSON."
            ) from None
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML: {error}") from error
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
