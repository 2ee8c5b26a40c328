"""Function Compute: the signature of version 2.0, and that of HTTP triggers of version 3.0.

The API of version 3.0 uses ACS3.
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.errors import SigningError
from ramrole_creds.signing._canonical import canonical_query, header_lines, prefixed, query_pairs, with_host, without
from ramrole_creds.signing._percent import decode, encode
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme, join_query, parameter, signed_headers_of, without_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Signable

TRIGGER_PATH = "/2016-08-15/proxy/"

_OWNED_PARAMETERS = frozenset(("x-fc-access-key-id", "x-fc-expires", "x-fc-security-token", "x-fc-signature"))


class FCV2(Scheme):
    """Signs method, Content-MD5, Content-Type, Date, `x-fc-*` headers and the path; for HTTP triggers the parameters.

    Args:
        http_trigger: whether the request goes to an HTTP trigger; None decides by its path. Set True for a trigger with
            a custom domain.
    """

    __slots__ = ("http_trigger",)

    name: ClassVar[str] = "FCV2"
    owned_headers: ClassVar[frozenset[str]] = frozenset(("authorization", "date", "x-fc-security-token"))
    max_presign_seconds: ClassVar[float] = math.inf

    def __init__(self, *, http_trigger: bool | None = None) -> None:
        self.http_trigger: bool | None = http_trigger

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its Date and `Authorization: FC …`."""
        del nonce
        headers = with_host(without(request, self.owned_headers), request)
        headers.append(("Date", Instant.at(now).http))
        if credentials.security_token:
            headers.append(("x-fc-security-token", credentials.security_token))
        unsigned = request.with_headers(tuple(headers), without_parameters(request.query, _OWNED_PARAMETERS))
        signature = keys.of_secret(credentials.access_key_secret, "sha256").base64(self.string_to_sign(unsigned))
        headers.append(("Authorization", f"FC {credentials.access_key_id}:{signature}"))
        return unsigned.with_headers(tuple(headers))

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The URL of an HTTP trigger with `x-fc-expires` and `x-fc-signature`."""
        if not self._is_trigger(request):
            raise SigningError(
                "Function Compute has presigned URLs only for HTTP triggers (/2016-08-15/proxy/…). Set "
                "http_trigger=True for a trigger with a custom domain."
            )
        headers = tuple(without(request, self.owned_headers))
        added = [
            f"x-fc-access-key-id={encode(credentials.access_key_id)}",
            f"x-fc-expires={math.floor(now) + life}",
        ]
        if credentials.security_token:
            added.append(f"x-fc-security-token={encode(credentials.security_token)}")
        query = join_query(without_parameters(request.query, _OWNED_PARAMETERS), *added)
        unsigned = request.with_headers(headers, query)
        signature = keys.of_secret(credentials.access_key_secret, "sha256").base64(self.string_to_sign(unsigned))
        signed = unsigned.with_headers(headers, f"{query}&x-fc-signature={encode(signature)}")
        return signed, signed_headers_of(headers, ("content-md5", "content-type"), "x-fc-")

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, the `x-fc-*` headers, the path, and a trigger's parameters."""
        md5, kind, date = (signed.header(name) or "" for name in ("content-md5", "content-type", "date"))
        lines = header_lines(prefixed(signed.headers, "x-fc-"))
        resource = decode(signed.path)
        if self._is_trigger(signed):
            date = parameter(signed.query, "x-fc-expires") or date
            pairs = query_pairs(without_parameters(signed.query, frozenset(("x-fc-signature",))))
            resource += "\n" + "\n".join(sorted(f"{name}{equals}{value}" for name, equals, value in pairs))
        return f"{signed.method}\n{md5}\n{kind}\n{date}\n{lines}{resource}"

    def _is_trigger(self, request: Request) -> bool:
        return request.path.startswith(TRIGGER_PATH) if self.http_trigger is None else self.http_trigger

    def __repr__(self) -> str:
        return f"FCV2(http_trigger={self.http_trigger!r})"


class FCV3Trigger(Scheme):
    """HTTP triggers of version 3.0 with signature authentication: ACS3 over date, token, path and parameters.

    The service's documentation signs neither Host nor body.
    """

    __slots__ = ()

    name: ClassVar[str] = "FCV3Trigger"
    owned_headers: ClassVar[frozenset[str]] = frozenset(("authorization", "x-acs-date", "x-acs-security-token"))

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with `x-acs-date` and `Authorization: ACS3-HMAC-SHA256 …`."""
        del nonce
        headers = without(request, self.owned_headers)
        headers.append(("x-acs-date", Instant.at(now).iso))
        if credentials.security_token:
            headers.append(("x-acs-security-token", credentials.security_token))
        unsigned = request.with_headers(tuple(headers))
        signature = keys.of_secret(credentials.access_key_secret, "sha256").hex(self.string_to_sign(unsigned))
        names = ";".join(self._signed(unsigned))
        authorization = (
            f"ACS3-HMAC-SHA256 Credential={credentials.access_key_id},SignedHeaders={names},Signature={signature}"
        )
        return unsigned.with_headers((*headers, ("Authorization", authorization)))

    def string_to_sign(self, signed: Request) -> str:
        """The algorithm and the hash of the canonical request."""
        hashed = sha256(self.canonical_request(signed).encode("utf-8", "surrogateescape")).hexdigest()
        return f"ACS3-HMAC-SHA256\n{hashed}"

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request; its last line, for the body's hash, is empty."""
        headers = self._signed(signed)
        query = canonical_query(signed.query, equals_when_empty=True, sort_encoded=False)
        # The documentation's sample writes "$" in a path as %24, though a URL can contain "$" as it is.
        path = signed.path.replace("$", "%24")
        return f"{signed.method}\n{path}\n{query}\n{header_lines(headers)}\n{';'.join(headers)}\n"

    def _signed(self, request: Request) -> dict[str, str]:
        found = prefixed(request.headers, "x-acs-date", "x-acs-security-token")
        return {name: value for name, value in found.items() if name in self.owned_headers}

    def __repr__(self) -> str:
        return "FCV3Trigger()"
