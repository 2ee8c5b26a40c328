"""Simple Log Service: signature versions 1 and 4."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._regions import scope_region
from ramrole_creds.signing._canonical import header_lines, query_pairs, without
from ramrole_creds.signing._percent import decode, encode
from ramrole_creds.signing.body import hex_digest, is_empty, length
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

API_VERSION = "0.6.0"
ALGORITHM = "SLS4-HMAC-SHA256"


class SLSV1(Scheme):
    """Signs method, Content-MD5, Content-Type, Date, `x-log-*` and `x-acs-*` headers, path and parameters.

    `x-log-apiversion` and `x-log-bodyrawsize` are set if the caller does not set them; for a compressed body the caller
    must set the raw size.
    """

    __slots__ = ()

    name: ClassVar[str] = "SLSV1"
    covers_body: ClassVar[bool] = True
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        ("authorization", "content-md5", "date", "x-acs-security-token", "x-log-date", "x-log-signaturemethod")
    )

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its Date, `x-log-*` headers and `Authorization: LOG …`."""
        del nonce
        headers = _with_defaults(request, self.owned_headers)
        date = Instant.at(now).http
        headers.append(("x-log-signaturemethod", "hmac-sha1"))
        headers.append(("Date", date))
        if credentials.security_token:
            headers.append(("x-acs-security-token", credentials.security_token))
        if not is_empty(request.body):
            headers.append(("Content-MD5", hex_digest(request.body, "md5").upper()))
        unsigned = request.with_headers(tuple(headers))
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(self.string_to_sign(unsigned))
        headers.append(("Authorization", f"LOG {credentials.access_key_id}:{signature}"))
        # The service reads the time from either header; the official SDK sends this one unsigned.
        headers.append(("x-log-date", date))
        return unsigned.with_headers(tuple(headers))

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, the log headers, and the resource."""
        md5, kind, date = (signed.header(name) or "" for name in ("content-md5", "content-type", "date"))
        lines = header_lines(_log_headers(signed, frozenset(("x-log-date",))))
        resource = decode(signed.path)
        if signed.query:
            pairs = sorted((name, value) for name, _, value in query_pairs(signed.query))
            resource += "?" + "&".join([f"{name}={value}" for name, value in pairs])
        return f"{signed.method}\n{md5}\n{kind}\n{date}\n{lines}{resource}"

    def __repr__(self) -> str:
        return "SLSV1()"


class SLSV4(Scheme):
    """Signs method, path, parameters, Content-Type, Host, `x-log-*` and `x-acs-*` headers, and the body.

    Args:
        region: the region ID, for instance "cn-hangzhou".
    """

    __slots__ = ("_scope", "region")

    name: ClassVar[str] = "SLSV4"
    covers_body: ClassVar[bool] = True
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        ("authorization", "x-acs-security-token", "x-log-content-sha256", "x-log-date", "x-log-signaturemethod")
    )

    def __init__(self, region: str) -> None:
        self.region: str = scope_region(region)
        self._scope = f"{self.region}/sls/aliyun_v4_request"

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its `x-log-*` headers and `Authorization: SLS4-HMAC-SHA256 …`."""
        del nonce
        instant = Instant.at(now)
        headers = _with_defaults(request, self.owned_headers)
        if request.header("host") is None:
            headers.append(("Host", request.host))
        headers.append(("x-log-date", instant.basic))
        headers.append(("x-log-content-sha256", hex_digest(request.body, "sha256")))
        if credentials.security_token:
            headers.append(("x-acs-security-token", credentials.security_token))
        unsigned = request.with_headers(tuple(headers))
        key = keys.derived(credentials.access_key_secret, instant.day, self.region, "sls")
        signature = key.hex(self.string_to_sign(unsigned))
        credential = f"{credentials.access_key_id}/{instant.day}/{self._scope}"
        authorization = f"{ALGORITHM} Credential={credential},Signature={signature}"
        return unsigned.with_headers((*headers, ("Authorization", authorization)))

    def string_to_sign(self, signed: Request) -> str:
        """Algorithm, date, scope, and the hash of the canonical request."""
        date = signed.header("x-log-date") or ""
        hashed = sha256(self.canonical_request(signed).encode("utf-8", "surrogateescape")).hexdigest()
        return f"{ALGORITHM}\n{date}\n{date[:8]}/{self._scope}\n{hashed}"

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request.

        The names of parameters enter as text, as in the official SDKs for Python, Go and Java; the path as it is sent.
        """
        headers = _log_headers(signed, frozenset(), "content-type", "host")
        pairs = sorted((name, value) for name, _, value in query_pairs(signed.query)) if signed.query else []
        query = "&".join([f"{name}={encode(value)}" if value else name for name, value in pairs])
        names = ";".join(headers)
        payload = headers.get("x-log-content-sha256", "")
        return f"{signed.method}\n{signed.path}\n{query}\n{header_lines(headers)}\n{names}\n{payload}"

    def __repr__(self) -> str:
        return f"SLSV4(region={self.region!r})"


def _with_defaults(request: Request, owned: frozenset[str]) -> list[tuple[str, str]]:
    headers = without(request, owned)
    if request.header("x-log-apiversion") is None:
        headers.append(("x-log-apiversion", API_VERSION))
    if request.header("x-log-bodyrawsize") is None:
        headers.append(("x-log-bodyrawsize", str(length(request.body))))
    return headers


def _log_headers(request: Request, left_out: frozenset[str], *names: str) -> dict[str, str]:
    """The service's headers and those named, by lower-case name, sorted."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        lower = name.lower()
        is_log = lower.startswith(("x-log-", "x-acs-")) and not lower.startswith("x-log-meta-")
        if lower in names or (is_log and lower not in left_out):
            found[lower] = f"{found[lower]},{value}" if lower in found else value
    return dict(sorted(found.items()))
