"""Tablestore: signature versions 2 and 4, and the signature of its answers."""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._regions import scope_region
from ramrole_creds.errors import ConfigurationError, SigningError
from ramrole_creds.signing._canonical import header_lines, prefixed, query_pairs, without
from ramrole_creds.signing._mac import KeyedHmac
from ramrole_creds.signing._percent import encode
from ramrole_creds.signing._signing_keys import derive_key
from ramrole_creds.signing.body import digest
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

API_VERSION = "2015-12-31"

_SIGNATURES = frozenset(("x-ots-signature", "x-ots-signaturev4"))


class OTSV2(Scheme):
    """Signs path, method, parameters, and every `x-ots-*` header, including the body's MD5.

    Args:
        instance: the name of the instance.
    """

    __slots__ = ("instance",)

    name: ClassVar[str] = "OTSV2"
    covers_body: ClassVar[bool] = True
    owned_headers: ClassVar[frozenset[str]] = _SIGNATURES | {
        "x-ots-accesskeyid",
        "x-ots-contentmd5",
        "x-ots-date",
        "x-ots-instancename",
        "x-ots-signdate",
        "x-ots-signregion",
        "x-ots-ststoken",
    }

    def __init__(self, instance: str) -> None:
        given: object = instance
        if not isinstance(given, str) or not given:
            raise ConfigurationError(f"instance must be the name of a Tablestore instance, not {instance!r:.60}.")
        self.instance: str = instance

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its `x-ots-*` headers and `x-ots-signature`."""
        del nonce
        headers = self._headers(request, credentials, Instant.at(now))
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(
            self.string_to_sign(request.with_headers(tuple(headers)))
        )
        return request.with_headers((*headers, ("x-ots-signature", signature)))

    def string_to_sign(self, signed: Request) -> str:
        """Path, method, parameters, and the `x-ots-*` headers."""
        return _string_to_sign(signed)

    def verify_response(
        self, signed: Request, headers: Mapping[str, str] | Iterable[tuple[str, str]], credentials: Signable
    ) -> None:
        """Check that the service signed an answer.

        Args:
            signed: the request that was answered.
            headers: the headers of the answer.
            credentials: those that signed the request.

        Raises:
            SigningError: the answer has no signature or a wrong one. Do not use it.
        """
        _verify(signed, headers, credentials.access_key_id, credentials.access_key_secret.encode())

    def _headers(self, request: Request, credentials: Signable, instant: Instant) -> list[tuple[str, str]]:
        headers = without(request, self.owned_headers)
        headers.append(("x-ots-date", f"{instant.iso[:-1]}.000Z"))
        if request.header("x-ots-apiversion") is None:
            headers.append(("x-ots-apiversion", API_VERSION))
        headers.append(("x-ots-accesskeyid", credentials.access_key_id))
        headers.append(("x-ots-instancename", self.instance))
        headers.append(("x-ots-contentmd5", b64encode(digest(request.body, "md5")).decode()))
        if credentials.security_token:
            headers.append(("x-ots-ststoken", credentials.security_token))
        return headers

    def __repr__(self) -> str:
        return f"OTSV2(instance={self.instance!r})"


class OTSV4(OTSV2):
    """Signs what OTSV2 signs, with a key derived for the day and the region.

    Args:
        instance: the name of the instance.
        region: the region ID, for instance "cn-hangzhou".
    """

    __slots__ = ("region",)

    name: ClassVar[str] = "OTSV4"

    def __init__(self, instance: str, region: str) -> None:
        super().__init__(instance)
        self.region: str = scope_region(region)

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its `x-ots-*` headers and `x-ots-signaturev4`."""
        del nonce
        instant = Instant.at(now)
        headers = self._headers(request, credentials, instant)
        headers.append(("x-ots-signdate", instant.day))
        headers.append(("x-ots-signregion", self.region))
        string = self.string_to_sign(request.with_headers(tuple(headers)))
        key = keys.derived(credentials.access_key_secret, instant.day, self.region, "ots", as_text=True)
        signature = key.base64(string)
        return request.with_headers((*headers, ("x-ots-signaturev4", signature)))

    def string_to_sign(self, signed: Request) -> str:
        """Path, method, parameters, the `x-ots-*` headers, and the service's name."""
        return f"{_string_to_sign(signed)}ots"

    def verify_response(
        self, signed: Request, headers: Mapping[str, str] | Iterable[tuple[str, str]], credentials: Signable
    ) -> None:
        """Check that the service signed an answer; see `OTSV2.verify_response`."""
        day = signed.header("x-ots-signdate") or ""
        key = b64encode(derive_key(credentials.access_key_secret, day, self.region, "ots"))
        _verify(signed, headers, credentials.access_key_id, key)

    def __repr__(self) -> str:
        return f"OTSV4(instance={self.instance!r}, region={self.region!r})"


def _string_to_sign(request: Request) -> str:
    headers = {name: value for name, value in prefixed(request.headers, "x-ots-").items() if name not in _SIGNATURES}
    pairs = sorted((name, value) for name, _, value in query_pairs(request.query))
    # Form encoding, which no other service uses in a signature: a space is "+".
    query = "&".join([f"{_form(name)}={_form(value)}" for name, value in pairs])
    return f"{request.path}\n{request.method}\n{query}\n{header_lines(headers)}"


def _form(text: str) -> str:
    return encode(text).replace("%20", "+")


def _verify(
    signed: Request, headers: Mapping[str, str] | Iterable[tuple[str, str]], access_key_id: str, key: bytes
) -> None:
    from collections.abc import Mapping

    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    answered = {name: value.strip() for name, value in prefixed(pairs, "x-ots-").items()}
    given = next((value for name, value in pairs if name.lower() == "authorization"), "")
    wanted = f"OTS {access_key_id}:{KeyedHmac(key, 'sha1').base64(header_lines(answered) + signed.path)}"
    if not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        what = "has a signature that is not the service's" if given else "is not signed"
        raise SigningError(
            f"The answer from {signed.host} {what}. Do not use it: look for a proxy between this program and "
            "Tablestore that changes or creates answers."
        )
