"""ROA, signature version 1.0: the older signature of the OpenAPI gateway for REST-style products."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import header_lines, prefixed, query_pairs, without
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable


class ROA(Scheme):
    """Signs method, Accept, Content-MD5, Content-Type, Date, `x-acs-*` headers, path and query.

    The body is signed only through a Content-MD5 that the caller sets.
    """

    __slots__ = ()

    name: ClassVar[str] = "ROA"
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        (
            "authorization",
            "date",
            "x-acs-accesskey-id",
            "x-acs-security-token",
            "x-acs-signature-method",
            "x-acs-signature-nonce",
            "x-acs-signature-version",
        )
    )

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its Date, `x-acs-*` headers and `Authorization: acs …`."""
        headers = without(request, self.owned_headers)
        headers.append(("Date", Instant.at(now).http))
        headers.append(("x-acs-signature-method", "HMAC-SHA1"))
        headers.append(("x-acs-signature-version", "1.0"))
        headers.append(("x-acs-signature-nonce", nonce()))
        if credentials.security_token:
            headers.append(("x-acs-accesskey-id", credentials.access_key_id))
            headers.append(("x-acs-security-token", credentials.security_token))
        unsigned = request.with_headers(tuple(headers))
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(self.string_to_sign(unsigned))
        return unsigned.with_headers((*headers, ("Authorization", f"acs {credentials.access_key_id}:{signature}")))

    def string_to_sign(self, signed: Request) -> str:
        """Four header values, the `x-acs-*` headers, and the resource."""
        accept, md5, kind, date = (
            signed.header(name) or "" for name in ("accept", "content-md5", "content-type", "date")
        )
        # The documentation replaces a tab in a value by a space.
        lines = header_lines(prefixed(signed.headers, "x-acs-")).replace("\t", " ")
        return f"{signed.method}\n{accept}\n{md5}\n{kind}\n{date}\n{lines}{_resource(signed)}"

    def __repr__(self) -> str:
        return "ROA()"


def _resource(request: Request) -> str:
    """The path as sent and the decoded parameters; for an empty value tea-openapi signs the bare name."""
    if not request.query:
        return request.path
    pairs = sorted((name, value) for name, _, value in query_pairs(request.query))
    return f"{request.path}?{'&'.join([f'{name}={value}' if value else name for name, value in pairs])}"
