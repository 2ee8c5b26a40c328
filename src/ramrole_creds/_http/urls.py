r"""The one parser of URLs: the host that is judged is the host that is connected to.

Every URL of a user, a variable, a file, a redirect or a service is judged here. URL parsers differ: for
`http://good\@evil/`, some read the host `good` and others connect to `evil`. What urllib.parse, urllib3, yarl and
httpx could read differently is refused, so the rest means the same to all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv6Address

MAX_HOST_CHARACTERS = 253
MAX_PORT = 65535
DEFAULT_PORTS: dict[str, int] = {"http": 80, "https": 443}
PROXY_SCHEMES: frozenset[str] = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})

_SPLIT = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:%-]*@")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_PROXY = re.compile(r"(?:([A-Za-z][A-Za-z0-9]*)://)?([^/?#\\]*)/?")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
# A host whose last label is a number is an address to some programs: 127.1, 0x7f.0.0.1, 2130706433.
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_NUMBER = re.compile(r"[0-9]+|0[Xx][0-9A-Fa-f]*")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f]")


class InvalidUrlError(ValueError):
    """A text is not a URL, or URL parsers disagree about it. The message does not show it."""


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of an http or https URL.

    Args:
        scheme: "http" or "https".
        host: lower case; an IPv6 address in its shortest form, without brackets.
        port: the port that the URL names, None if it names none.
        path: as written, "" if there is none.
        query: as written, without "?"; None if there is no "?".
        has_user: True if the URL has a user or a password before "@".
        has_fragment: True if the URL has a "#".
    """

    scheme: str
    host: str
    port: int | None
    path: str = ""
    query: str | None = None
    has_user: bool = False
    has_fragment: bool = False

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them, without the default port of the scheme."""
        return authority_of(self.host, None if self.port == DEFAULT_PORTS[self.scheme] else self.port)

    @property
    def base(self) -> str:
        """The URL without path, query and fragment."""
        return f"{self.scheme}://{self.authority}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for two URLs to lead to the same server: scheme, host and port."""
        return self.scheme, self.host.rstrip("."), self.port or DEFAULT_PORTS[self.scheme]

    @property
    def is_loopback(self) -> bool:
        """True for `localhost` and loopback addresses. Names below `localhost` may be resolved anywhere."""
        if _IPV4.fullmatch(self.host):
            return self.host.startswith("127.")
        return self.host.rstrip(".") == "localhost" or self.host == "::1"

    @property
    def is_link_local(self) -> bool:
        """True for link-local addresses, such as 169.254.1.2."""
        if _IPV4.fullmatch(self.host):
            return self.host.startswith("169.254.")
        return ":" in self.host and _ipv6(self.host).is_link_local


def parse_url(text: object) -> Url:
    """The parts of an absolute http or https URL.

    A name in other letters than ASCII must be written in Punycode (xn--…): there are several ways of encoding it.

    Raises:
        InvalidUrlError: the text is not such a URL, or URL parsers disagree about it.
    """
    if not isinstance(text, str):
        raise InvalidUrlError(f"it is {type(text).__name__}, not text")
    if _NOT_IN_A_URL.search(text) is not None:
        raise InvalidUrlError("it contains a blank or a control character")
    match = _SPLIT.fullmatch(text)
    if match is None:
        raise InvalidUrlError("it does not begin with http:// or https://")
    scheme, authority, path, query, fragment = match.groups()
    user = _USER.match(authority)
    host, port = parse_authority(authority[user.end() :] if user is not None else authority)
    return Url(scheme.lower(), host, port, path, query, user is not None, fragment is not None)


def parse_base_url(text: object) -> Url:
    """The parts of a URL that names only a server: `http://HOST[:PORT]`, perhaps with a slash at the end.

    Raises:
        InvalidUrlError: it names more, or is not such a URL.
    """
    url = parse_url(text)
    if url.has_user:
        raise InvalidUrlError("it has a user or a password before @")
    if url.path not in ("", "/") or url.query is not None or url.has_fragment:
        raise InvalidUrlError("it has a path, a query or a fragment")
    return url


def parse_authority(authority: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port` or `[address]:port`.

    Raises:
        InvalidUrlError: it is something else, or URL parsers disagree about it.
    """
    if not authority.isascii():
        raise InvalidUrlError("its host contains letters outside ASCII: write it in Punycode (xn--…)")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise InvalidUrlError("it has no valid host and port")
    host, digits = match.groups()
    port = int(digits) if digits else None
    if port is not None and not 0 < port <= MAX_PORT:
        raise InvalidUrlError(f"its port is not between 1 and {MAX_PORT}")
    return _checked_host(host.lower()), port


def authority_of(host: str, port: int | None) -> str:
    """Host and port as a URL has them; an IPv6 address gets its brackets."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def parse_proxy(text: str) -> str:
    """`scheme://host[:port]` of a proxy: without its user and password, and http where no scheme is named.

    Raises:
        InvalidUrlError: the text is not such a URL, or URL parsers disagree about it.
    """
    if _NOT_IN_A_URL.search(text) is not None:
        raise InvalidUrlError("it contains a blank or a control character")
    match = _PROXY.fullmatch(text)
    scheme = (match.group(1) or "http").lower() if match is not None else ""
    if match is None or scheme not in PROXY_SCHEMES:
        raise InvalidUrlError("it is not of the form http://HOST:PORT")
    host, port = parse_authority(match.group(2).rpartition("@")[2])
    return f"{scheme}://{authority_of(host, port)}"


def resolve_redirect(base: Url, location: object) -> Url:
    """Where a `Location` header leads.

    Raises:
        InvalidUrlError: the location is not a URL, or URL parsers disagree about it.
    """
    if not isinstance(location, str) or _NOT_IN_A_URL.search(location) is not None or "\\" in location:
        raise InvalidUrlError("it contains a blank, a control character or a backslash")
    if re.match(r"https?://", location, re.IGNORECASE):
        return parse_url(location)
    if location.startswith("//"):
        return parse_url(f"{base.scheme}:{location}")
    path, hash_sign, _ = location.partition("#")
    path, question_mark, query = path.partition("?")
    if ":" in path.partition("/")[0]:
        raise InvalidUrlError("it has another scheme than http or https")
    return Url(base.scheme, base.host, base.port, path, query if question_mark else None, has_fragment=bool(hash_sign))


def is_address(host: str) -> bool:
    """True for an IP address without brackets."""
    return ":" in host or _IPV4.fullmatch(host) is not None


def _checked_host(host: str) -> str:
    if host.startswith("["):
        return str(_ipv6(host[1:-1]))
    labels = host.removesuffix(".").split(".")
    if len(host) > MAX_HOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidUrlError("its host name is not valid")
    if _NUMBER.fullmatch(labels[-1]) and not _IPV4.fullmatch(host):
        raise InvalidUrlError("its host is not a valid IPv4 address")
    return host


def _ipv6(host: str) -> IPv6Address:
    from ipaddress import IPv6Address

    try:
        return IPv6Address(host)
    except ValueError:
        raise InvalidUrlError("its host is not a valid IPv6 address") from None
