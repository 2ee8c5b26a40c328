"""An HTTP request and its answer, as they are on the wire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

MAX_FORM_BYTES = 1024 * 1024
MAX_FORM_PARAMETERS = 10_000

Headers = tuple[tuple[str, str], ...]


def _first(headers: Headers, name: str) -> str | None:
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request exactly as it was received.

    Args:
        method: the method, as sent.
        target: the raw request target, still percent-encoded, with its query ("/a%20b?x=1").
        headers: name and value pairs in the order received, case kept, decoded as Latin-1.
        body: the body, transfer encoding removed.
        at: Unix time of arrival by the fake cloud's clock.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    at: float = 0.0

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when it is absent."""
        return _first(self.headers, name)

    @property
    def path(self) -> str:
        """The raw path: the target up to "?"."""
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """The raw query after "?"; empty when there is none."""
        return self.target.partition("?")[2]

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded pairs of the query, blank values kept."""
        return tuple(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def has_long_form(self) -> bool:
        """True for a form that is longer than any call. It is not read: decoding it would take minutes."""
        return self._is_form and self._is_long

    @property
    def _is_form(self) -> bool:
        return "x-www-form-urlencoded" in (self.header("Content-Type") or "").lower()

    @property
    def _is_long(self) -> bool:
        return len(self.body) > MAX_FORM_BYTES or self.body.count(b"&") > MAX_FORM_PARAMETERS

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The decoded pairs of a form body; empty when the body is not a form, or is a long one."""
        if not self._is_form or self._is_long:
            return ()
        return tuple(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def parameters(self) -> dict[str, str]:
        """Query and form together by name, as RPC-style APIs take them; the form wins."""
        return dict(self.query + self.form)


@dataclass(frozen=True, slots=True)
class WireResponse:
    """An answer before it is put on the wire; `Date`, `Content-Length` and `Connection` are added by the server.

    Args:
        status: the status code.
        headers: name and value pairs, in the order to send.
        body: the body.
        reason: the reason phrase; empty for the usual one of the status.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    reason: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when it is absent."""
        return _first(self.headers, name)

    def with_header(self, name: str, value: str) -> WireResponse:
        """The same answer with a header set."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=(*others, (name, value)))
