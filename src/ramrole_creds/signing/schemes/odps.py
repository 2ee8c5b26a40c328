"""MaxCompute (ODPS): signature versions 2 and 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._regions import scope_region
from ramrole_creds.signing._canonical import prefixed, query_pairs, without
from ramrole_creds.signing._percent import decode
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.request import Request
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.scheme import Signable


class ODPSV2(Scheme):
    """Signs method, Content-MD5, Content-Type, Date, `x-odps-*` headers and parameters, and the resource.

    The service does not sign the security token.

    Args:
        endpoint: the service's address, for instance "https://service.cn-hangzhou.maxcompute.aliyun.com/api"; the
            resource does not contain its path.
    """

    __slots__ = ("_base", "endpoint")

    name: ClassVar[str] = "ODPSV2"
    owned_headers: ClassVar[frozenset[str]] = frozenset(("authorization", "authorization-sts-token", "date"))

    def __init__(self, endpoint: str) -> None:
        self.endpoint: str = endpoint
        self._base = Request("GET", endpoint).path.rstrip("/")

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its Date and `Authorization: ODPS …`."""
        del nonce
        instant = Instant.at(now)
        headers = without(request, self.owned_headers)
        headers.append(("Date", instant.http))
        string = self.string_to_sign(request.with_headers(tuple(headers)))
        headers.append(("Authorization", self._authorization(string, credentials, instant, keys)))
        if credentials.security_token:
            headers.append(("authorization-sts-token", credentials.security_token))
        return request.with_headers(tuple(headers))

    def string_to_sign(self, signed: Request) -> str:
        """Method, the headers sorted by name, and the resource."""
        pairs = [(name, value) for name, _, value in query_pairs(signed.query)]
        odps = prefixed(signed.headers, "x-odps-")
        odps.update((name, value) for name, value in pairs if name.startswith("x-odps-"))
        values = [signed.header(name) or "" for name in ("content-md5", "content-type", "date")]
        lines = "\n".join([*values, *(f"{name}:{odps[name]}" for name in sorted(odps))])
        resource = decode(self._path(signed))
        if pairs:
            pairs.sort()
            resource += "?" + "&".join([f"{name}={value}" if value else name for name, value in pairs])
        return f"{signed.method}\n{lines}\n{resource}"

    def _authorization(self, string: str, credentials: Signable, instant: Instant, keys: SigningKeys) -> str:
        del instant
        return (
            f"ODPS {credentials.access_key_id}:{keys.of_secret(credentials.access_key_secret, 'sha1').base64(string)}"
        )

    def _path(self, request: Request) -> str:
        if self._base and (request.path == self._base or request.path.startswith(f"{self._base}/")):
            return request.path[len(self._base) :] or "/"
        return request.path

    def __repr__(self) -> str:
        return f"ODPSV2(endpoint={self.endpoint!r})"


class ODPSV4(ODPSV2):
    """Signs what ODPSV2 signs, with a key derived for the day and the region.

    Args:
        endpoint: the service's address.
        region: the region ID, for instance "cn-hangzhou".
    """

    __slots__ = ("region",)

    name: ClassVar[str] = "ODPSV4"

    def __init__(self, endpoint: str, region: str) -> None:
        super().__init__(endpoint)
        self.region: str = scope_region(region)

    def _authorization(self, string: str, credentials: Signable, instant: Instant, keys: SigningKeys) -> str:
        key = keys.derived(credentials.access_key_secret, instant.day, self.region, "odps", algorithm="sha1")
        # HMAC-SHA1 with a key derived by HMAC-SHA256: the service defines it so.
        signature = key.base64(string)
        scope = f"{instant.day}/{self.region}/odps/aliyun_v4_request"
        return f"ODPS {credentials.access_key_id}/{scope}:{signature}"

    def __repr__(self) -> str:
        return f"ODPSV4(endpoint={self.endpoint!r}, region={self.region!r})"
