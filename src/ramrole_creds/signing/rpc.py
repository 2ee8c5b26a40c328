"""RPC, signature version 1.0: the older signature of the OpenAPI gateway, in the query."""

from __future__ import annotations

from base64 import b64encode
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing.canonical import query_pairs
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.percent import decode, encode
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing.derived_keys import DerivedKeys
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
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: DerivedKeys
    ) -> Request:
        """The request with the common parameters and `Signature` in its query."""
        del keys  # RPC signs with the secret itself
        kept = [pair for pair in query_pairs(request.query) if pair[0] not in _OWNED]
        query = [f"{encode(name)}={encode(value)}" for name, _, value in kept]
        if not any(pair[0] == "Format" for pair in kept):
            query.append("Format=JSON")
        query.append(f"AccessKeyId={encode(credentials.access_key_id)}")
        query.append("SignatureMethod=HMAC-SHA1")
        query.append("SignatureVersion=1.0")
        query.append(f"SignatureNonce={encode(nonce())}")
        query.append(f"Timestamp={encode(Instant.at(now).iso)}")
        if credentials.security_token:
            query.append(f"SecurityToken={encode(credentials.security_token)}")
        form = _form_pairs(request)
        string = _string_to_sign(request.method, query + [f"{encode(name)}={encode(value)}" for name, value in form])
        signature = b64encode(hmac_digest(f"{credentials.access_key_secret}&".encode(), string.encode(), "sha1"))
        query.append(f"Signature={encode(signature.decode())}")
        return request.with_headers(request.headers, "&".join(query))

    def string_to_sign(self, signed: Request) -> str:
        """Method, path and all parameters but the signature, encoded twice."""
        pairs = [(name, value) for name, _, value in query_pairs(signed.query) if name != "Signature"]
        pairs += _form_pairs(signed)
        return _string_to_sign(signed.method, [f"{encode(name)}={encode(value)}" for name, value in pairs])

    def __repr__(self) -> str:
        return "RPC()"


def _string_to_sign(method: str, encoded: list[str]) -> str:
    """Parameters sorted by decoded name; encoded text is enough to sort by where no name has an escape."""
    pairs = [text.partition("=") for text in encoded]
    if any("%" in name for name, _, _ in pairs):
        pairs.sort(key=lambda pair: (decode(pair[0]), decode(pair[2])))
    else:
        pairs.sort()
    query = "&".join([f"{name}={value}" for name, _, value in pairs])
    # What is left to encode in encoded text is "%", "=" and "&".
    query = query.replace("%", "%25").replace("=", "%3D").replace("&", "%26")
    return f"{method}&%2F&{query}"


def _form_pairs(request: Request) -> list[tuple[str, str]]:
    """Decoded parameters of a form body; none where the body is something else."""
    if not isinstance(request.body, bytes) or not request.body:
        return []
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type != _FORM:
        return []
    text = request.body.decode("utf-8", "surrogateescape").replace("+", " ")
    return [(name, value) for name, _, value in query_pairs(text)]
