"""Signatures equal those of the official SDKs, over requests that nobody thought of.

Each official signer signs a request; ours signs the same one with its time and nonce. Where an SDK departs from its own
documentation we follow the documentation, and the comparison is made over the requests on which the two agree; a
comment beside each such limit says what the SDK does.
"""

from __future__ import annotations

import base64
import calendar
import os
import time
import warnings
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

# Python 3.12 and later warn of `utcnow`, by which oss2 dates its V4 signatures.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

KEYS = st.sampled_from(
    [
        Credentials("LTAI5tExampleKey", "example-secret"),
        Credentials("STS.NTExampleKey", "example/secret+2", "CAIS-example+token/with=chars=="),
    ]
)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"])
PLAIN = st.text("abzAZ019-_.~", min_size=1, max_size=8)
TEXT = st.text("ab Z0-_.~!*'();:@&=+$,/?#[]%\"<>\\^`{|}é杭😀", max_size=12)
PRINTABLE = st.text("ab Z0-_.~!*'();:@&=+$,/?#[]%\"", max_size=12).map(str.strip)
BODY = st.binary(max_size=64)
REGIONS = st.sampled_from(["cn-hangzhou", "ap-southeast-1"])


def official(module: str) -> Any:
    """A module of an official SDK."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what these packages warn of when they are imported is not ours
        if os.environ.get("DIFFERENTIAL") == "required":
            return import_module(module)
        return pytest.importorskip(module, reason="compared in the environment that has all official signers")


def compare(test: Any) -> Any:
    """Hypothesis' own limit of time would only measure the official signers."""
    return settings(deadline=None)(test)


class At:
    """A clock that stands at a second."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def time(self) -> float:
        return self._seconds

    def monotonic(self) -> float:
        return self._seconds


def at(text: str, form: str) -> At:
    return At(calendar.timegm(time.strptime(text, form)))


HTTP = "%a, %d %b %Y %H:%M:%S GMT"
BASIC = "%Y%m%dT%H%M%SZ"
ISO = "%Y-%m-%dT%H:%M:%SZ"


def signed(
    keys: Credentials, scheme: signing.Scheme, clock: At, request: signing.Request, nonce: str = "n"
) -> signing.Request:
    return signing.Signer(keys, scheme, clock, lambda: nonce).sign(request)


def encoded(text: str, keep: str = "/") -> str:
    return quote(text, safe=f"{keep}~")


@compare
@given(KEYS, METHODS, st.dictionaries(PLAIN, TEXT, max_size=4), st.dictionaries(PLAIN, PRINTABLE, max_size=3), BODY)
def test_acs3(keys: Credentials, method: str, params: dict[str, str], extra: dict[str, str], body: bytes) -> None:
    # tea-openapi leaves parameter names unencoded, against its documentation: plain names only.
    utils = official("alibabacloud_tea_openapi.utils").Utils
    tea = official("darabonba.request").DaraRequest()
    headers = {"host": "ecs.example.com", "x-acs-action": "A", "x-acs-version": "V"}
    headers |= {f"x-acs-m{name}": value for name, value in _one_case(extra).items()}
    ours = signed(
        keys, signing.ACS3(), At(1700000000), signing.Request(method, "https://ecs.example.com/", headers, params, body)
    )
    tea.method, tea.pathname, tea.query = method, "/", params
    tea.headers = {name.lower(): value for name, value in ours.headers if name != "Authorization"}
    theirs = utils.get_authorization(
        tea, "ACS3-HMAC-SHA256", ours.header("x-acs-content-sha256"), keys.access_key_id, keys.access_key_secret
    )
    assert ours.header("authorization") == theirs


def test_acs3_with_a_key_pair() -> None:
    utils = official("alibabacloud_tea_openapi.utils").Utils
    rsa = official("cryptography.hazmat.primitives.asymmetric.rsa")
    serialization = official("cryptography.hazmat.primitives.serialization")
    der = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keys = Credentials("LTRSA.id", base64.b64encode(der).decode())
    headers = {"x-acs-action": "A", "x-acs-version": "V", "content-type": "application/json"}
    ours = signed(
        keys,
        signing.ACS3(algorithm="ACS3-RSA-SHA256"),
        At(1700000000),
        signing.Request("POST", "https://ecs.example.com/", headers, {"a": "1"}, b"{}"),
    )
    tea = official("darabonba.request").DaraRequest()
    tea.method, tea.pathname, tea.query = "POST", "/", {"a": "1"}
    tea.headers = {name.lower(): value for name, value in ours.headers if name != "Authorization"}
    theirs = utils.get_authorization(
        tea, "ACS3-RSA-SHA256", ours.header("x-acs-content-sha256"), keys.access_key_id, keys.access_key_secret
    )
    assert ours.header("authorization") == theirs


@compare
@given(KEYS, st.sampled_from(["GET", "POST"]), st.dictionaries(TEXT.filter(bool), TEXT, max_size=5))
def test_rpc(keys: Credentials, method: str, params: dict[str, str]) -> None:
    composer = official("aliyunsdkcore.auth.composer.rpc_signature_composer")
    algorithm = official("aliyunsdkcore.auth.algorithm").sha_hmac1
    params = {**params, "Action": "A", "Version": "V"}
    given_params = dict(params)
    if keys.security_token:
        given_params["SecurityToken"] = keys.security_token
    url, _ = composer.get_signed_url(
        given_params, keys.access_key_id, keys.access_key_secret, "JSON", method, {}, algorithm
    )
    theirs = dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))
    ours = signed(
        keys,
        signing.RPC(),
        at(theirs["Timestamp"], ISO),
        # This SDK signs an empty SignatureType besides, as one more parameter.
        signing.Request(method, "https://ecs.example.com/", params={**params, "SignatureType": ""}),
        theirs["SignatureNonce"],
    )
    # Of a POST, ours has token and signature in the form.
    form = ours.body.decode() if isinstance(ours.body, bytes) else ""
    assert dict(parse_qsl(f"{ours.query}&{form}", keep_blank_values=True)) == theirs
    tea = official("alibabacloud_tea_openapi.utils").Utils
    unsigned = {name: value for name, value in theirs.items() if name != "Signature"}
    assert tea.get_rpcsignature(unsigned, method, keys.access_key_secret) == theirs["Signature"]


@compare
@given(KEYS, METHODS, st.dictionaries(PLAIN, TEXT, max_size=4), st.dictionaries(PLAIN, PRINTABLE, max_size=3))
def test_roa(keys: Credentials, method: str, params: dict[str, str], extra: dict[str, str]) -> None:
    utils = official("alibabacloud_tea_openapi.utils").Utils
    tea = official("darabonba.request").DaraRequest()
    headers = {"accept": "application/json", "content-type": "text/plain", "x-acs-version": "V"}
    headers |= {f"x-acs-m{name}": value for name, value in _one_case(extra).items()}
    ours = signed(
        keys, signing.ROA(), At(1700000000), signing.Request(method, "https://cs.example.com/c/x", headers, params)
    )
    tea.method, tea.pathname, tea.query = method, "/c/x", params
    tea.headers = {name.lower(): value for name, value in ours.headers if name != "Authorization"}
    theirs = utils.get_roasignature(utils.get_string_to_sign(tea), keys.access_key_secret)
    assert ours.header("authorization") == f"acs {keys.access_key_id}:{theirs}"


OSS_NAMES = st.sampled_from(["acl", "uploadId", "partNumber", "x-oss-process", "response-content-type", "prefix", "q"])
# Keys begin with a letter: a leading slash or dots are resolved by some HTTP libraries, never by the signature.
OSS_KEYS = TEXT.map(lambda text: f"k{text}")


def _oss2_request(oss2: Any, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Any:
    return oss2.http.Request(
        method, url, params=dict(params), headers=dict(headers), region="cn-hangzhou", product="oss", cloudbox_id=None
    )


@pytest.mark.parametrize("version", ["v1", "v4"])
@compare
@given(KEYS, METHODS, OSS_KEYS, st.dictionaries(OSS_NAMES, TEXT, max_size=3), st.dictionaries(PLAIN, PRINTABLE))
def test_oss_header(
    version: str, keys: Credentials, method: str, key: str, params: dict[str, str], extra: dict[str, str]
) -> None:
    oss2 = official("oss2")
    url = f"https://examplebucket.oss-cn-hangzhou.aliyuncs.com/{encoded(key)}"
    headers = {"Content-Type": "text/plain"} | {f"x-oss-meta-{k}": v for k, v in _one_case(extra).items()}
    request = _oss2_request(oss2, method, url, params, headers)
    _oss2_auth(oss2, keys, version)._sign_request(request, "examplebucket", key)  # noqa: SLF001  # the part that signs
    if version == "v1":
        scheme, clock = signing.OSSV1("examplebucket"), at(request.headers["date"], HTTP)
    else:
        scheme, clock = signing.OSSV4("cn-hangzhou", "examplebucket"), at(request.headers["x-oss-date"], BASIC)  # type: ignore[assignment]
    ours = signed(keys, scheme, clock, signing.Request(method, url, headers, params))
    # oss2 writes the parts of a V4 Authorization in another order and with blanks.
    theirs = request.headers["authorization"]
    assert _parts(ours.header("authorization")) == _parts(theirs)


@pytest.mark.parametrize("version", ["v1", "v4"])
@compare
@given(KEYS, OSS_KEYS, st.dictionaries(OSS_NAMES, TEXT, max_size=3), st.integers(1, 604800))
def test_oss_url(version: str, keys: Credentials, key: str, params: dict[str, str], life: int) -> None:
    oss2 = official("oss2")
    url = f"https://examplebucket.oss-cn-hangzhou.aliyuncs.com/{encoded(key)}"
    request = _oss2_request(oss2, "GET", url, params, {"x-oss-meta-a": "1"})
    signed_url = _oss2_auth(oss2, keys, version)._sign_url(request, "examplebucket", key, life)  # noqa: SLF001  # the part that signs
    theirs = dict(parse_qsl(signed_url.partition("?")[2], keep_blank_values=True))
    if version == "v1":
        scheme, clock = signing.OSSV1("examplebucket"), At(int(theirs["Expires"]) - life)
    else:
        scheme, clock = signing.OSSV4("cn-hangzhou", "examplebucket"), at(theirs["x-oss-date"], BASIC)  # type: ignore[assignment]
    unsigned = signing.Request("GET", url, {"x-oss-meta-a": "1"}, params)
    ours = signing.Signer(keys, scheme, clock).presign(unsigned, life)
    assert dict(parse_qsl(ours.url.partition("?")[2], keep_blank_values=True)) == theirs


def _oss2_auth(oss2: Any, keys: Credentials, version: str) -> Any:
    if keys.security_token:
        return oss2.StsAuth(keys.access_key_id, keys.access_key_secret, keys.security_token, auth_version=version)
    maker = oss2.AuthV4 if version == "v4" else oss2.Auth
    return maker(keys.access_key_id, keys.access_key_secret)


@compare
@given(KEYS, METHODS, OSS_KEYS, st.dictionaries(OSS_NAMES, TEXT, max_size=3), st.booleans())
def test_oss_v4_of_the_second_sdk(
    keys: Credentials,
    method: str,
    key: str,
    params: dict[str, str],
    in_query: bool,
) -> None:
    sdk = official("alibabacloud_oss_v2.types")
    signer = official("alibabacloud_oss_v2.signer").SignerV4()
    credentials = official("alibabacloud_oss_v2.credentials").Credentials(
        keys.access_key_id, keys.access_key_secret, keys.security_token
    )
    # This SDK signs the query as it stands in the URL, so it is given one that is encoded as it should be.
    base = signing.Request(method, f"https://examplebucket.oss-cn-hangzhou.aliyuncs.com/{encoded(key)}", params=params)
    url = base.url.replace("=&", "&").removesuffix("=")
    request = sdk.HttpRequest(method, url, headers={"Content-Type": "text/plain"})
    context = sdk.SigningContext(
        product="oss", region="cn-hangzhou", bucket="examplebucket", key=key, request=request, credentials=credentials
    )
    context.auth_method_query = in_query
    signer.sign(context)
    mine = signing.Request(method, url, {"Content-Type": "text/plain"})
    scheme = signing.OSSV4("cn-hangzhou", "examplebucket")
    if in_query:
        theirs = dict(parse_qsl(request.url.partition("?")[2], keep_blank_values=True))
        clock = at(theirs["x-oss-date"], BASIC)
        ours = signing.Signer(keys, scheme, clock).presign(mine, int(theirs["x-oss-expires"]))
        assert dict(parse_qsl(ours.url.partition("?")[2], keep_blank_values=True)) == theirs
    else:
        clock = at(request.headers["x-oss-date"], BASIC)
        assert signed(keys, scheme, clock, mine).header("authorization") == request.headers["Authorization"]


@pytest.mark.parametrize("version", ["v1", "v4"])
@compare
@given(KEYS, METHODS, st.dictionaries(PLAIN, TEXT, max_size=4), st.dictionaries(PLAIN, PRINTABLE, max_size=3), BODY)
def test_sls(
    version: str, keys: Credentials, method: str, params: dict[str, str], extra: dict[str, str], body: bytes
) -> None:
    # The SDK signs names and paths unencoded and sends them encoded; header names in capitals are not lowered (v1).
    auth = official("aliyun.log.auth")
    host = "p.cn-hangzhou.log.aliyuncs.com"
    headers = {"Host": host, "x-log-apiversion": "0.6.0", "x-log-bodyrawsize": str(len(body))}
    headers |= {"Content-Type": "text/plain"} | {f"x-log-m{k}": v for k, v in _one_case(extra).items()}
    theirs = dict(headers)
    auth.make_auth(_Provider(keys), version, "cn-hangzhou").sign_request(method, "/logstores/ls", params, theirs, body)
    scheme: signing.Scheme = signing.SLSV1() if version == "v1" else signing.SLSV4("cn-hangzhou")
    clock = at(theirs["x-log-date"], HTTP if version == "v1" else BASIC)
    request = signing.Request(method, f"https://{host}/logstores/ls", headers, params, body)
    assert signed(keys, scheme, clock, request).header("authorization") == theirs["Authorization"]


class _Provider:
    def __init__(self, keys: Credentials) -> None:
        self._keys = keys

    def get_credentials(self) -> Credentials:
        return self._keys


@pytest.mark.parametrize("version", ["v2", "v4"])
@compare
@given(KEYS, PLAIN, st.dictionaries(PLAIN, TEXT.filter(bool), max_size=3), st.dictionaries(PLAIN, PRINTABLE), BODY)
def test_tablestore(
    version: str, keys: Credentials, operation: str, params: dict[str, str], extra: dict[str, str], body: bytes
) -> None:
    # The SDK loses empty parameters, and sorts whole header lines, which differs where one name begins another.
    auth = official("tablestore.auth")
    headers = {f"x-ots-m{k}": v for k, v in _one_case(extra).items()}
    names = sorted(headers)
    if any(other.startswith(name) for name in names for other in names if other != name):
        headers = {}
    scheme = signing.OTSV2("inst") if version == "v2" else signing.OTSV4("inst", "cn-hangzhou")
    request = signing.Request("POST", f"https://inst.example.com/{operation}", headers, params, body)
    ours = signed(keys, scheme, At(1700000000), request)
    name = "x-ots-signature" if version == "v2" else "x-ots-signaturev4"
    theirs = {k.lower(): v for k, v in ours.headers if k.lower() != name}
    signer = (
        auth.SignV2("utf-8") if version == "v2" else auth.SignV4("utf-8", region="cn-hangzhou", sign_date="20231114")
    )
    context = auth.RequestContext(_OtsCredentials(keys))
    signer.make_request_signature_and_add_headers(ours.url.partition("inst.example.com")[2], theirs, context)
    assert ours.header(name) == _text(theirs[name])


class _OtsCredentials:
    def __init__(self, keys: Credentials) -> None:
        self._keys = keys

    def get_access_key_secret(self) -> str:
        return self._keys.access_key_secret


@compare
@given(KEYS, METHODS, st.dictionaries(PLAIN, TEXT, max_size=3), st.dictionaries(PLAIN, PRINTABLE, max_size=3), BODY)
def test_mns(keys: Credentials, method: str, params: dict[str, str], extra: dict[str, str], body: bytes) -> None:
    # The SDK leaves header names in capitals out of what it signs.
    client = official("mns.mns_client").MNSClient("https://1.mns.example.com", "id", "key")
    headers = {f"x-mns-m{k}": v for k, v in _one_case(extra).items()}
    request = signing.Request(method, "https://1.mns.example.com/queues/q", headers, params, body)
    ours = signed(keys, signing.MNS(), At(1700000000), request)
    target = ours.url.partition("mns.example.com")[2]
    theirs = client.get_signature(method, {k.lower(): v for k, v in ours.headers}, target, keys)
    assert ours.header("authorization") == theirs


# pyodps decodes a query twice and splits it after the first time; what has none of %, +, &, = and # survives that.
ODPS_TEXT = st.text("ab Z0-_.~!*'():@$,/é杭😀", min_size=1, max_size=12)


@pytest.mark.parametrize("version", ["v2", "v4"])
@compare
@given(KEYS, METHODS, st.dictionaries(PLAIN, ODPS_TEXT, max_size=3), st.dictionaries(PLAIN, PRINTABLE, max_size=3))
def test_maxcompute(
    version: str, keys: Credentials, method: str, params: dict[str, str], extra: dict[str, str]
) -> None:
    accounts = official("odps.accounts")
    endpoint = "https://service.example.com/api"
    headers = {f"x-odps-m{k}": v for k, v in _one_case(extra).items()} | {"Content-Type": "text/plain"}
    request = signing.Request(method, f"{endpoint}/projects/p", headers, params)
    account = accounts.CloudAccount(keys.access_key_id, keys.access_key_secret)
    scheme: signing.Scheme = signing.ODPSV2(endpoint)
    region = None
    if version == "v4":
        scheme, region = signing.ODPSV4(endpoint, "cn-hangzhou"), "cn-hangzhou"

    def both() -> tuple[str | None, str]:
        ours = signed(keys, scheme, At(time.time()), request)
        own = ("Authorization", "authorization-sts-token")
        wire = _Wire(method, ours.url, {name: value for name, value in ours.headers if name not in own})
        account.sign_request(wire, endpoint, region)
        return ours.header("authorization"), wire.headers["Authorization"]

    mine, theirs = both()
    if mine != theirs:  # v4 takes its day from the real clock, which may just have passed midnight
        mine, theirs = both()
    assert mine == theirs


class _Wire:
    def __init__(self, method: str, url: str, headers: dict[str, str]) -> None:
        self.method, self.url, self.headers = method, url, headers


@compare
@given(KEYS, METHODS, st.dictionaries(PLAIN, TEXT, max_size=3), st.dictionaries(PLAIN, PRINTABLE), st.booleans())
def test_function_compute(
    keys: Credentials,
    method: str,
    params: dict[str, str],
    extra: dict[str, str],
    trigger: bool,
) -> None:
    auth = official("fc2.auth").Auth(keys.access_key_id, keys.access_key_secret, keys.security_token or "")
    path = "/2016-08-15/proxy/s/f/a b/杭" if trigger else "/2016-08-15/services/s s"
    headers = {f"x-fc-m{k}": v for k, v in _one_case(extra).items()} | {"content-type": "application/json"}
    request = signing.Request(method, f"https://1.fc.example.com{encoded(path)}", headers, params if trigger else ())
    ours = signed(keys, signing.FCV2(), At(1700000000), request)
    theirs = auth.sign_request(method, path, {k.lower(): v for k, v in ours.headers}, params if trigger else None)
    assert ours.header("authorization") == theirs


@pytest.mark.parametrize("in_query", [False, True])
@compare
@given(KEYS, METHODS, OSS_KEYS, st.dictionaries(PLAIN, TEXT, max_size=3), BODY, REGIONS)
def test_sigv4(
    in_query: bool,
    keys: Credentials,
    method: str,
    key: str,
    params: dict[str, str],
    body: bytes,
    region: str,
) -> None:
    botocore = official("botocore.auth")
    aws_request = official("botocore.awsrequest").AWSRequest
    credentials = official("botocore.credentials").Credentials(
        keys.access_key_id, keys.access_key_secret, keys.security_token
    )
    request = signing.Request(
        method,
        f"https://b.s3.oss-{region}.aliyuncs.com/{encoded(key)}",
        {"Content-Type": "text/plain", "x-amz-meta-a": "two  blanks"},
        params,
        None if in_query else body,
    )
    theirs = aws_request(method, request.url, dict(request.headers), request.body)
    scheme = signing.SigV4(region)
    if not in_query:
        botocore.S3SigV4Auth(credentials, "s3", region).add_auth(theirs)
        clock = at(theirs.headers["X-Amz-Date"], BASIC)
        assert signed(keys, scheme, clock, request).header("authorization") == theirs.headers["Authorization"]
        return
    botocore.S3SigV4QueryAuth(credentials, "s3", region, 3600).add_auth(theirs)
    wanted = dict(parse_qsl(theirs.url.partition("?")[2], keep_blank_values=True))
    clock = at(wanted["X-Amz-Date"], BASIC)
    ours = signing.Signer(keys, scheme, clock).presign(request, 3600)
    assert dict(parse_qsl(ours.url.partition("?")[2], keep_blank_values=True)) == wanted


@compare
@given(
    KEYS,
    st.sampled_from(["GET", "PUT"]),
    TEXT.filter(lambda key: not key.startswith("/")),
    st.dictionaries(
        st.sampled_from(["acl", "object-lock", "versionId", "response-expires", "prefix"]), TEXT, max_size=3
    ),
    st.booleans(),
)
def test_s3_version_1(keys: Credentials, method: str, key: str, params: dict[str, str], in_query: bool) -> None:
    botocore = official("botocore.auth")
    aws_request = official("botocore.awsrequest").AWSRequest
    credentials = official("botocore.credentials").Credentials(
        keys.access_key_id, keys.access_key_secret, keys.security_token
    )
    request = signing.Request(method, f"http://127.0.0.1/my-bucket/{encoded(key)}", (), params)
    theirs = aws_request(method, request.url, {})
    if not in_query:
        botocore.HmacV1Auth(credentials).add_auth(theirs)
        moment = parsedate_to_datetime(theirs.headers["Date"]).timestamp()
        ours = signed(keys, signing.S3V1(), At(moment), request)
        assert ours.header("authorization") == theirs.headers["Authorization"]
        return
    botocore.HmacV1QueryAuth(credentials, 3600).add_auth(theirs)
    wanted = dict(parse_qsl(theirs.url.partition("?")[2], keep_blank_values=True))
    presigned = signing.Signer(keys, signing.S3V1(), At(int(wanted["Expires"]) - 3600)).presign(request, 3600)
    assert dict(parse_qsl(presigned.url.partition("?")[2], keep_blank_values=True)) == wanted


def _one_case(headers: dict[str, str]) -> dict[str, str]:
    """Header names differ by more than their case, and are no prefixes that an SDK would treat in its own way."""
    return {name.lower().replace("~", "0"): value for name, value in headers.items()}


def _parts(authorization: str | None) -> set[str]:
    return {part.strip() for part in (authorization or "").replace("OSS4-HMAC-SHA256 ", "").split(",")}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
