"""Which fault affects which requests, when and how often.

Faults that only modify an answer combine with others; of those that replace the answer the first that matches is
applied. `kinds.py` has the kinds of faults.
"""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramrole_creds._files import read_regular_file
from ramrole_creds.errors import install_command
from ramrole_creds.testing.faults.fault_kind import FaultKind, Modifier, PortFault, Replacement
from ramrole_creds.testing.faults.kinds import KINDS, Status
from ramrole_creds.testing.faults.options import TEXT, Rule, integer, is_text, number, option, or_none, require_rules
from ramrole_creds.testing.patterns import ANY_REQUEST, matches, require_place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.server.http_server import Listening
    from ramrole_creds.testing.server.messages import WireRequest

MAX_SCRIPT_BYTES = 16 * 1024 * 1024
PLACE = Rule("a name or a path pattern", lambda value: is_text(value) and bool(value))
PLACEMENT = ("where", "what", "times", "between", "skip", "probability", "label")


@dataclass(eq=False, slots=True)
class Fault:
    """One fault of a script.

    Args:
        where: the requests that it affects.
        kind: what it does.
        times: number of requests that it affects, None for all.
        starts: Unix time from which on it is active.
        ends: Unix time at which it ends.
        skip: number of matching requests that it does not affect at first.
        probability: with which it affects a matching request.
        label: its name in the request log.
        played: number of requests that it has affected.
    """

    where: str = field(metadata={"rule": PLACE})
    kind: FaultKind
    times: int | None = option(or_none(integer(1)), None)
    starts: float = -math.inf
    ends: float = math.inf
    skip: int = option(integer(0), 0)
    probability: float = option(number(0, 1), 1.0)
    label: str = option(TEXT, "")
    played: int = 0

    def __post_init__(self) -> None:
        require_rules(self)
        require_place(self.where)
        if self.is_port_fault and (self.where != ANY_REQUEST or self.times is not None):
            raise ValueError(
                f'The fault {self.what!r} is about the port itself: where must be "*", and times cannot be counted.'
            )

    @property
    def what(self) -> str:
        """The name of its kind."""
        return self.kind.what

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of its kind that differ from their defaults."""
        return self.kind.options

    @property
    def is_port_fault(self) -> bool:
        """True for a fault of the port itself."""
        return isinstance(self.kind, PortFault)

    def is_active(self, at: float) -> bool:
        """True while its time has come and it has not been used up."""
        return self.starts <= at < self.ends and (self.times is None or self.played < self.times)

    def strikes(self, chance: random.Random) -> bool:
        """Decide by `skip` and `probability` whether the fault affects a matching request, and count it if it does."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1 and chance.random() >= self.probability:
            return False
        self.played += 1
        return True

    def __str__(self) -> str:
        return self.label or str(self.kind)


@dataclass(frozen=True, slots=True)
class MatchedFaults:
    """The faults that affect one request."""

    modifiers: tuple[Modifier, ...] = ()
    replacement: Replacement | None = None
    text: str = ""

    def __str__(self) -> str:
        return self.text


NOTHING = MatchedFaults()


@dataclass(slots=True)
class Faults:
    """The script of faults of one fake cloud; safe for many threads.

    Args:
        clock: the clock by which `between` counts.
        on_change: called after each change, and when a fault of the port begins or ends.
        seed: makes `probability` and `jitter` reproducible.
    """

    clock: Clock
    on_change: Callable[[], object] = lambda: None
    seed: int | str = 0
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _faults and the counts of each
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # reproducible on purpose

    def add(
        self,
        where: str,
        what: str | int | FaultKind,
        times: int | None = None,
        between: Sequence[float] | Sequence[datetime] | None = None,
        *,
        skip: int = 0,
        probability: float = 1.0,
        label: str = "",
        **options: object,
    ) -> Fault:
        """Add a fault.

        Args:
            where: "token", "role", "credentials", "item", "metadata" (all four), a service's name ("sts", "ram",
                "ecs", "oss" …), an action ("AssumeRole"), "*" for everything, or a pattern of the path, with or
                without a method before it (`/latest/meta-data/*`, "PUT /latest/api/token").
            what: an HTTP status, the name of a kind ("reset", "drip" …, see the manual), or a `FaultKind`.
            times: number of requests that it affects; None for every one.
            between: when: two numbers, seconds from now by the cloud's clock, or two aware datetimes.
            skip: number of requests that it does not affect at first.
            probability: affect a request with this probability.
            label: its name in the request log.
            **options: the options of the kind.

        Returns:
            The fault; its `played` is the number of requests that it has affected.

        Raises:
            TypeError: the kind has no such option, or one is missing.
            ValueError: there is no such kind, or a value does not fit.
        """
        kind = what if isinstance(what, FaultKind) and not options else make_kind(what, options)
        fault = Fault(where, kind, times, *_span(between, self.clock.time()), skip, probability, label)
        self._take([fault])
        return fault

    def add_all(self, entries: object) -> list[Fault]:
        """Add every fault of a list, or none where one of them is wrong.

        Args:
            entries: a list of mappings with the arguments of `add`.

        Raises:
            ValueError: an entry is wrong; the text says which, and why.
        """
        if not isinstance(entries, Sequence) or isinstance(entries, (str, bytes)):
            message = f"A script must be a list of faults, not {type(entries).__name__}."
            raise ValueError(message)  # noqa: TRY004  # the content of a file is a value
        now = self.clock.time()
        added = [_entry(number, entry, now) for number, entry in enumerate(entries, 1)]
        self._take(added)
        return added

    def load(self, script: str | Path | Sequence[Mapping[str, Any]]) -> list[Fault]:
        """Add every fault of a script, or none where one of them is wrong.

        Args:
            script: a list of mappings with the arguments of `add`, or the path of a JSON or (with PyYAML installed)
                YAML file that holds such a list, by itself or under the key "faults".

        Raises:
            OSError: the file cannot be read.
            ValueError: the script is wrong, or it is YAML and PyYAML is not installed.
        """
        entries = _read(Path(script)) if isinstance(script, (str, Path)) else script
        if isinstance(entries, Mapping):
            if "faults" not in entries:
                raise ValueError('A script must be a list of faults, by itself or under the key "faults".')
            entries = entries["faults"]
        return self.add_all(entries)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()
        self.on_change()

    def remove(self, fault: Fault) -> None:
        """Remove one fault; no effect where it is not in the script."""
        with self._lock:
            if fault in self._faults:
                self._faults.remove(fault)
        self.on_change()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def match(self, request: WireRequest, names: Collection[str]) -> MatchedFaults:
        """The faults that affect this request; counts the request for them.

        Args:
            request: the request.
            names: its service, step and action.
        """
        now = self.clock.time()
        with self._lock:
            struck = list(self._struck(request, names, now))
        kinds = [one.kind for one in struck]
        modifiers = tuple(one for one in kinds if isinstance(one, Modifier))
        replacement = next((one for one in kinds if isinstance(one, Replacement)), None)
        return MatchedFaults(modifiers, replacement, " + ".join(map(str, struck)))

    def _struck(self, request: WireRequest, names: Collection[str], now: float) -> Iterator[Fault]:
        replaced = False
        for fault in self._faults:
            replaces = isinstance(fault.kind, Replacement)
            if fault.is_port_fault or (replaces and replaced):
                continue
            if fault.is_active(now) and matches(fault.where, request, names) and fault.strikes(self._random):
                replaced = replaced or replaces
                yield fault

    def latency(self, matched: MatchedFaults) -> float:
        """Real seconds to wait before the answer is sent."""
        return sum(modifier.delay(self._random) for modifier in matched.modifiers)

    def listening(self) -> Listening:
        """The state of the port that the faults ask for now: "open", "refuse" or "blackhole"."""
        now = self.clock.time()
        with self._lock:
            states = {one.kind.state for one in self._faults if isinstance(one.kind, PortFault) and one.is_active(now)}
        return "refuse" if "refuse" in states else "blackhole" if "blackhole" in states else "open"

    def next_change(self) -> float | None:
        """Unix time at which a fault of the port begins or ends next; None where none does."""
        now = self.clock.time()
        with self._lock:
            edges = [edge for one in self._faults if one.is_port_fault for edge in (one.starts, one.ends)]
        return min((edge for edge in edges if now < edge < math.inf), default=None)

    def _take(self, faults: Sequence[Fault]) -> None:
        with self._lock:
            self._faults.extend(faults)
        for fault in faults:
            self._watch(fault)
        self.on_change()

    def _watch(self, fault: Fault) -> None:
        call_at = getattr(self.clock, "call_at", None)
        if not fault.is_port_fault or call_at is None:
            return
        ahead = self.clock.monotonic() - self.clock.time()
        for edge in (fault.starts, fault.ends):
            if self.clock.time() < edge < math.inf:
                call_at(edge + ahead, lambda: (self.on_change(), None)[1])


def make_kind(what: object, options: Mapping[str, object]) -> FaultKind:
    """A fault's kind from its name, or from an HTTP status.

    Raises:
        TypeError: the kind has no such option, or one is missing.
        ValueError: there is no such kind, or a value does not fit.
    """
    if _is_status(what):
        what, options = Status.what, {"status": int(str(what)), **options}
    kind = KINDS.get(what) if isinstance(what, str) else None
    if kind is None:
        raise ValueError(f"There is no fault {what!r}. Use an HTTP status, or one of {', '.join(sorted(KINDS))}.")
    _require_known(kind, options)
    make: Callable[..., FaultKind] = kind
    return make(**options)


def _is_status(what: object) -> bool:
    is_number = isinstance(what, int) and not isinstance(what, bool)
    return is_number or (isinstance(what, str) and what.isdecimal() and len(what) == 3)


def _require_known(kind: type[FaultKind], options: Mapping[str, object]) -> None:
    known = [one.name for one in fields(kind)]
    unknown = [name for name in options if name not in known]
    if unknown:
        own = f" It takes {', '.join(known)}." if known else ""
        raise TypeError(
            f"The fault {kind.what!r} has no option {', '.join(map(repr, unknown))}.{own} "
            f"Every fault takes {', '.join(PLACEMENT)}."
        )
    missing = [one.name for one in fields(kind) if one.default is MISSING and one.name not in options]
    if missing:
        raise TypeError(f"The fault {kind.what!r} needs the option {', '.join(missing)}.")


def _entry(number: int, entry: object, now: float) -> Fault:
    """The fault that one entry of a script describes."""
    if not isinstance(entry, Mapping) or "where" not in entry or "what" not in entry:
        raise ValueError(f'Fault {number} of the script must be a mapping with "where" and "what".')
    given = dict(entry)
    where, what, between = given.pop("where"), given.pop("what"), given.pop("between", None)
    try:
        placing = {name: given.pop(name) for name in PLACEMENT if name in given}
        starts, ends = _span(between, now)
        return Fault(where, make_kind(what, given), starts=starts, ends=ends, **placing)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Fault {number} of the script: {error}") from None


def _span(between: object, now: float) -> tuple[float, float]:
    if between is None:
        return -math.inf, math.inf
    if not isinstance(between, Sequence) or isinstance(between, (str, bytes)) or len(between) != 2:
        raise ValueError(f"between must be two moments, from and to, not {between!r}.")
    first, last = (_moment(one, now) for one in between)
    if not first < last:
        raise ValueError(f"between must end after it begins, unlike {between!r}.")
    return first, last


def _moment(value: object, now: float) -> float:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
        return now + value
    raise ValueError(f"between takes seconds from now or aware datetimes, not {value!r}.")


def _read(path: Path) -> Any:  # noqa: ANN401  # the content of a file; the caller checks it
    text = read_regular_file(path, MAX_SCRIPT_BYTES).decode()
    if path.suffix.lower() not in {".yaml", ".yml"}:
        return _loaded(path, "JSON", json.loads, text, ValueError)
    try:
        import yaml
    except ModuleNotFoundError:
        raise ValueError(
            f"{path} is YAML and PyYAML is not installed. Install it: {install_command('yaml')}. Or write JSON."
        ) from None
    return _loaded(path, "YAML", yaml.safe_load, text, yaml.YAMLError)


def _loaded(path: Path, kind: str, load: Callable[[str], Any], text: str, error: type[Exception]) -> Any:  # noqa: ANN401  # as above
    try:
        return load(text)
    except (error, RecursionError) as wrong:
        raise ValueError(f"{path} is not valid {kind}: {wrong}") from wrong
