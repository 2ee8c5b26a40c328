"""RPC, signature version 1.0: the older signature of the OpenAPI gateway, among the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import query_pairs
from ramrole_creds.signing._percent import decode, encode, is_encoded_query
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme, without_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
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
_SIGNATURE = frozenset(("Signature",))
FORM = "application/x-www-form-urlencoded"


class RPC(Scheme):
    """Signs all parameters of the query and, for a form, of the body; neither path nor headers nor other bodies.

    The common parameters go into the query, as in the official SDKs. Of a POST with a form or without a body, the
    security token and the signature go into the form, because HTTP clients and proxies log URLs. A parameter that is in
    the query and in the form counts with the form's value. `Format` becomes JSON if the caller does not name one.
    """

    __slots__ = ()

    name: ClassVar[str] = "RPC"
    covers_body: ClassVar[bool] = True

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with the common parameters, and with `Signature` in its form or its query."""
        query = _encoded_pairs(request.query, _OWNED)
        form = _kept_form(request)
        if all(name != "Format" for name, _ in query + _form_pairs(form)):
            query.append(("Format", "JSON"))
        query += (
            ("AccessKeyId", encode(credentials.access_key_id)),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", encode(nonce())),
            ("Timestamp", Instant.at(now).iso.replace(":", "%3A")),
        )
        token = [("SecurityToken", encode(credentials.security_token))] if credentials.security_token else []
        string = _string_to_sign(request.method, query + token, _form_pairs(form))
        signature = keys.of_secret(credentials.access_key_secret, "sha1", "&").base64(string)
        proof = _joined([*token, ("Signature", encode(signature))])
        if form is None or request.method != "POST":
            return request.with_headers(request.headers, f"{_joined(query)}&{proof}")
        body = (f"{form}&{proof}" if form else proof).encode("utf-8", "surrogateescape")
        return request.with_headers(_form_headers(request, len(body)), _joined(query)).with_body(body)

    def string_to_sign(self, signed: Request) -> str:
        """Method, path and all parameters but the signature, encoded twice."""
        form = _form_pairs(_form_text(signed, _SIGNATURE))
        return _string_to_sign(signed.method, _encoded_pairs(signed.query, _SIGNATURE), form)

    def __repr__(self) -> str:
        return "RPC()"


def _string_to_sign(method: str, query: list[tuple[str, str]], form: list[tuple[str, str]]) -> str:
    """The parameters sorted by their decoded names, joined, and encoded once more."""
    in_form = {name for name, _ in form}
    encoded = [pair for pair in query if pair[0] not in in_form] + form if form else query
    if any("%" in name for name, _ in encoded):
        ordered = sorted(encoded, key=lambda pair: (decode(pair[0]), decode(pair[1])))
    else:
        ordered = sorted(encoded)
    # In encoded text only "%", and the "=" and "&" in between, are left to encode.
    return f"{method}&%2F&{_joined(ordered).replace('%', '%25').replace('=', '%3D').replace('&', '%26')}"


def _joined(pairs: list[tuple[str, str]]) -> str:
    return "&".join([f"{name}={value}" for name, value in pairs])


def _encoded_pairs(query: str, owned: frozenset[str]) -> list[tuple[str, str]]:
    """Names and values of the query, encoded as they must be, without the owned parameters."""
    if not query:
        return []
    if is_encoded_query(query):
        pairs = [(name, value) for name, _, value in [text.partition("=") for text in query.split("&")]]
    else:
        pairs = [(encode(name), encode(value)) for name, _, value in query_pairs(query)]
    return [pair for pair in pairs if pair[0] not in owned]


def _kept_form(request: Request) -> str | None:
    """The form without the owned parameters, "" for a POST that can get one; None for other requests."""
    if request.method == "POST" and not request.body and request.header("content-type") is None:
        return ""
    return _form_text(request, _OWNED)


def _form_text(request: Request, owned: frozenset[str]) -> str | None:
    """The form of the body as it is sent, without the owned parameters; None if the body is not a form."""
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type != FORM or not isinstance(request.body, (bytes, type(None))):
        return None
    return without_parameters((request.body or b"").decode("utf-8", "surrogateescape"), owned)


def _form_pairs(form: str | None) -> list[tuple[str, str]]:
    """The parameters of a form, encoded."""
    if not form:
        return []
    return [(encode(name), encode(value)) for name, _, value in query_pairs(form.replace("+", " "))]


def _form_headers(request: Request, length: int) -> Headers:
    """The headers for a form of that length."""
    headers = [(name, str(length) if name.lower() == "content-length" else value) for name, value in request.headers]
    if request.header("content-type") is None:
        headers.append(("Content-Type", FORM))
    return tuple(headers)
