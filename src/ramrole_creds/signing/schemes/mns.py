"""Message Service (MNS, SMQ): signature versions 2 and 4."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._regions import scope_region
from ramrole_creds.signing._canonical import canonical_path, header_lines, prefixed, query_pairs, with_host, without
from ramrole_creds.signing._percent import encode
from ramrole_creds.signing.body import hex_digest, is_empty
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

API_VERSION = "2015-06-06"
ALGORITHM = "MNS4-HMAC-SHA256"


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
        instant = Instant.at(now)
        headers = with_host(without(request, self.owned_headers), request)
        if not is_empty(request.body):
            # base64 of the hexadecimal text, not of the digest, as in the official SDK; the service compares text.
            headers.append(("Content-MD5", b64encode(hex_digest(request.body, "md5").encode()).decode()))
            if request.header("content-type") is None:
                headers.append(("Content-Type", "text/xml;charset=UTF-8"))
        if request.header("x-mns-version") is None:
            headers.append(("x-mns-version", API_VERSION))
        headers.append(("Date", instant.http))
        string = self.string_to_sign(request.with_headers(tuple(headers)))
        headers.append(("Authorization", self._authorization(string, credentials, instant, keys)))
        if credentials.security_token:
            headers.append(("security-token", credentials.security_token))
        return request.with_headers(tuple(headers))

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, the `x-mns-*` headers, and the target."""
        md5, kind, date = (signed.header(name) or "" for name in ("content-md5", "content-type", "date"))
        target = f"{signed.path}?{signed.query}" if signed.query else signed.path
        lines = header_lines(prefixed(signed.headers, "x-mns-"))
        return f"{signed.method}\n{md5}\n{kind}\n{date}\n{lines}{target}"

    def _authorization(self, string: str, credentials: Signable, instant: Instant, keys: SigningKeys) -> str:
        del instant
        return f"MNS {credentials.access_key_id}:{keys.of_secret(credentials.access_key_secret, 'sha1').base64(string)}"

    def __repr__(self) -> str:
        return "MNS()"


class MNSV4(MNS):
    """Signs method, path, parameters, Content-Type, Content-MD5 and `x-mns-*` headers, with a key for day and region.

    The official SDKs use it in place of MNS, which they deprecate. The service does not sign the security token.

    Args:
        region: the region ID, for instance "cn-hangzhou".
    """

    __slots__ = ("_scope", "region")

    name: ClassVar[str] = "MNSV4"

    def __init__(self, region: str) -> None:
        self.region: str = scope_region(region)
        self._scope = f"{self.region}/mns/aliyun_v4_request"

    def string_to_sign(self, signed: Request) -> str:
        """Algorithm, time, scope, and the canonical request itself, which is not hashed."""
        moment = _moment(signed.header("date") or "")
        return f"{ALGORITHM}\n{moment.basic}\n{moment.day}/{self._scope}\n{self.canonical_request(signed)}"

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request; names of parameters enter in lower case."""
        pairs = [(encode(name.lower().strip()), encode(value.strip())) for name, _, value in query_pairs(signed.query)]
        query = "&".join([f"{name}={value}" if value else name for name, value in sorted(dict(pairs).items())])
        lines = header_lines(prefixed(signed.headers, "x-mns-", "content-type", "content-md5"))
        return f"{signed.method}\n{canonical_path(signed.path)}\n{query}\n{lines}\n"

    def _authorization(self, string: str, credentials: Signable, instant: Instant, keys: SigningKeys) -> str:
        key = keys.derived(credentials.access_key_secret, instant.day, self.region, "mns")
        credential = f"{credentials.access_key_id}/{instant.day}/{self._scope}"
        return f"{ALGORITHM} Credential={credential},Signature={key.hex(string)}"

    def __repr__(self) -> str:
        return f"MNSV4(region={self.region!r})"


def _moment(date: str) -> Instant:
    """The moment of a Date header, which the scheme has set itself."""
    from email.utils import parsedate_to_datetime

    return Instant.at(parsedate_to_datetime(date).timestamp())
