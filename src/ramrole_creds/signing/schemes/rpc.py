"""RPC, signature version 1.0: the older signature of the OpenAPI gateway, in the query."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import query_pairs
from ramrole_creds.signing._percent import decode, encode, is_encoded_query
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

_OWNED = frozenset(
    (
        "AccessKeyId",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureVersion",
        "Timestamp",
    )
)
_FORM = "application/x-www-form-urlencoded"


class RPC(Scheme):
    """Signs all parameters of the query and, for a form, of the body; neither path nor headers nor other bodies.

    The common parameters go into the query of every request, of a POST too, as the official SDK does it; `Format`
    becomes JSON where the caller names none.
    """

    __slots__ = ()

    name: ClassVar[str] = "RPC"
    covers_body: ClassVar[bool] = True

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with the common parameters and `Signature` in its query."""
        kept = _encoded_pairs(request.query, _OWNED)
        if not any(name == "Format" for name, _ in kept):
            kept.append(("Format", "JSON"))
        kept += (
            ("AccessKeyId", encode(credentials.access_key_id)),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", encode(nonce())),
            ("Timestamp", Instant.at(now).iso.replace(":", "%3A")),
        )
        if credentials.security_token:
            kept.append(("SecurityToken", encode(credentials.security_token)))
        string = _string_to_sign(request.method, kept + _form_pairs(request))
        signature = keys.of_secret(credentials.access_key_secret, "sha1", "&").base64(string)
        kept.append(("Signature", encode(signature)))
        return request.with_headers(request.headers, "&".join([f"{name}={value}" for name, value in kept]))

    def string_to_sign(self, signed: Request) -> str:
        """Method, path and all parameters but the signature, encoded twice."""
        return _string_to_sign(
            signed.method, _encoded_pairs(signed.query, frozenset(("Signature",))) + _form_pairs(signed)
        )

    def __repr__(self) -> str:
        return "RPC()"


def _string_to_sign(method: str, encoded: list[tuple[str, str]]) -> str:
    """The parameters sorted by their decoded names, joined, and encoded once more."""
    if any("%" in name for name, _ in encoded):
        ordered = sorted(encoded, key=lambda pair: (decode(pair[0]), decode(pair[1])))
    else:
        ordered = sorted(encoded)
    # What is left to encode in encoded text is "%", and the "=" and "&" in between.
    query = "&".join([f"{name}={value}" for name, value in ordered])
    query = query.replace("%", "%25").replace("=", "%3D").replace("&", "%26")
    return f"{method}&%2F&{query}"


def _encoded_pairs(query: str, owned: frozenset[str]) -> list[tuple[str, str]]:
    """Names and values of the query, encoded as they must be; without the parameters owned."""
    if not query:
        return []
    if is_encoded_query(query):
        pairs = [(name, value) for name, _, value in [text.partition("=") for text in query.split("&")]]
    else:
        pairs = [(encode(name), encode(value)) for name, _, value in query_pairs(query)]
    return [pair for pair in pairs if pair[0] not in owned]


def _form_pairs(request: Request) -> list[tuple[str, str]]:
    """Parameters of a form body, encoded; none where the body is something else."""
    if not isinstance(request.body, bytes) or not request.body:
        return []
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type != _FORM:
        return []
    text = request.body.decode("utf-8", "surrogateescape").replace("+", " ")
    return [(encode(name), encode(value)) for name, _, value in query_pairs(text)]
