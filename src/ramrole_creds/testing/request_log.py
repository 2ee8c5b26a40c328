"""The requests that the fake cloud received, and the assertions that tests make about them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, overload

from ramrole_creds.testing.masking import leaked_marker, mask_header, mask_text
from ramrole_creds.testing.patterns import matches, require_place

if TYPE_CHECKING:
    import pytest

    from ramrole_creds.testing.server.messages import WireRequest

PROXY_HEADERS = ("Via", "X-Forwarded-For", "Forwarded", "Proxy-Authorization", "Proxy-Connection")
MAX_ENTRIES = 50_000
MAX_LOG_BYTES = 64 * 1024 * 1024
MAX_KEPT_BODY_BYTES = 64 * 1024  # of a request whose body is dropped last, when the log is full
SHOWN_REQUESTS = 60
SHOWN_ACTION_CHARACTERS = 60


def __tracebackhide__(failure: pytest.ExceptionInfo[BaseException]) -> bool:  # noqa: N807  # pytest's name
    """True for a failed assertion: pytest shows it at the line of the test."""
    return isinstance(failure.value, AssertionError)


@dataclass(eq=False, slots=True, repr=False)
class RecordedRequest:
    """One request and its outcome.

    Args:
        request: the request as it was on the wire.
        connection: the number of its connection.
        service: "metadata", "sts", "oss" …; "" where no service recognised it.
        step: the step of a metadata request: "token", "role", "credentials" or "item".
        access_key_id: the key that signed it, None for an unsigned request.
        fault: the faults that affected it, in words.
        number: 1 for the first request.
        status: the status of the answer, None before it is sent.
        over: True once it is answered.
        body_dropped: True where the log was full: `request` has no body then.
    """

    request: WireRequest
    connection: int = 0
    service: str = ""
    step: str = ""
    access_key_id: str | None = None
    fault: str = ""
    number: int = 0
    status: int | None = None
    over: bool = False
    body_dropped: bool = False

    @property
    def size(self) -> int:
        """Its bytes in the log."""
        head = sum(len(name) + len(value) for name, value in self.request.headers)
        return len(self.request.target) + head + len(self.request.body)

    def drop_body(self) -> None:
        """Keep the rest without the body."""
        self.request = replace(self.request, body=b"")
        self.body_dropped = True

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def path(self) -> str:
        """The raw path."""
        return self.request.path

    @property
    def at(self) -> float:
        """Unix time of arrival by the cloud's clock."""
        return self.request.at

    def header(self, name: str) -> str | None:
        """A request header."""
        return self.request.header(name)

    @property
    def action(self) -> str:
        """The action of an OpenAPI call; "" for other requests."""
        if self.service == "metadata":
            return ""
        return self.header("x-acs-action") or self.request.parameters.get("Action", "")

    @property
    def has_static_key(self) -> bool:
        """True when a long-term key signed it, not an STS or session key."""
        return self.access_key_id is not None and not self.access_key_id.startswith(("STS.", "TMPSK."))

    @property
    def names(self) -> frozenset[str]:
        """The names by which faults and assertions find it: service, step and action."""
        return frozenset({self.service, self.step, self.action})

    def matches(self, where: str) -> bool:
        """True for a step, a service, an action, "*", or a path pattern with or without a method before it."""
        return matches(where, self.request, self.names)

    def __repr__(self) -> str:
        moment = datetime.fromtimestamp(self.at, timezone.utc).strftime("%H:%M:%S")
        status = "no answer" if self.status is None else str(self.status)
        signed = f" by {self.access_key_id}" if self.access_key_id else ""
        fault = f" [{self.fault}]" if self.fault else ""
        action = mask_text(self.action)[:SHOWN_ACTION_CHARACTERS]
        what = self.step or f"{self.service or '?'} {action if action.isprintable() else '?'}".strip()
        return (
            f"#{self.number} {moment} {what}: {self.method} {mask_text(self.request.target)}{signed} → {status}{fault}"
        )


@dataclass(slots=True)
class RequestLog(Sequence[RecordedRequest]):
    """The requests in the order of arrival; safe for many threads.

    It keeps the last 40,000 requests at least, in at most 64 MiB: then it drops large bodies, and after them the oldest
    requests. Its `str` is a table without secrets.
    """

    _entries: list[RecordedRequest] = field(default_factory=list)
    _large: deque[RecordedRequest] = field(default_factory=deque)
    _bytes: int = 0
    _numbers: int = 0
    _at_once: int = 0
    max_concurrency: int = 0
    """The largest number of requests that were being answered at one time."""

    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards all of the above

    def begin(self, entry: RecordedRequest) -> None:
        """Record a request that has arrived; it is in the log before its answer is on the wire."""
        with self._lock:
            self._numbers += 1
            entry.number = self._numbers
            self._entries.append(entry)
            self._bytes += entry.size
            if len(entry.request.body) > MAX_KEPT_BODY_BYTES:
                self._large.append(entry)
            if len(self._entries) > MAX_ENTRIES:  # a cloud that runs for weeks, or a benchmark
                self._remove_oldest(MAX_ENTRIES // 5)
            self._make_room()
            self._at_once += 1
            self.max_concurrency = max(self.max_concurrency, self._at_once)

    def finish(self, entry: RecordedRequest) -> None:
        """Record that a request is answered; may be called again for the same one."""
        with self._lock:
            self._at_once -= not entry.over
            entry.over = True

    def clear(self) -> None:
        """Remove all requests from the log."""
        with self._lock:
            self._entries.clear()
            self._large.clear()
            self._bytes = 0
            self.max_concurrency = self._at_once

    def _make_room(self) -> None:
        while self._bytes > MAX_LOG_BYTES and self._large:
            large = self._large.popleft()
            self._bytes -= len(large.request.body)
            large.drop_body()
        while self._bytes > MAX_LOG_BYTES:
            self._remove_oldest(max(1, len(self._entries) // 5))

    def _remove_oldest(self, count: int) -> None:
        removed = self._entries[:count]
        del self._entries[:count]
        self._bytes -= sum(one.size for one in removed)
        while self._large and self._large[0].number < (self._entries[0].number if self._entries else self._numbers + 1):
            self._large.popleft()

    def to(self, where: str) -> list[RecordedRequest]:
        """The requests that match a step, a service, or a path pattern."""
        require_place(where)
        return [one for one in list(self._entries) if one.matches(where)]

    def counts(self) -> dict[str, int]:
        """How many requests each step or service got."""
        return dict(Counter(one.step or one.service or "?" for one in list(self._entries)))

    def assert_called(self, where: str, times: int | None = None, **expected: object) -> list[RecordedRequest]:
        """Assert that requests were made.

        Args:
            where: step, service, action, or path pattern.
            times: how many; None for at least one.
            **expected: attributes that each must have: `status=200`, `method="PUT"`, or a header's name with
                underscores: `user_agent="…"`.

        Returns:
            The requests.
        """
        found = [one for one in self.to(where) if all(_has(one, name, value) for name, value in expected.items())]
        wanted = "at least 1" if times is None else str(times)
        if (times is None and not found) or (times is not None and len(found) != times):
            more = "".join(f", {name}={value!r}" for name, value in expected.items())
            self._fail(f"expected {wanted} request(s) to {where!r}{more}, got {len(found)}")
        return found

    def assert_called_once(self, where: str, **expected: object) -> RecordedRequest:
        """Assert that exactly one request was made; returns it."""
        return self.assert_called(where, 1, **expected)[0]

    def assert_not_called(self, where: str = "*") -> None:
        """Assert that no request was made."""
        self.assert_called(where, 0)

    def assert_no_static_keys(self) -> None:
        """Assert that nothing was signed with a long-term AccessKey."""
        self._none(lambda one: one.has_static_key, "signed with a long-term AccessKey; only role credentials should be")

    def assert_no_tokenless_metadata(self) -> None:
        """Assert that all metadata was read with a session token (hardened mode)."""
        self._none(
            lambda one: (
                one.service == "metadata" and one.step != "token" and one.header("X-aliyun-ecs-metadata-token") is None
            ),
            "without a session token (normal mode)",
        )

    def assert_no_proxy_headers(self) -> None:
        """Assert that nothing came through a proxy."""
        self._none(lambda one: any(one.header(name) is not None for name in PROXY_HEADERS), "with a proxy's headers")

    def assert_token_reused(self) -> None:
        """Assert that one session token served more than one metadata request, and no two were fetched needlessly."""
        tokens = [one for one in self.to("token") if one.status == 200]
        used = [one for one in self.to("metadata") if one.step != "token" and one.status != 401]
        if len(tokens) != 1 or len(used) < 2:
            self._fail(f"expected one token for several requests, got {len(tokens)} for {len(used)}")

    def _none(self, wrong: Callable[[RecordedRequest], bool], how: str) -> None:
        found = [one for one in list(self._entries) if wrong(one)]
        if found:
            self._fail(f"{len(found)} request(s) came {how}: {', '.join(f'#{one.number}' for one in found[:10])}")

    def _fail(self, why: str) -> None:
        raise AssertionError(f"{why}\n\n{self}")

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecordedRequest]: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | list[RecordedRequest]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(list(self._entries))

    def __str__(self) -> str:
        entries = list(self._entries)
        if not entries:
            return "The fake cloud received no request."
        lines = [f"The fake cloud received {len(entries)} request(s):"]
        if len(entries) > SHOWN_REQUESTS:
            lines.append(f"  … {len(entries) - SHOWN_REQUESTS} earlier ones …")
        return "\n".join([*lines, *(f"  {one!r}" for one in entries[-SHOWN_REQUESTS:])])

    def __repr__(self) -> str:
        return f"<RequestLog of {len(self._entries)} requests>"


class RequestAssertions:
    """The assertions about `requests` that tests make most, for an object that has such a log."""

    requests: RequestLog
    """The log of all requests."""

    def assert_called(self, where: str, times: int | None = None, **expected: object) -> list[RecordedRequest]:
        """Assert that requests were made; see `RequestLog.assert_called`."""
        return self.requests.assert_called(where, times, **expected)

    def assert_called_once(self, where: str, **expected: object) -> RecordedRequest:
        """Assert that exactly one request was made; returns it."""
        return self.requests.assert_called_once(where, **expected)

    def assert_not_called(self, where: str = "*") -> None:
        """Assert that no request was made."""
        self.requests.assert_not_called(where)

    def assert_no_static_keys(self) -> None:
        """Assert that no request was signed with a long-term AccessKey."""
        self.requests.assert_no_static_keys()


def describe_headers(entry: RecordedRequest) -> str:
    """The request's headers, one a line, without secrets."""
    return "\n".join(f"{name}: {mask_header(name, value)}" for name, value in entry.request.headers)


def assert_no_secret_in(*texts: str) -> None:
    """Assert that no text (captured output, logs, errors) contains a secret or token of the fake cloud."""
    for text in texts:
        leak = leaked_marker(text)
        if leak is not None:
            raise AssertionError(f"The text contains a secret of the fake cloud: {leak}")


def _has(entry: RecordedRequest, name: str, value: object) -> bool:
    if hasattr(type(entry), name) or name in entry.__dataclass_fields__:
        return bool(getattr(entry, name) == value)
    return entry.header(name.replace("_", "-")) == value
