"""Message Service (MNS, SMQ)."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import header_lines, prefixed, with_host, without
from ramrole_creds.signing.body import hex_digest, is_empty
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

API_VERSION = "2015-06-06"


class MNS(Scheme):
    """Signs method, Content-MD5, Content-Type, Date, `x-mns-*` headers, and the target as it is sent.

    The service does not sign the security token. `x-mns-version`, and for a body the Content-Type
    `text/xml;charset=UTF-8`, are set if the caller does not set them.
    """

    __slots__ = ()

    name: ClassVar[str] = "MNS"
    covers_body: ClassVar[bool] = True
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        ("authorization", "content-md5", "date", "security-token", "x-mns-date")
    )

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its Date and `Authorization: MNS …`."""
        del nonce
        headers = with_host(without(request, self.owned_headers), request)
        if not is_empty(request.body):
            # base64 of the hexadecimal text, not of the digest, as in the official SDK; the service compares text.
            headers.append(("Content-MD5", b64encode(hex_digest(request.body, "md5").encode()).decode()))
            if request.header("content-type") is None:
                headers.append(("Content-Type", "text/xml;charset=UTF-8"))
        if request.header("x-mns-version") is None:
            headers.append(("x-mns-version", API_VERSION))
        headers.append(("Date", Instant.at(now).http))
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(
            self.string_to_sign(request.with_headers(tuple(headers)))
        )
        headers.append(("Authorization", f"MNS {credentials.access_key_id}:{signature}"))
        if credentials.security_token:
            headers.append(("security-token", credentials.security_token))
        return request.with_headers(tuple(headers))

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, the `x-mns-*` headers, and the target."""
        md5, kind, date = (signed.header(name) or "" for name in ("content-md5", "content-type", "date"))
        target = f"{signed.path}?{signed.query}" if signed.query else signed.path
        lines = header_lines(prefixed(signed.headers, "x-mns-"))
        return f"{signed.method}\n{md5}\n{kind}\n{date}\n{lines}{target}"

    def __repr__(self) -> str:
        return "MNS()"
