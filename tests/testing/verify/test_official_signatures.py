"""What the official signers make is accepted, and nothing that differs from it is."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds.testing import verify
from ramrole_creds.testing.account.credential_store import Identity, IssuedCredentials
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.verify import VERIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VECTORS = Path(__file__).parents[2] / "data" / "vectors"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----boundary"

SCHEMES: dict[str, verify.Verifier] = {
    "acs3_hmac_sha256": VERIFIERS["acs3"],
    "acs3_hmac_sm3": VERIFIERS["acs3"],
    "fc_v3_acs3": VERIFIERS["acs3"],
    "rpc_hmac_sha1": VERIFIERS["rpc"],
    "roa_hmac_sha1": VERIFIERS["roa"],
    "oss_v1_header": VERIFIERS["oss_v1"],
    "oss_v1_url": VERIFIERS["oss_v1_url"],
    "oss_v2": VERIFIERS["oss_v2"],
    "oss_v4_header": VERIFIERS["oss_v4"],
    "oss_v4_url": VERIFIERS["oss_v4_url"],
    "oss_post_v1": VERIFIERS["oss_post"],
    "oss_post_v4": VERIFIERS["oss_post"],
    "sls_v1": VERIFIERS["sls_v1"],
    "sls_v4": VERIFIERS["sls_v4"],
    "ots_v2": VERIFIERS["ots"],
    "ots_v4": VERIFIERS["ots"],
    "mns": VERIFIERS["mns"],
    "odps_v2": VERIFIERS["odps"],
    "odps_v4": VERIFIERS["odps"],
    "fc_v2": VERIFIERS["fc"],
    "s3_sigv4": VERIFIERS["s3_v4"],
    "s3_sigv4_url": VERIFIERS["s3_v4_url"],
    "s3_hmacv1": VERIFIERS["s3_hmacv1"],
}

# The body is part of what these sign, directly or by a digest that the service checks.
BODY_IS_SIGNED = {"acs3", "rpc_form", "sls_v1", "sls_v4", "ots", "s3_v4"}
NONCE_SCHEMES = {"acs3", "rpc", "roa"}

MISMATCH = {
    "acs3": "SignatureDoesNotMatch",
    "fc_trigger": "SignatureDoesNotMatch",
    "rpc": "SignatureDoesNotMatch",
    "roa": "SignatureDoesNotMatch",
    "oss_v1": "SignatureDoesNotMatch",
    "oss_v1_url": "SignatureDoesNotMatch",
    "oss_v2": "SignatureDoesNotMatch",
    "oss_v2_url": "SignatureDoesNotMatch",
    "oss_v4": "SignatureDoesNotMatch",
    "oss_v4_url": "SignatureDoesNotMatch",
    "oss_post": "SignatureDoesNotMatch",
    "s3_v4": "SignatureDoesNotMatch",
    "s3_v4_url": "SignatureDoesNotMatch",
    "s3_hmacv1": "SignatureDoesNotMatch",
    "sls_v1": "SignatureNotMatch",
    "sls_v4": "SignatureNotMatch",
    "ots": "OTSAuthFailed",
    "mns": "SignatureDoesNotMatch",
    "odps": "ODPS-0410042",
    "fc": "SignatureNotMatch",
}
SKEWED = {
    "acs3": "InvalidTimeStamp.Expired",
    "fc_trigger": "InvalidTimeStamp.Expired",
    "rpc": "InvalidTimeStamp.Expired",
    "roa": "InvalidTimeStamp.Expired",
    "oss_v1": "RequestTimeTooSkewed",
    "oss_v2": "RequestTimeTooSkewed",
    "oss_v4": "RequestTimeTooSkewed",
    "s3_v4": "RequestTimeTooSkewed",
    "s3_hmacv1": "RequestTimeTooSkewed",
    "sls_v1": "RequestTimeExpired",
    "sls_v4": "RequestTimeExpired",
    "ots": "OTSAuthFailed",
    "mns": "TimeExpired",
    "odps": "ODPS-0410031",
    "fc": "RequestTimeTooSkewed",
}
UNKNOWN_KEY = {
    "acs3": "InvalidAccessKeyId.NotFound",
    "fc_trigger": "InvalidAccessKeyId.NotFound",
    "rpc": "InvalidAccessKeyId.NotFound",
    "roa": "InvalidAccessKeyId.NotFound",
    "sls_v1": "Unauthorized",
    "sls_v4": "Unauthorized",
    "ots": "OTSAuthFailed",
    "odps": "ODPS-0410051",
    "fc": "InvalidAccessKeyID",
}
EXPIRED = {
    "acs3": "InvalidSecurityToken.Expired",
    "fc_trigger": "InvalidSecurityToken.Expired",
    "rpc": "InvalidSecurityToken.Expired",
    "roa": "InvalidSecurityToken.Expired",
    "ots": "OTSAuthFailed",
    "odps": "ODPS-0410051",
}


class Book(dict[str, IssuedCredentials]):
    """The keys of one vector."""

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        return self.get(access_key_id)


@dataclass(frozen=True)
class Signed:
    """A vector as the service meets it."""

    name: str
    verifier: verify.Verifier
    wire: WireRequest
    key: IssuedCredentials
    string_to_sign: str
    vector: dict[str, Any]

    def judge(
        self,
        wire: WireRequest | None = None,
        key: IssuedCredentials | None = None,
        now: float | None = None,
        nonces: verify.NonceMemory | None = None,
    ) -> verify.VerificationResult:
        key = key or self.key
        wire = wire or self.wire
        book = Book({key.access_key_id: key})
        return self.verifier(wire, book, self.wire.at if now is None else now, nonces or verify.NonceMemory())

    def rejected(self, **changes: Any) -> verify.Rejected:
        verdict = self.judge(**changes)
        assert isinstance(verdict, verify.Rejected), f"{self.name} was accepted after {list(changes)} changed"
        return verdict


def on_the_wire(text: str) -> str:
    return text.encode().decode("latin-1")


def load() -> Iterator[Signed]:
    for scheme, verifier in SCHEMES.items():
        for vector in json.loads((VECTORS / f"{scheme}.json").read_text())["vectors"]:
            yield signed_request(scheme, verifier, vector)


def signed_request(scheme: str, verifier: verify.Verifier, vector: dict[str, Any]) -> Signed:
    given, output, name = vector["input"], vector["output"], vector["name"]
    url = urlsplit(
        output.get("url") or given.get("url") or f"https://{given.get('bucket')}.oss-cn-hangzhou.aliyuncs.com/"
    )
    headers = {pair[0].lower(): tuple(pair) for pair in given.get("headers") or ()}
    headers |= {pair[0].lower(): tuple(pair) for pair in output.get("headers") or ()}
    headers.setdefault("host", ("Host", url.netloc))
    if "authorization" in output and "x-ots-date" not in headers:
        headers.setdefault("authorization", ("Authorization", output["authorization"]))
    body = base64.b64decode(given.get("body_base64") or "")
    if given.get("body_params"):
        body = urlencode([tuple(pair) for pair in given["body_params"]]).encode()
        headers["content-type"] = ("Content-Type", FORM)
    if "fields" in output:
        body = post_body({"bucket": given["bucket"], **wanted_fields(given), **output["fields"]})
        headers["content-type"] = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    if "http-trigger" in name and scheme == "fc_v3_acs3":
        verifier = VERIFIERS["fc_trigger"]
    if name.endswith("-url") and scheme == "oss_v2":
        verifier = VERIFIERS["oss_v2_url"]
    credentials = given["credentials"]
    key = IssuedCredentials(
        credentials["access_key_id"],
        credentials["access_key_secret"],
        credentials["security_token"],
        0,
        None,
        Identity("arn"),
    )
    wire = WireRequest(
        given.get("method", "POST"),
        given.get("uri") or url.path + ("?" + url.query if url.query else ""),
        tuple((header, on_the_wire(value)) for header, value in headers.values()),
        body,
        given["timestamp"],
    )
    return Signed(f"{scheme}/{name}", verifier, wire, key, output["string_to_sign"], vector)


def wanted_fields(given: dict[str, Any]) -> dict[str, str]:
    """Form fields that keep to the vector's policy."""
    fields = {"key": "k"}
    for condition in json.loads(given["policy_text"])["conditions"]:
        if isinstance(condition, list) and str(condition[1]).startswith("$"):
            wanted = condition[2]
            fields[condition[1][1:]] = wanted[0] if isinstance(wanted, list) else wanted
    return fields


def post_body(fields: dict[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhello\r\n'
    return ("".join(parts) + file + f"--{BOUNDARY}--\r\n").encode()


ALL = list(load())
BY_NAME = {signed.name: signed for signed in ALL}
vectors = st.sampled_from(ALL)


def every_vector(test: Callable[[Signed], None]) -> Callable[[str], None]:
    """One test a scheme, which goes through the scheme's vectors: a test for each would be thousands."""

    def test_of_scheme(scheme: str) -> None:
        for signed in ALL:
            if signed.name.startswith(f"{scheme}/"):
                test(signed)

    test_of_scheme.__name__ = test.__name__
    return pytest.mark.parametrize("scheme", SCHEMES)(test_of_scheme)


def scheme_of(signed: Signed) -> str:
    verdict = signed.judge()
    assert isinstance(verdict, verify.Accepted)
    return verdict.scheme


@every_vector
def test_a_request_signed_by_the_official_signer_is_accepted(signed: Signed) -> None:
    verdict = signed.judge()
    assert isinstance(verdict, verify.Accepted), verdict
    assert verdict.issued is signed.key
    assert verdict.access_key_id == signed.key.access_key_id


@every_vector
def test_a_wrong_secret_is_answered_with_the_string_that_should_have_been_signed(signed: Signed) -> None:
    verdict = signed.rejected(key=replace(signed.key, access_key_secret="another"))
    assert verdict.code == MISMATCH[verdict.scheme]
    empty_value = signed.name == "roa_hmac_sha1/09-empty-value"  # the official SDKs differ on it; both are accepted
    if not empty_value and signed.name != "roa_hmac_sha1/10-path-encoded":
        assert verdict.string_to_sign == signed.string_to_sign
    if "canonical_request" in signed.vector["output"]:
        assert verdict.canonical_request == signed.vector["output"]["canonical_request"]
    assert verdict.signature_provided
    assert signed.key.access_key_secret not in repr(verdict)


@every_vector
def test_a_key_that_was_never_issued_is_unknown(signed: Signed) -> None:
    verdict = signed.rejected(key=replace(signed.key, access_key_id="LTAI-somebody-else"))
    assert verdict.code == UNKNOWN_KEY.get(verdict.scheme, "InvalidAccessKeyId")


@every_vector
def test_a_token_dies_at_the_second_it_expires(signed: Signed) -> None:
    key = replace(signed.key, expires_at=signed.wire.at)
    verdict = signed.rejected(key=key)
    assert verdict.code == EXPIRED.get(verdict.scheme, "SecurityTokenExpired")
    assert isinstance(signed.judge(key=replace(key, expires_at=signed.wire.at + 1)), verify.Accepted)


@every_vector
def test_a_token_of_another_key_is_refused(signed: Signed) -> None:
    changed = "another-token" if signed.key.security_token else "unexpected-token"
    verdict = signed.rejected(key=replace(signed.key, security_token=changed))
    assert verdict.status in (400, 401, 403)
    assert verdict.code != MISMATCH[verdict.scheme] or verdict.scheme == "ots"


@every_vector
def test_a_clock_more_than_fifteen_minutes_off_is_refused(signed: Signed) -> None:
    scheme = scheme_of(signed)
    if scheme not in SKEWED:
        return  # presigned URLs and forms carry their own life
    for off in (-901, 901):
        assert signed.rejected(now=signed.wire.at + off).code == SKEWED[scheme]
    for off in (-900, 900):
        assert isinstance(signed.judge(now=signed.wire.at + off), verify.Accepted)


@every_vector
def test_a_presigned_url_ends_when_it_says(signed: Signed) -> None:
    life = signed.vector["input"].get("expires_in")
    if life is None:
        return
    assert isinstance(signed.judge(now=signed.wire.at + life), verify.Accepted)
    verdict = signed.rejected(now=signed.wire.at + life + 1)
    assert (verdict.code, verdict.message) == ("AccessDenied", "Request has expired.")
    assert [name for name, _ in verdict.extra] == ["Expires", "ServerTime"]


@every_vector
def test_a_nonce_is_good_for_one_request_in_fifteen_minutes(signed: Signed) -> None:
    scheme = scheme_of(signed)
    if scheme not in NONCE_SCHEMES:
        return
    nonces = verify.NonceMemory()
    assert isinstance(signed.judge(nonces=nonces), verify.Accepted)
    assert signed.rejected(nonces=nonces).code == "SignatureNonceUsed"
    assert signed.rejected(nonces=nonces, now=signed.wire.at + 899).code == "SignatureNonceUsed"
    assert isinstance(signed.judge(nonces=nonces, now=signed.wire.at + 900), verify.Accepted)


@settings(deadline=None)
@given(signed=vectors, method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]))
def test_another_method_is_refused(signed: Signed, method: str) -> None:
    if method == signed.wire.method or scheme_of(signed) == "oss_post":
        return
    verdict = signed.rejected(wire=replace(signed.wire, method=method))
    assert verdict.code == MISMATCH[verdict.scheme]


@settings(deadline=None)
@given(signed=vectors, extra=st.text(min_size=1, max_size=8).map(lambda text: quote(text, safe="")))
def test_another_path_is_refused(signed: Signed, extra: str) -> None:
    if scheme_of(signed) in ("oss_post", "rpc"):
        return
    path, mark, query = signed.wire.target.partition("?")
    verdict = signed.rejected(wire=replace(signed.wire, target=f"{path}x{extra}{mark}{query}"))
    assert verdict.code == MISMATCH[verdict.scheme]


@settings(deadline=None)
@given(signed=vectors, name=st.sampled_from(["acl", "Zz", "a.b"]), value=st.text(max_size=5))
def test_another_query_is_refused(signed: Signed, name: str, value: str) -> None:
    scheme = scheme_of(signed)
    path, _, query = signed.wire.target.partition("?")
    given_names = {key for key, _ in parse_qsl(query, keep_blank_values=True)}
    ignores_plain_parameters = scheme in ("oss_v1", "oss_v1_url", "s3_hmacv1") and name != "acl"
    api_of_fc = scheme == "fc" and "/proxy/" not in path
    if scheme == "oss_post" or ignores_plain_parameters or api_of_fc or name in given_names:
        return
    added = f"{name}={quote(value, safe='')}"
    verdict = signed.rejected(
        wire=replace(signed.wire, target=f"{path}?{query}&{added}" if query else f"{path}?{added}")
    )
    assert verdict.code == MISMATCH[verdict.scheme]


@settings(deadline=None)
@given(signed=vectors, pick=st.integers(min_value=0), suffix=st.sampled_from(["x", "-", "é"]))
def test_a_changed_signed_header_is_refused(signed: Signed, pick: int, suffix: str) -> None:
    scheme = scheme_of(signed)
    prefixes = {
        "acs3": ("x-acs-", "host"),
        "fc_trigger": ("x-acs-",),
        "roa": ("x-acs-", "accept"),
        "oss_v1": ("x-oss-", "date", "content-"),
        "oss_v1_url": ("x-oss-", "content-"),
        "oss_v2": ("x-oss-", "date"),
        "oss_v4": ("x-oss-", "content-type"),
        "oss_v4_url": ("x-oss-", "content-type"),
        "s3_v4": ("x-amz-", "host"),
        "s3_v4_url": ("host",),
        "s3_hmacv1": ("x-amz-", "date"),
        "sls_v1": ("x-log-", "x-acs-", "date"),
        "sls_v4": ("x-log-", "x-acs-", "host"),
        "ots": ("x-ots-",),
        "mns": ("x-mns-", "date"),
        "odps": ("x-odps-", "date"),
        "fc": ("x-fc-", "date"),
    }.get(scheme, ())
    places = [
        place
        for place, (name, _) in enumerate(signed.wire.headers)
        if name.lower().startswith(prefixes or ("\0",))
        and not name.lower().startswith("x-log-meta-")
        and (scheme, name.lower()) != ("sls_v1", "x-log-date")
    ]
    if not places:
        return
    headers = list(signed.wire.headers)
    place = places[pick % len(places)]
    headers[place] = (headers[place][0], headers[place][1] + on_the_wire(suffix))
    signed.rejected(wire=replace(signed.wire, headers=tuple(headers)))


@settings(deadline=None)
@given(signed=vectors, body=st.binary(max_size=20))
def test_another_body_is_refused_where_the_scheme_covers_it(signed: Signed, body: bytes) -> None:
    scheme = scheme_of(signed)
    if scheme == "rpc" and signed.wire.body:
        scheme = "rpc_form"
    if (
        scheme not in BODY_IS_SIGNED
        or body == signed.wire.body
        or signed.wire.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    ):
        return
    if scheme == "sls_v1" and not signed.wire.body:
        return
    signed.rejected(wire=replace(signed.wire, body=body))


@settings(deadline=None)
@given(signed=vectors, junk=st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_an_unreadable_authorization_is_a_refusal_and_never_an_error(signed: Signed, junk: str) -> None:
    kind = (signed.wire.header("authorization") or "").partition(" ")[0]
    for value in (junk, f"{kind} {junk}"):
        headers = tuple(
            (name, value if name.lower() in ("authorization", "x-ots-signature", "x-ots-signaturev4") else text)
            for name, text in signed.wire.headers
        )
        if headers != signed.wire.headers:
            signed.rejected(wire=replace(signed.wire, headers=headers))


@settings(deadline=None)
@given(
    signed=vectors, junk=st.text(alphabet=st.characters(max_codepoint=255), max_size=80), place=st.integers(min_value=0)
)
def test_no_request_whatever_makes_a_verifier_fail(signed: Signed, junk: str, place: int) -> None:
    headers = list(signed.wire.headers)
    headers[place % len(headers)] = (headers[place % len(headers)][0], junk)
    signed.judge(wire=replace(signed.wire, headers=tuple(headers)))
    target = signed.wire.target
    cut = place % (len(target) + 1)
    signed.judge(wire=replace(signed.wire, target=target[:cut] + junk))
    signed.judge(wire=replace(signed.wire, body=junk.encode("latin-1")))


@every_vector
def test_headers_may_arrive_in_any_order_and_case(signed: Signed) -> None:
    shuffled = tuple((name.upper(), value) for name, value in reversed(signed.wire.headers))
    assert isinstance(signed.judge(wire=replace(signed.wire, headers=shuffled)), verify.Accepted)


@every_vector
def test_query_parameters_may_arrive_in_any_order(signed: Signed) -> None:
    path, mark, query = signed.wire.target.partition("?")
    turned = path + mark + "&".join(reversed(query.split("&")))
    if scheme_of(signed) == "mns":
        assert turned == signed.wire.target or isinstance(
            signed.judge(wire=replace(signed.wire, target=turned)), verify.Rejected
        )
    else:
        assert isinstance(signed.judge(wire=replace(signed.wire, target=turned)), verify.Accepted)


@pytest.mark.parametrize("scheme", ["ots_v2", "ots_v4"])
def test_the_signature_on_a_tablestore_answer_is_the_one_the_official_client_expects(scheme: str) -> None:
    for signed in ALL:
        if signed.name.startswith(scheme):
            response = signed.vector["output"]["response"]
            made = verify.ots_response_authorization(
                signed.wire, Book({signed.key.access_key_id: signed.key}), [tuple(pair) for pair in response["headers"]]
            )
            assert made == response["authorization"]


def test_an_unissued_key_gets_no_signature_on_a_tablestore_answer() -> None:
    assert verify.ots_response_authorization(BY_NAME["ots_v2/01-list-table"].wire, Book(), ()) is None


def test_the_second_official_signer_of_roa_is_accepted_too() -> None:
    signed = BY_NAME["roa_hmac_sha1/09-empty-value"]
    [check] = signed.vector["checks"]
    authorization = ("authorization", f"acs {signed.key.access_key_id}:{check['signature']}")
    headers = tuple(
        authorization if name.lower() == "authorization" else (name, value) for name, value in signed.wire.headers
    )
    assert isinstance(signed.judge(wire=replace(signed.wire, headers=headers)), verify.Accepted)


def test_names_of_the_vectors_are_what_the_paths_decode_to() -> None:
    signed = BY_NAME["oss_v1_header/04-unicode-key"]
    address = verify.oss_address(signed.wire)
    assert (address.bucket, address.key) == (signed.vector["input"]["bucket"], signed.vector["input"]["key"])
    path_style = replace(
        signed.wire,
        target=f"/{address.bucket}{signed.wire.target}",
        headers=tuple((n, "127.0.0.1:80" if n.lower() == "host" else v) for n, v in signed.wire.headers),
    )
    assert verify.oss_address(path_style).key == unquote(signed.wire.path[1:])
    assert isinstance(signed.judge(wire=path_style), verify.Accepted)
