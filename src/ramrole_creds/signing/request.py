"""The request to sign: immutable, and byte for byte what goes on the wire."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from ramrole_creds._http.urls import InvalidUrlError, Url, parse_authority
from ramrole_creds._tracebacks import clear_locals
from ramrole_creds.errors import SigningError
from ramrole_creds.signing._percent import encode
from ramrole_creds.signing.body import as_body

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from ramrole_creds.signing.body import Body, BodyLike

if TYPE_CHECKING:
    Headers: TypeAlias = tuple[tuple[str, str], ...]
    Lowered: TypeAlias = tuple[tuple[str, tuple[str, str]], ...]
    HeadersLike: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
    ParamsLike: TypeAlias = Mapping[str, str | int | None] | Iterable[tuple[str, str | int | None]]

_split_url = re.compile(r"(?i)(https?)://([^/?#\\]*)(/[^?#]*)?(?:\?([^#]*))?(?:#.*)?", re.DOTALL).fullmatch
_is_method = re.compile(r"[A-Z][A-Z0-9_-]*").fullmatch
_is_header_name = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_header_value = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*").fullmatch
_fold = re.compile(r"\r?\n[ \t]+")
# Every character that RFC 3986 does not allow in paths and queries, and a % that does not begin an escape.
_illegal_in_url = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]]|%(?![0-9A-Fa-f]{2})")


class Request:
    """An HTTP request, immutable.

    What is signed is what is sent. So the URL gets the form that it has on the wire: characters that a URL cannot
    contain are percent-encoded, existing escapes stay, a `+` in the query becomes `%20`, as every service reads it, an
    empty path becomes `/`, the fragment is dropped. Paths are not normalised, since dots, double and trailing slashes
    are part of an OSS key. Header values are trimmed and unfolded, as HTTP does.

    Args:
        method: the HTTP method, in any case.
        url: absolute http or https URL, with or without a query.
        headers: pairs or a mapping; names may repeat.
        params: decoded pairs or a mapping, added to the query percent-encoded; None as a value gives a bare name.
        body: bytes, text (sent as UTF-8), a binary file, or an iterable of bytes.

    Raises:
        SigningError: HTTP cannot send one of the arguments as it is.
    """

    __slots__ = ("_lowered", "body", "headers", "host", "method", "path", "query", "scheme", "url")

    method: str
    url: str
    """The exact URL that goes on the wire."""
    headers: Headers
    body: Body | None
    """The body; for a file or an iterable, the object itself."""
    scheme: str
    """`http` or `https`."""
    host: str
    """Host and port as in the Host header, in lower case, without the default port of the scheme."""
    path: str
    """The path as it goes on the wire, encoded; never empty."""
    _lowered: Lowered
    query: str
    """The query as it goes on the wire, encoded, without `?`."""

    def __init__(
        self, method: str, url: str, headers: HeadersLike = (), params: ParamsLike = (), body: BodyLike | None = None
    ) -> None:
        try:
            scheme, host, path, query = _take_apart(url)
            if params:
                query = _join_queries(query, _encode_params(params))
            _set_method(self, _checked_method(method))
            _set_scheme(self, scheme)
            _set_host(self, host)
            _set_path(self, path)
            _set_query(self, query)
            _set_url(self, _url_of(scheme, host, path, query))
            _set_headers(self, _checked_headers(headers))
            _set_body(self, as_body(body))
        except BaseException as error:
            # A traceback may show the variables of this frame.
            method = url = path = query = ""
            headers, params, body = (), (), None
            clear_locals(error)
            raise

    def header(self, name: str) -> str | None:
        """The value of a header, or None. Case does not matter, and a comma joins repeated headers."""
        wanted = name.lower()
        values = [value for given, value in self.headers if given.lower() == wanted]
        return ", ".join(values) if values else None

    def lowered(self) -> Lowered:
        """The headers, each after its lower-case name; computed when a scheme first asks."""
        try:
            return self._lowered
        except AttributeError:
            lowered = tuple([(pair[0].lower(), pair) for pair in self.headers])
            _set_lowered(self, lowered)
            return lowered

    def with_headers(self, headers: Headers, query: str | None = None) -> Request:
        """The same request with other headers, and with another encoded query if one is given; nothing is checked."""
        copy = _new(Request)
        _set_method(copy, self.method)
        _set_scheme(copy, self.scheme)
        _set_host(copy, self.host)
        _set_path(copy, self.path)
        if query is None or query == self.query:
            _set_query(copy, self.query)
            _set_url(copy, self.url)
        else:
            _set_query(copy, query)
            _set_url(copy, _url_of(self.scheme, self.host, self.path, query))
        _set_headers(copy, headers)
        _set_body(copy, self.body)
        return copy

    def with_path(self, path: str) -> Request:
        """The same request with another encoded path; nothing is checked."""
        copy = self.with_headers(self.headers)
        _set_path(copy, path)
        _set_url(copy, _url_of(self.scheme, self.host, path, self.query))
        return copy

    def with_body(self, body: bytes) -> Request:
        """The same request with another body; nothing is checked."""
        copy = self.with_headers(self.headers)
        _set_body(copy, body)
        return copy

    def __setattr__(self, name: str, value: object) -> NoReturn:
        del value  # the traceback shows this frame
        raise AttributeError(f"A Request is immutable: {name!r} cannot be set. Create a new one.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"A Request is immutable: {name!r} cannot be deleted.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return self._value() == other._value()

    def __hash__(self) -> int:
        return hash((self.method, self.url, self.headers))

    def __reduce__(self) -> tuple[type[Request], tuple[object, ...]]:
        return Request, (self.method, self.url, self.headers, (), self.body)

    def __repr__(self) -> str:
        """Names only, because the headers and parameters of a signed request contain its token and signature."""
        if not hasattr(self, "body"):  # a traceback shows it before the constructor has filled it
            return "<Request without values>"
        names = "&".join(f"{pair.partition('=')[0]}=…" for pair in self.query.split("&")) if self.query else ""
        url = f"{self.scheme}://{self.host}{self.path}{'?' if names else ''}{names}"
        headers = ", ".join(name for name, _ in self.headers)
        body = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else type(self.body).__name__
        return f"Request({self.method!r}, {url!r}, headers=[{headers}], body={'None' if self.body is None else body})"

    def _value(self) -> tuple[object, ...]:
        return self.method, self.url, self.headers, self.body


_new = object.__new__

# The setters of the slots, past the refusal of __setattr__; only this module uses them.
_set_method = Request.__dict__["method"].__set__
_set_scheme = Request.__dict__["scheme"].__set__
_set_host = Request.__dict__["host"].__set__
_set_path = Request.__dict__["path"].__set__
_set_query = Request.__dict__["query"].__set__
_set_url = Request.__dict__["url"].__set__
_set_headers = Request.__dict__["headers"].__set__
_set_body = Request.__dict__["body"].__set__
_set_lowered = Request.__dict__["_lowered"].__set__


def _url_of(scheme: str, host: str, path: str, query: str) -> str:
    return f"{scheme}://{host}{path}?{query}" if query else f"{scheme}://{host}{path}"


def _checked_method(method: object) -> str:
    upper = method.upper() if isinstance(method, str) else ""
    if not _is_method(upper):
        raise SigningError(f"The HTTP method must be a word such as 'GET', not {method!r}.")
    return upper


def _take_apart(url: object) -> tuple[str, str, str, str]:
    parts = _split_url(url) if isinstance(url, str) else None
    if parts is None:
        raise SigningError(
            "The URL of a request must be absolute, as in https://host/path: a scheme of http or https, a host, and a "
            "path that begins with a slash."
        )
    scheme, authority, path, query = parts.groups()
    scheme = scheme.lower()
    if query and "+" in query:
        query = query.replace("+", "%20")
    return scheme, _wire_host(scheme, authority), _wire_text(path or "/"), _wire_text(query) if query else ""


@functools.lru_cache(maxsize=256)
def _wire_host(scheme: str, authority: str) -> str:
    if "@" in authority:
        raise SigningError(
            "The URL has user information before its host, but a signed request authenticates by its signature. Remove "
            "everything up to the '@' from the URL."
        )
    try:
        host, port = parse_authority(authority)
    except InvalidUrlError as error:
        problem = f"The URL of a request is not valid: {error}. Correct it."
    else:
        return Url(scheme, host, port).authority
    raise SigningError(problem)


def _wire_text(text: str) -> str:
    if _illegal_in_url.search(text) is None:
        return text
    return _illegal_in_url.sub(lambda match: encode(_encodable(match.group(), "URL")), text)


def _encode_params(params: ParamsLike) -> str:
    try:
        return "&".join(
            [
                f"{encode(name)}={encode(value)}" if isinstance(value, str) else _encode_other(name, value)
                for name, value in (params.items() if isinstance(params, Mapping) else params)
            ]
        )
    except UnicodeEncodeError:
        problem = "A parameter contains a lone surrogate, which has no bytes to send."
    except (AttributeError, TypeError, ValueError):
        problem = "Parameters are pairs of name and value, both text, or a mapping of them."
    raise SigningError(problem)  # outside of the handlers: their errors hold the parameters


def _encode_other(name: str, value: object) -> str:
    if value is None:
        return encode(name)
    if isinstance(value, int):
        return f"{encode(name)}={encode(str(value))}"
    raise SigningError(
        f"The value of the parameter {name!r} is a {type(value).__name__}. Pass text or a whole number; write a list "
        "as Name.1, Name.2 for the OpenAPI, as repeated names elsewhere."
    )


def _join_queries(first: str, second: str) -> str:
    return f"{first}&{second}" if first and second else first or second


def _checked_headers(headers: HeadersLike) -> Headers:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    checked = []
    for name, given in pairs:
        if name not in _KNOWN_NAMES and not (isinstance(name, str) and _is_header_name(name)):
            raise SigningError(f"{name!r} is not a valid name of an HTTP header.")
        if not isinstance(given, str):
            raise SigningError(f"The value of the header {name} must be text, not {type(given).__name__}.")
        value = given
        if not (value.isascii() and value.isprintable()):
            value = _checked_value(name, value)
        checked.append((name, value.strip(" \t")))
    return tuple(checked)


def _checked_value(name: str, given: str) -> str:
    value = given if _is_header_value(given) else _fold.sub(" ", given)
    if not _is_header_value(value):
        raise SigningError(f"The value of the header {name} contains a line break or a control character.")
    return _encodable(value, f"header {name}")


# Names whose characters need no check; most headers of most requests.
_KNOWN_NAMES = frozenset(
    name
    for lower in (
        *("accept", "accept-encoding", "authorization", "connection", "content-length", "content-md5", "content-type"),
        *("date", "host", "range", "user-agent"),
        *("x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"),
        *("x-acs-security-token", "x-log-apiversion", "x-log-bodyrawsize", "x-mns-version", "x-oss-meta-a"),
    )
    for name in (lower, lower.title())
)


def _encodable(text: str, what: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise SigningError(f"The {what} contains a lone surrogate, which has no bytes to send.")
    return text
