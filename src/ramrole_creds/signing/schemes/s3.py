"""The S3-compatible endpoint of OSS: AWS signature version 4."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._regions import written_region
from ramrole_creds.signing._canonical import canonical_path, canonical_query, header_lines, without
from ramrole_creds.signing._percent import encode
from ramrole_creds.signing.body import hex_digest, is_seekable
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import ONE_WEEK_SECONDS, Scheme, join_query, parameter, without_parameters
from ramrole_creds.signing.schemes._oss_resource import without_plus

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Signable

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"

# Headers that a proxy or a client changes, adds or removes on the way: the list of botocore.
_NEVER_SIGNED = frozenset(
    (
        *(
            "authorization",
            "baggage",
            "connection",
            "expect",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
        ),
        *(
            "te",
            "traceparent",
            "tracestate",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "user-agent",
            "x-amzn-trace-id",
        ),
    )
)
_OWNED_PARAMETERS = frozenset(
    (
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    )
)
_SIGNATURE = frozenset(("X-Amz-Signature",))
_blanks = re.compile(r" {2,}")


class SigV4(Scheme):
    """Signs method, path, parameters, all headers except those that proxies change, and the body.

    An iterator, which can be read only once, is sent unsigned, as is any body for which the caller sets
    `x-amz-content-sha256: UNSIGNED-PAYLOAD`.

    Args:
        region: a region ID; "oss-cn-hangzhou" is usual, "us-east-1" works too.
        service: "s3".
    """

    __slots__ = ("_scope", "region", "service")

    name: ClassVar[str] = "SigV4"
    covers_body: ClassVar[bool] = True
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        ("authorization", "date", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token")
    )
    max_presign_seconds: ClassVar[float] = ONE_WEEK_SECONDS

    def __init__(self, region: str, service: str = "s3") -> None:
        self.region: str = written_region(region)
        self.service: str = service
        self._scope = f"{self.region}/{service}/aws4_request"

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its `x-amz-*` headers and `Authorization: AWS4-HMAC-SHA256 …`."""
        del nonce
        request = without_plus(request)
        instant = Instant.at(now)
        headers = without(request, self.owned_headers)
        if request.header("host") is None:
            headers.append(("Host", request.host))
        headers.append(("X-Amz-Date", instant.basic))
        headers.append(("X-Amz-Content-SHA256", _payload(request)))
        if credentials.security_token:
            headers.append(("X-Amz-Security-Token", credentials.security_token))
        unsigned = request.with_headers(tuple(headers), without_parameters(request.query, _OWNED_PARAMETERS))
        signature = self._signature(self.canonical_request(unsigned), credentials, instant, keys)
        authorization = (
            f"{ALGORITHM} Credential={credentials.access_key_id}/{instant.day}/{self._scope}, "
            f"SignedHeaders={';'.join(_signed_headers(unsigned))}, Signature={signature}"
        )
        return unsigned.with_headers((*headers, ("Authorization", authorization)))

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The URL with `X-Amz-Algorithm=AWS4-HMAC-SHA256` and the parameters that belong to it."""
        request = without_plus(request)
        instant = Instant.at(now)
        headers = without(request, self.owned_headers)
        unsigned = request.with_headers(tuple(headers))
        signed = _signed_headers(unsigned)
        added = [
            f"X-Amz-Algorithm={ALGORITHM}",
            f"X-Amz-Credential={encode(f'{credentials.access_key_id}/{instant.day}/{self._scope}')}",
            f"X-Amz-Date={instant.basic}",
            f"X-Amz-Expires={life}",
            f"X-Amz-SignedHeaders={encode(';'.join(signed))}",
        ]
        if credentials.security_token:
            added.append(f"X-Amz-Security-Token={encode(credentials.security_token)}")
        query = join_query(without_parameters(request.query, _OWNED_PARAMETERS), *added)
        unsigned = request.with_headers(tuple(headers), query)
        signature = self._signature(self.canonical_request(unsigned), credentials, instant, keys)
        result = unsigned.with_headers(unsigned.headers, f"{query}&X-Amz-Signature={signature}")
        needed = tuple((name, value) for name, value in headers if name.lower() in signed and name.lower() != "host")
        return result, needed

    def string_to_sign(self, signed: Request) -> str:
        """Algorithm, date, scope, and the hash of the canonical request."""
        date = signed.header("x-amz-date") or parameter(signed.query, "X-Amz-Date")
        return self._string_to_sign(self.canonical_request(signed), date)

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request or presigned URL."""
        headers = _signed_headers(signed)
        query = canonical_query(without_parameters(signed.query, _SIGNATURE), equals_when_empty=True, sort_encoded=True)
        payload = signed.header("x-amz-content-sha256") or UNSIGNED
        names = ";".join(headers)
        return f"{signed.method}\n{canonical_path(signed.path)}\n{query}\n{header_lines(headers)}\n{names}\n{payload}"

    def _string_to_sign(self, canonical: str, date: str) -> str:
        hashed = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{ALGORITHM}\n{date}\n{date[:8]}/{self._scope}\n{hashed}"

    def _signature(self, canonical: str, credentials: Signable, instant: Instant, keys: SigningKeys) -> str:
        key = keys.derived(credentials.access_key_secret, instant.day, self.region, self.service, prefix="aws4")
        return key.hex(self._string_to_sign(canonical, instant.basic))

    def __repr__(self) -> str:
        return f"SigV4(region={self.region!r}, service={self.service!r})"


def _signed_headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, given in request.headers:
        lower = name.lower()
        if lower not in _NEVER_SIGNED:
            value = _blanks.sub(" ", given)
            found[lower] = f"{found[lower]},{value}" if lower in found else value
    found.setdefault("host", request.host)
    return dict(sorted(found.items()))


def _payload(request: Request) -> str:
    if request.header("x-amz-content-sha256") == UNSIGNED:
        return UNSIGNED
    if request.body is not None and not isinstance(request.body, bytes) and not is_seekable(request.body):
        return UNSIGNED
    return hex_digest(request.body, "sha256")
