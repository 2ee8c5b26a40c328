"""OSS signature version 4: Authorization header, presigned URL, and upload form."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._regions import scope_region
from ramrole_creds.signing._canonical import canonical_path, canonical_query, without
from ramrole_creds.signing._percent import encode
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import (
    ONE_WEEK_SECONDS,
    join_query,
    parameter,
    signed_headers_of,
    without_parameters,
)
from ramrole_creds.signing.schemes._bucket_scheme import BucketScheme
from ramrole_creds.signing.schemes._oss_policy import encode_policy
from ramrole_creds.signing.schemes._oss_resource import resource_path, without_plus
from ramrole_creds.signing.schemes.oss_v2 import checked_additional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds.signing._mac import KeyedHmac
    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Signable
    from ramrole_creds.signing.schemes._oss_resource import Addressing

ALGORITHM = "OSS4-HMAC-SHA256"
PAYLOAD = "UNSIGNED-PAYLOAD"

_SIGNATURE = frozenset(("x-oss-signature",))
_OWNED_PARAMETERS = frozenset(
    (
        "x-oss-additional-headers",
        "x-oss-credential",
        "x-oss-date",
        "x-oss-expires",
        "x-oss-security-token",
        "x-oss-signature",
        "x-oss-signature-version",
    )
)


class OSSV4(BucketScheme):
    """Signs method, bucket, key, all parameters, Content-Type, Content-MD5, `x-oss-*` and the headers named.

    The body is not signed (`UNSIGNED-PAYLOAD`, as in the official SDKs), except by a Content-MD5 that the caller sets.

    Args:
        region: the region ID, for instance "cn-hangzhou".
        bucket: the bucket; None to read it from the URL. A custom domain needs it.
        addressing: "path", "virtual" or "cname", if the host alone does not show where the URL names the bucket.
        product: "oss", or "oss-cloudbox" in a cloud box.
        additional_headers: more headers to sign, if the request has them.
    """

    __slots__ = ("_additional", "_scope", "product", "region")

    name: ClassVar[str] = "OSSV4"
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        ("authorization", "date", "x-oss-content-sha256", "x-oss-date", "x-oss-security-token")
    )
    max_presign_seconds: ClassVar[float] = ONE_WEEK_SECONDS

    def __init__(
        self,
        region: str,
        bucket: str | None = None,
        product: str = "oss",
        additional_headers: Iterable[str] = (),
        *,
        addressing: Addressing | None = None,
    ) -> None:
        super().__init__(bucket, addressing=addressing)
        self.region: str = scope_region(region)
        self.product: str = product
        self._additional = checked_additional(additional_headers)
        self._scope = f"{self.region}/{product}/aliyun_v4_request"

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its `x-oss-*` headers and `Authorization: OSS4-HMAC-SHA256 …`."""
        del nonce
        request = without_plus(request)
        instant = Instant.at(now)
        headers = without(request, self.owned_headers)
        headers.append(("x-oss-date", instant.basic))
        headers.append(("Date", instant.http))
        headers.append(("x-oss-content-sha256", PAYLOAD))
        if credentials.security_token:
            headers.append(("x-oss-security-token", credentials.security_token))
        if "host" in self._additional and request.header("host") is None:
            headers.append(("Host", request.host))
        query = without_parameters(request.query, _OWNED_PARAMETERS)
        additional, canonical = self._canonical(request, headers, query)
        signature = self._signature(canonical, credentials, instant, keys)
        listed = f"AdditionalHeaders={additional}," if additional else ""
        credential = f"{credentials.access_key_id}/{instant.day}/{self._scope}"
        headers.append(("Authorization", f"{ALGORITHM} Credential={credential},{listed}Signature={signature}"))
        return request.with_headers(tuple(headers), query)

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The URL with `x-oss-signature-version=OSS4-HMAC-SHA256` and the parameters that belong to it."""
        request = without_plus(request)
        instant = Instant.at(now)
        headers = without(request, self.owned_headers)
        if "host" in self._additional and request.header("host") is None:
            headers.append(("Host", request.host))
        present = {name.lower() for name, _ in headers}
        additional = [name for name in self._additional if name in present]
        added = [
            f"x-oss-signature-version={ALGORITHM}",
            f"x-oss-date={instant.basic}",
            f"x-oss-expires={life}",
            f"x-oss-credential={encode(f'{credentials.access_key_id}/{instant.day}/{self._scope}')}",
        ]
        if additional:
            added.append(f"x-oss-additional-headers={encode(';'.join(additional))}")
        if credentials.security_token:
            added.append(f"x-oss-security-token={encode(credentials.security_token)}")
        query = join_query(without_parameters(request.query, _OWNED_PARAMETERS), *added)
        _, canonical = self._canonical(request, headers, query)
        signature = self._signature(canonical, credentials, instant, keys)
        signed = request.with_headers(tuple(headers), f"{query}&x-oss-signature={signature}")
        return signed, signed_headers_of(signed.headers, ("content-md5", "content-type", *additional), "x-oss-")

    def post_form(
        self, policy: str | dict[str, object], credentials: Signable, now: float, keys: SigningKeys
    ) -> dict[str, str]:
        """The fields `policy`, `x-oss-signature` and the fields that belong to them."""
        instant = Instant.at(now)
        fields = {
            "x-oss-signature-version": ALGORITHM,
            "x-oss-credential": f"{credentials.access_key_id}/{instant.day}/{self._scope}",
            "x-oss-date": instant.basic,
        }
        if credentials.security_token:
            fields["x-oss-security-token"] = credentials.security_token
        encoded = encode_policy(policy, fields, credentials, now)
        key = self._key(credentials, instant.day, keys)
        return {"policy": encoded, **fields, "x-oss-signature": key.hex(encoded)}

    def string_to_sign(self, signed: Request) -> str:
        """Algorithm, date, scope, and the hash of the canonical request."""
        date = signed.header("x-oss-date") or parameter(signed.query, "x-oss-date")
        return self._string_to_sign(self.canonical_request(signed), date, date[:8])

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request or presigned URL."""
        return self._canonical(signed, signed.headers, without_parameters(signed.query, _SIGNATURE))[1]

    def _canonical(self, request: Request, headers: Iterable[tuple[str, str]], query: str) -> tuple[str, str]:
        """Names of the additional headers, and the canonical request."""
        signed: dict[str, str] = {}
        additional = self._additional
        for name, value in headers:
            lower = name.lower()
            if lower.startswith("x-oss-") or lower in ("content-type", "content-md5") or lower in additional:
                signed[lower] = f"{signed[lower]},{value}" if lower in signed else value
        listed = ";".join([name for name in additional if name in signed]) if additional else ""
        lines = "".join([f"{name}:{signed[name]}\n" for name in sorted(signed)])
        path = canonical_path(resource_path(request, self.bucket, self.addressing))
        query = canonical_query(query, equals_when_empty=False, sort_encoded=True)
        return listed, f"{request.method}\n{path}\n{query}\n{lines}\n{listed}\n{PAYLOAD}"

    def _string_to_sign(self, canonical: str, date: str, day: str) -> str:
        hashed = sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{ALGORITHM}\n{date}\n{day}/{self._scope}\n{hashed}"

    def _signature(self, canonical: str, credentials: Signable, instant: Instant, keys: SigningKeys) -> str:
        key = self._key(credentials, instant.day, keys)
        return key.hex(self._string_to_sign(canonical, instant.basic, instant.day))

    def _key(self, credentials: Signable, day: str, keys: SigningKeys) -> KeyedHmac:
        return keys.derived(credentials.access_key_secret, day, self.region, self.product)

    def __repr__(self) -> str:
        return (
            f"OSSV4(region={self.region!r}, bucket={self.bucket!r}, product={self.product!r}, "
            f"additional_headers={list(self._additional)}, addressing={self.addressing!r})"
        )
