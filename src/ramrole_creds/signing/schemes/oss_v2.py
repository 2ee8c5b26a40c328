"""OSS signature version 2, superseded by version 4 and still accepted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._checks import lower_names
from ramrole_creds.errors import SigningError
from ramrole_creds.signing._canonical import canonical_query, header_lines, prefixed, without
from ramrole_creds.signing._percent import decode, encode
from ramrole_creds.signing.scheme import join_query, parameter, signed_headers_of, without_parameters
from ramrole_creds.signing.schemes._bucket_scheme import BucketScheme
from ramrole_creds.signing.schemes._oss_resource import resource_path, without_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Signable
    from ramrole_creds.signing.schemes._oss_resource import Addressing

_OWNED_PARAMETERS = frozenset(
    (
        "x-oss-signature-version",
        "x-oss-expires",
        "x-oss-access-key-id",
        "x-oss-additional-headers",
        "x-oss-signature",
        "security-token",
    )
)


class OSSV2(BucketScheme):
    """Signs like OSSV1, but with HMAC-SHA256 and with every parameter.

    Args:
        bucket: the bucket; None to read it from the URL. A custom domain needs it.
        addressing: "path", "virtual" or "cname", if the host alone does not show where the URL names the bucket.
        additional_headers: more headers to sign, if the request has them.
    """

    __slots__ = ("_additional",)

    name: ClassVar[str] = "OSSV2"
    owned_headers: ClassVar[frozenset[str]] = frozenset(("authorization", "date", "x-oss-date", "x-oss-security-token"))
    max_presign_seconds: ClassVar[float] = math.inf

    def __init__(
        self,
        bucket: str | None = None,
        additional_headers: Iterable[str] = (),
        *,
        addressing: Addressing | None = None,
    ) -> None:
        super().__init__(bucket, addressing=addressing)
        self._additional = checked_additional(additional_headers)

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with Date and `Authorization: OSS2 …`."""
        del nonce
        request, headers, date = self._begin(request, credentials, now)
        query = without_parameters(request.query, _OWNED_PARAMETERS)
        unsigned = request.with_headers(tuple(headers), query)
        signature = keys.of_secret(credentials.access_key_secret, "sha256").base64(self._string_to_sign(unsigned, date))
        additional = self._additional_of(unsigned)
        listed = f"AdditionalHeaders:{';'.join(additional)}," if additional else ""
        authorization = f"OSS2 AccessKeyId:{credentials.access_key_id},{listed}Signature:{signature}"
        return unsigned.with_headers((*headers, ("Authorization", authorization)))

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The URL with `x-oss-signature-version=OSS2` and the parameters that belong to it."""
        request = without_plus(request)
        headers = tuple(without(request, self.owned_headers))
        query = without_parameters(request.query, _OWNED_PARAMETERS)
        expires = str(math.floor(now) + life)
        added = [
            "x-oss-signature-version=OSS2",
            f"x-oss-expires={expires}",
            f"x-oss-access-key-id={encode(credentials.access_key_id)}",
        ]
        additional = self._additional_of(request)
        if additional:
            added.append(f"x-oss-additional-headers={encode(';'.join(additional))}")
        if credentials.security_token:
            added.append(f"security-token={encode(credentials.security_token)}")
        unsigned = request.with_headers(headers, join_query(query, *added))
        signature = keys.of_secret(credentials.access_key_secret, "sha256").base64(
            self._string_to_sign(unsigned, expires)
        )
        signed = unsigned.with_headers(headers, join_query(unsigned.query, f"x-oss-signature={encode(signature)}"))
        return signed, signed_headers_of(headers, ("content-md5", "content-type", *additional), "x-oss-")

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, headers, names of the additional ones, and the resource."""
        expires = parameter(signed.query, "x-oss-expires")
        unsigned = signed.with_headers(
            signed.headers, without_parameters(signed.query, frozenset(("x-oss-signature",)))
        )
        return self._string_to_sign(unsigned, expires or signed.header("date") or "")

    def _string_to_sign(self, request: Request, date: str) -> str:
        md5, kind = request.header("content-md5") or "", request.header("content-type") or ""
        additional = self._additional_of(request)
        signed = prefixed(request.headers, "x-oss-") | {name: request.header(name) or "" for name in additional}
        resource = encode(decode(resource_path(request, self.bucket, self.addressing)))
        if request.query:
            resource += "?" + canonical_query(request.query, equals_when_empty=False, sort_encoded=True)
        lines = header_lines(dict(sorted(signed.items())))
        return f"{request.method}\n{md5}\n{kind}\n{date}\n{lines}{';'.join(additional)}\n{resource}"

    def _additional_of(self, request: Request) -> list[str]:
        present = {name.lower() for name, _ in request.headers}
        return [name for name in self._additional if name in present]

    def __repr__(self) -> str:
        return (
            f"OSSV2(bucket={self.bucket!r}, additional_headers={list(self._additional)}, "
            f"addressing={self.addressing!r})"
        )


def checked_additional(names: Iterable[str]) -> tuple[str, ...]:
    """Header names beyond those that OSS always signs, in lower case, sorted.

    Raises:
        ConfigurationError: these are not names.
        SigningError: a name contains an underscore, which OSS refuses.
    """
    lower = sorted(lower_names("additional_headers", names) - {"authorization", "content-type", "content-md5"})
    for name in lower:
        if "_" in name:
            raise SigningError(
                f"The additional header {name!r} contains an underscore, which OSS refuses. Leave it out."
            )
    return tuple(name for name in lower if not name.startswith("x-oss-"))
