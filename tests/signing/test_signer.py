"""What the signer promises beyond the signatures themselves."""

from __future__ import annotations

import base64
import hmac
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, LifetimeTooShort, SigningError
from ramrole_creds.signing import Request, Signer
from ramrole_creds.signing._mac import KeyedHmac
from ramrole_creds.signing._signing_keys import MAX_KEYS, SigningKeys
from tests.every_scheme import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
URL = "https://examplebucket.oss-cn-hangzhou.aliyuncs.com/key"
PRESIGNING = [scheme for scheme in SCHEMES.values() if scheme.max_presign_seconds]


class Clock:
    def __init__(self) -> None:
        self.wall = NOW.timestamp()
        self.steady = 1000.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady


class Source:
    """Gives what it holds, and raises where that does not live long enough, as providers do."""

    def __init__(self, clock: Clock, life: float | None = 3600.0, token: str | None = "FAKETOKEN") -> None:
        end = None if life is None else datetime.fromtimestamp(clock.time() + life, timezone.utc)
        self.held = Credentials("STS.NTid", "FAKESECRET", token, end)
        self.asked: list[float] = []
        self._life = life

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        self.asked.append(valid_for)
        if self._life is not None and valid_for > self._life:
            raise LifetimeTooShort("too short", available=self._life)
        return self.held


def ids(scheme: signing.Scheme) -> str:
    return scheme.name


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=ids)
def test_a_request_signed_twice_is_as_if_signed_once(scheme: signing.Scheme) -> None:
    clock = Clock()
    signer = Signer(Source(clock), scheme, clock, lambda: "n")
    request = Request("POST", URL, {"X-Custom": "kept"}, {"a": "1"}, b"body")
    once = signer.sign(request)
    assert signer.sign(once).url == once.url
    assert dict(signer.sign(once).headers) == dict(once.headers)
    assert once.header("x-custom") == "kept"
    assert once.body == b"body"
    assert scheme.string_to_sign(once) == scheme.string_to_sign(signer.sign(once))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=ids)
def test_no_token_of_an_earlier_signature_stays(scheme: signing.Scheme) -> None:
    clock = Clock()
    request = Request("GET", URL, {"content-type": "text/plain"})
    with_token = Signer(Source(clock), scheme, clock).sign(request)
    without = Signer(Source(clock, token=None), scheme, clock).sign(with_token)
    assert "FAKETOKEN" not in str(without.headers) + without.url


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=ids)
def test_repr_shows_neither_secret_nor_token(scheme: signing.Scheme) -> None:
    clock = Clock()
    signer = Signer(Source(clock), scheme, clock)
    signed = signer.sign(Request("GET", URL))
    for shown in (repr(signer), repr(scheme), repr(signed), str(signed)):
        assert "FAKE" not in shown
        assert signed.header("authorization") is None or str(signed.header("authorization")) not in shown


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=ids)
def test_a_file_is_hashed_from_where_it_stands_and_left_there(scheme: signing.Scheme) -> None:
    clock = Clock()
    file = io.BytesIO(b"skipped" + b"x" * 3_000_000)
    file.seek(7)
    signer = Signer(Source(clock), scheme, clock, lambda: "n")
    streamed = signer.sign(Request("PUT", URL, body=file))
    assert file.tell() == 7
    assert streamed.body is file
    assert streamed.headers == signer.sign(Request("PUT", URL, body=b"x" * 3_000_000)).headers


@pytest.mark.parametrize(
    "scheme", [s for s in SCHEMES.values() if s.covers_body and s.name not in ("RPC", "SigV4")], ids=ids
)
def test_a_body_that_can_be_read_once_is_refused_where_it_is_covered(scheme: signing.Scheme) -> None:
    clock = Clock()
    with pytest.raises(SigningError, match=r"once|length of this body is unknown"):
        Signer(Source(clock), scheme, clock).sign(Request("PUT", URL, body=iter([b"x"])))


def test_a_file_in_text_mode_is_refused() -> None:
    clock = Clock()
    with pytest.raises(SigningError, match="'rb'"):
        Signer(Source(clock), signing.ACS3(), clock).sign(Request("PUT", URL, body=io.StringIO("x")))  # type: ignore[arg-type]


def test_an_iterator_for_the_s3_endpoint_is_sent_unsigned() -> None:
    clock = Clock()
    signed = Signer(Source(clock), signing.SigV4("r"), clock).sign(Request("PUT", URL, body=iter([b"x"])))
    assert signed.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [(FORM, b"Name=a+b"), ({**FORM, "Content-Length": "8"}, b"Name=a+b"), ({}, None), ({}, b""), (FORM, None)],
    ids=["form", "length", "no body", "empty body", "empty form"],
)
def test_an_rpc_form_has_token_and_signature_in_its_body(headers: dict[str, str], body: bytes | None) -> None:
    clock = Clock()
    signer = Signer(Source(clock), signing.RPC(), clock, lambda: "n")
    signed = signer.sign(Request("POST", "https://h/?Action=A", headers, body=body))
    assert "FAKETOKEN" not in signed.url
    assert "Signature=" not in signed.query
    assert isinstance(signed.body, bytes)
    assert signed.body.startswith((body or b"") + (b"&" if body else b"") + b"SecurityToken=FAKETOKEN&Signature=")
    assert signed.header("content-type") == FORM["Content-Type"]
    assert signed.header("content-length") in (None, str(len(signed.body)))
    assert signer.sign(signed) == signed


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [("GET", {}, None), ("PUT", FORM, b"a=1"), ("POST", {"Content-Type": "application/json"}, b"{}")],
    ids=["get", "put", "json"],
)
def test_other_rpc_requests_have_token_and_signature_in_the_query(
    method: str, headers: dict[str, str], body: bytes | None
) -> None:
    clock = Clock()
    signed = Signer(Source(clock), signing.RPC(), clock).sign(
        Request(method, "https://h/?Action=A", headers, body=body)
    )
    assert "&SecurityToken=FAKETOKEN&Signature=" in signed.query
    assert signed.body == body


def test_an_rpc_parameter_in_query_and_form_counts_with_the_value_of_the_form() -> None:
    clock = Clock()
    signer = Signer(Source(clock), signing.RPC(), clock, lambda: "n")
    both = signer.sign(Request("POST", "https://h/?Action=A&Name=query", FORM, body=b"Name=form"))
    alone = signer.sign(Request("POST", "https://h/?Action=A", FORM, body=b"Name=form"))
    assert both.body == alone.body
    assert "Name%3Dform" in signing.RPC().string_to_sign(both)
    assert "query" not in signing.RPC().string_to_sign(both)


def test_credentials_are_read_once_a_signature() -> None:
    clock = Clock()
    source = Source(clock)
    Signer(source, signing.ACS3(), clock).sign(Request("GET", URL))
    assert source.asked == [0.0]


def test_one_snapshot_may_be_signed_with_directly() -> None:
    snapshot = Credentials("LTAIid", "secret")
    by_provider = Signer(snapshot, signing.OSSV1(), Clock()).sign(Request("GET", URL))
    assert by_provider == Signer(Source(Clock()), signing.OSSV1(), Clock()).sign(
        Request("GET", URL), credentials=snapshot
    )


@pytest.mark.parametrize("scheme", PRESIGNING, ids=ids)
def test_presign_names_the_end_and_asks_for_credentials_that_reach_it(scheme: signing.Scheme) -> None:
    clock = Clock()
    source = Source(clock, life=7200)
    url = "https://1.fc.example.com/2016-08-15/proxy/s/f" if scheme.name == "FCV2" else URL
    presigned = Signer(source, scheme, clock).presign(Request("GET", url), 600)
    assert source.asked == [600]
    assert presigned.expires_at == NOW + timedelta(seconds=600)
    assert not presigned.clamped
    assert str(presigned) == presigned.url
    assert "FAKETOKEN" not in repr(presigned)


@pytest.mark.parametrize("scheme", PRESIGNING, ids=ids)
def test_presign_ends_with_the_token_and_says_so(scheme: signing.Scheme, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    clock.wall += 0.75
    url = "https://1.fc.example.com/2016-08-15/proxy/s/f" if scheme.name == "FCV2" else URL
    with caplog.at_level(logging.WARNING):
        presigned = Signer(Source(clock, life=900.2), scheme, clock).presign(Request("GET", url), 3600)
    assert presigned.clamped
    assert presigned.expires_at == NOW + timedelta(seconds=900)
    assert "expires after" in caplog.text
    assert "clamped" in repr(presigned)


def test_presign_ends_with_the_token_by_the_servers_clock_where_ours_is_wrong() -> None:
    clock = Clock()
    source = Source(clock, life=7200)
    signer = Signer(source, signing.OSSV4("r"), clock)
    request = Request("GET", URL)
    assert signer.learn_server_time(request.host, clock.time() + 3600)
    presigned = signer.presign(request, 7200)
    assert presigned.clamped
    assert presigned.expires_at == source.held.expiration
    assert "x-oss-expires=3600" in presigned.url


def test_presign_with_a_token_of_unknown_end_clamps_nothing() -> None:
    clock = Clock()
    presigned = Signer(Source(clock, life=None), signing.OSSV4("r"), clock).presign(Request("GET", URL), 604800)
    assert not presigned.clamped
    assert "x-oss-expires=604800" in presigned.url


def test_presign_with_a_token_about_to_end_is_refused() -> None:
    clock = Clock()
    with pytest.raises(SigningError, match="expire within this second"):
        Signer(Source(clock, life=0.5), signing.OSSV4("r"), clock).presign(Request("GET", URL), 60)


@pytest.mark.parametrize("life", [0, -5, 0.5, 604801, 691200, float("inf"), float("nan"), "60", True, None])
@pytest.mark.parametrize("scheme", [signing.OSSV4("r"), signing.SigV4("r")], ids=ids)
def test_presign_for_an_impossible_life_is_refused_before_anything_is_signed(scheme: signing.Scheme, life: Any) -> None:
    clock = Clock()
    source = Source(clock)
    with pytest.raises(SigningError):
        Signer(source, scheme, clock).presign(Request("GET", URL), life)
    assert source.asked == []


def test_presign_of_version_1_has_no_maximum_but_wants_more_than_nothing() -> None:
    clock = Clock()
    signer = Signer(Credentials("LTAIid", "secret"), signing.OSSV1(), clock)
    assert signer.presign(Request("GET", URL), 10**8).expires_at == NOW + timedelta(seconds=10**8)
    for life in (0, -1, 10**12):
        with pytest.raises(SigningError):
            signer.presign(Request("GET", URL), life)


@pytest.mark.parametrize("scheme", [s for s in SCHEMES.values() if not s.max_presign_seconds], ids=ids)
def test_a_scheme_without_presigned_urls_says_so(scheme: signing.Scheme) -> None:
    clock = Clock()
    source = Source(clock)
    with pytest.raises(SigningError, match="no presigned URLs"):
        Signer(source, scheme, clock).presign(Request("GET", URL), 60)
    with pytest.raises(SigningError, match="no upload forms"):
        Signer(source, scheme, clock).post_form("{}")
    assert source.asked in ([], [0.0])


def test_presigned_headers_are_those_that_must_be_sent() -> None:
    clock = Clock()
    headers = {"Content-Type": "text/plain", "X-Oss-Meta-A": "1", "X-Other": "2", "Range": "bytes=0-1", "Host": "h"}
    signer = Signer(Source(clock), signing.OSSV4("r", additional_headers=("range", "absent")), clock)
    presigned = signer.presign(Request("PUT", URL, headers), 60)
    assert dict(presigned.headers) == {"Content-Type": "text/plain", "X-Oss-Meta-A": "1", "Range": "bytes=0-1"}
    assert "x-oss-additional-headers=range&" in presigned.url


def test_an_upload_form_of_a_mapping_gets_what_the_scheme_wants_and_ends_with_the_token() -> None:
    clock = Clock()
    signer = Signer(Source(clock, life=600), signing.OSSV4("cn-hangzhou"), clock)
    form = signer.post_form({"conditions": [{"bucket": "b"}], "expiration": NOW + timedelta(days=1)})
    policy = json.loads(base64.b64decode(form["policy"]))
    assert policy["expiration"] == "2026-01-02T03:14:05.000Z"
    named = {name: value for condition in policy["conditions"] for name, value in condition.items()}
    assert named == {
        "bucket": "b",
        "x-oss-signature-version": "OSS4-HMAC-SHA256",
        "x-oss-credential": "STS.NTid/20260102/cn-hangzhou/oss/aliyun_v4_request",
        "x-oss-date": "20260102T030405Z",
        "x-oss-security-token": "FAKETOKEN",
    }
    assert form["x-oss-security-token"] == "FAKETOKEN"


@pytest.mark.parametrize(
    "policy",
    [[], 5, {"conditions": 1}, {"expiration": "soon"}, {"expiration": datetime(2030, 1, 1)}],  # noqa: DTZ001
)
def test_a_policy_that_is_not_valid_is_refused(policy: Any) -> None:
    with pytest.raises(SigningError):
        Signer(Source(Clock()), signing.OSSV1(), Clock()).post_form(policy)


def test_the_servers_clock_is_kept_per_host_and_forgotten_when_ours_is_set() -> None:
    clock = Clock()
    signer = Signer(Source(clock), signing.ACS3(), clock)
    request, other = Request("GET", "https://h/"), Request("GET", "https://other/")
    assert signer.learn_server_time("h", clock.wall + 1800)
    assert not signer.learn_server_time("h", clock.wall + 1801), "nothing new to learn"
    assert signer.sign(request).header("x-acs-date") == "2026-01-02T03:34:05Z"
    assert signer.sign(other).header("x-acs-date") == "2026-01-02T03:04:05Z"
    clock.wall, clock.steady = clock.wall + 60, clock.steady + 60
    assert signer.sign(request).header("x-acs-date") == "2026-01-02T03:35:05Z"
    clock.wall += 1800  # somebody set the local clock right
    assert signer.sign(request).header("x-acs-date") == "2026-01-02T03:35:05Z"
    assert not signer.knows_skew()


def test_an_ordinary_answer_that_agrees_with_our_clock_ends_the_offset() -> None:
    clock = Clock()
    signer = Signer(Source(clock), signing.ACS3(), clock)
    signer.learn_server_time("h", clock.wall - 3600)
    signer.observe_server_time("h", clock.wall - 3600)
    assert signer.knows_skew()
    signer.observe_server_time("h", clock.wall + 2)
    assert not signer.knows_skew()


def test_a_clock_that_is_off_by_a_day_and_two_seconds_recovers() -> None:
    clock = Clock()
    signer = Signer(Source(clock, token=None), signing.ACS3(), clock)
    assert signer.learn_server_time("h", clock.wall + 86402)
    assert signer.sign(Request("GET", "https://h/")).header("x-acs-date") == "2026-01-03T03:04:07Z"


@pytest.mark.parametrize("years", [-30, -1, 3, 30])
def test_temporary_credentials_recover_from_a_clock_that_is_off_by_years(years: int) -> None:
    clock = Clock()
    source = Source(clock)
    signer = Signer(source, signing.ACS3(), clock)
    there = clock.wall + years * 365 * 86400
    assert not signer.learn_server_time("h", there), "a long-term key could sign for a far future"
    assert signer.learn_server_time("h", there, credentials=source.held)
    signed = signer.sign(Request("GET", "https://h/")).header("x-acs-date")
    assert signed == datetime.fromtimestamp(there, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_time_that_is_not_a_number_is_not_learnt() -> None:
    source = Source(Clock())
    signer = Signer(source, signing.ACS3(), Clock())
    assert not signer.learn_server_time("h", float("nan"), credentials=source.held)
    assert not signer.knows_skew()


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_temporary_credentials_in_place_of_a_provider_are_warned_of(
    caplog: pytest.LogCaptureFixture, known: bool
) -> None:
    expiring = Source(Clock()).held
    assert expiring.security_token
    with caplog.at_level(logging.WARNING):
        Signer(expiring if known else expiring.replace(expiration=None), signing.ACS3())
    assert "Signer.fixed" in caplog.text
    assert "FAKE" not in caplog.text


def test_fixed_credentials_are_accepted_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    expiring = Source(clock).held
    with caplog.at_level(logging.WARNING):
        fixed = Signer.fixed(expiring, signing.OSSV1(), clock)
        Signer(Credentials("LTAIid", "secret"), signing.ACS3())
    assert caplog.text == ""
    assert fixed.sign(Request("GET", URL)) == Signer(Source(clock), signing.OSSV1(), clock).sign(Request("GET", URL))
    with pytest.raises(ConfigurationError, match="credentials must be a Credentials object, not Source"):
        Signer.fixed(Source(clock), signing.OSSV1())  # type: ignore[arg-type]


def test_offsets_are_bounded_in_size_and_number() -> None:
    clock = Clock()
    signer = Signer(Source(clock), signing.ACS3(), clock)
    assert not signer.learn_server_time("h", clock.wall + 2 * 86400)
    assert not signer.learn_server_time("h", clock.wall + 5)
    for number in range(200):
        signer.learn_server_time(f"h{number}", clock.wall + 3600)
    assert signer.sign(Request("GET", "https://h0/")).header("x-acs-date") == "2026-01-02T03:04:05Z"
    assert signer.sign(Request("GET", "https://h199/")).header("x-acs-date") == "2026-01-02T04:04:05Z"


def test_keys_do_not_outlive_their_secret_and_are_few() -> None:
    keys = SigningKeys()
    for day in range(100):
        keys.derived("one", f"{day:08}", "r", "oss")
    assert len(keys) == MAX_KEYS
    assert keys.derived("one", "00000099", "r", "oss") is keys.derived("one", "00000099", "r", "oss")
    keys.derived("two", "00000099", "r", "oss")
    assert len(keys) == 1
    assert "one" not in repr(keys)


@pytest.mark.parametrize(
    "change", [{"secret": "x"}, {"day": "x"}, {"region": "x"}, {"product": "x"}, {"prefix": "aws4"}]
)
def test_every_part_of_a_scope_makes_another_key(change: dict[str, str]) -> None:
    keys = SigningKeys()
    scope = {"secret": "s", "day": "20260102", "region": "r", "product": "oss"}
    assert keys.derived(**scope).hex("m") != keys.derived(**{**scope, **change}).hex("m")  # type: ignore[arg-type]


@given(st.binary(min_size=1, max_size=200), st.text(max_size=50), st.sampled_from(["sha1", "sha256"]))
def test_our_hmac_is_the_standard_librarys(key: bytes, text: str, algorithm: str) -> None:
    try:
        message = text.encode()
    except UnicodeEncodeError:
        return
    assert KeyedHmac(key, algorithm).hex(text) == hmac.new(key, message, algorithm).hexdigest()


def test_many_threads_on_one_signer_never_mix_two_credentials() -> None:
    clock = Clock()
    generations = [Credentials(f"STS.{n}", f"secret{n}", f"token{n}") for n in range(4)]
    expected = {
        Signer(one, signing.OSSV4("r"), clock).sign(Request("GET", URL)).header("authorization") for one in generations
    }
    turn = threading.local()

    class Changing:
        def get_credentials(self, valid_for: float = 0.0) -> Credentials:
            turn.number = getattr(turn, "number", -1) + 1
            generation: Credentials = generations[turn.number % 4]
            return generation

    signer = Signer(Changing(), signing.OSSV4("r"), clock)
    with ThreadPoolExecutor(8) as pool:
        signatures = set(pool.map(lambda _: signer.sign(Request("GET", URL)).header("authorization"), range(800)))
    assert signatures == expected


REGIONAL: list[Callable[[str], Any]] = [
    signing.OSSV4, signing.SLSV4, signing.MNSV4,
    lambda region: signing.OTSV4("inst", region), lambda region: signing.ODPSV4("https://s/api", region),
]  # fmt: skip


@pytest.mark.parametrize("make", REGIONAL, ids=["OSSV4", "SLSV4", "MNSV4", "OTSV4", "ODPSV4"])
def test_a_region_in_the_form_of_oss_is_the_region(make: Callable[[str], Any]) -> None:
    for form in ("cn-hongkong", "oss-cn-hongkong", "oss-cn-hongkong-internal"):
        assert make(form).region == "cn-hongkong"
    for wrong in ("", "cn_hongkong", "cn-hongkong/oss", "oss-cn-hongkong.aliyuncs.com", " cn-hongkong", None, 5):
        with pytest.raises(ConfigurationError, match="must be a region id"):
            make(wrong)  # type: ignore[arg-type]


def test_impossible_arguments_of_schemes_are_refused() -> None:
    with pytest.raises(SigningError, match="underscore"):
        signing.OSSV4("r", additional_headers=("x_a",))
    with pytest.raises(SigningError, match="bucket"):
        signing.OSSV1("Not A Bucket")
    with pytest.raises(SigningError, match="ACS3-HMAC-SM3"):
        signing.ACS3(algorithm="MD5")


def test_an_answer_that_tablestore_did_not_sign_is_refused() -> None:
    clock = Clock()
    keys = Credentials("LTAIid", "secret")
    scheme = signing.OTSV2("inst")
    signed = Signer(keys, scheme, clock).sign(Request("POST", "https://inst.example.com/GetRow", body=b"x"))
    for answer in ({}, {"Authorization": "OTS LTAIid:wrong", "x-ots-date": "2026"}):
        with pytest.raises(SigningError, match=r"not signed|not the service's"):
            scheme.verify_response(signed, answer, keys)


@pytest.mark.parametrize(
    ("provider", "scheme", "said"),
    [
        ("LTAI", signing.ACS3(), "needs a provider or Credentials, not str"),
        (Credentials("LTAI", "secret"), signing.ACS3, "not the class ACS3"),
        (Credentials("LTAI", "secret"), "ACS3", "not str"),
    ],
)
def test_a_signer_without_provider_or_scheme_is_refused_when_it_is_made(provider: Any, scheme: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Signer(provider, scheme)


def test_a_scheme_without_presigned_urls_says_what_to_do() -> None:
    with pytest.raises(SigningError, match="has no presigned URLs"):
        signing.Scheme.presign(signing.ACS3(), Request("GET", URL), Credentials("a", "b"), 0.0, 60, SigningKeys())


def test_text_that_has_no_bytes_is_refused() -> None:
    with pytest.raises(SigningError, match="lone surrogate"):
        Request("GET", URL, {"x-note": "\ud800"})


def test_presigned_urls_carry_token_and_named_headers() -> None:
    key = Credentials("STS.id", "secret", "token")
    trigger = Request("GET", "https://1.cn-hangzhou.fc.aliyuncs.com/2016-08-15/proxy/s/f/")
    assert "x-fc-security-token=token" in Signer.fixed(key, signing.FCV2()).presign(trigger, 60).url
    plain = Signer.fixed(Credentials("id", "secret"), signing.FCV2()).presign(trigger, 60).url
    assert "x-fc-security-token" not in plain
    for scheme in (
        signing.OSSV4("cn-hangzhou", "examplebucket", additional_headers=("host",)),
        signing.OSSV2("examplebucket", additional_headers=("host",)),
    ):
        presigned = Signer.fixed(key, scheme).presign(Request("GET", URL, {"Host": "examplebucket.example.com"}), 60)
        assert "x-oss-additional-headers=host" in presigned.url


def test_a_request_that_says_that_its_payload_is_unsigned_is_signed_so() -> None:
    request = Request("PUT", URL, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, body=b"body")
    signed = Signer.fixed(Credentials("id", "secret"), signing.SigV4("cn-hangzhou")).sign(request)
    assert signed.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"


def test_a_bucket_that_a_path_style_url_does_not_name_is_signed_all_the_same() -> None:
    key = Credentials("id", "secret")
    named = Signer.fixed(key, signing.OSSV1("bkt")).scheme.string_to_sign(
        Request("GET", "http://127.0.0.1:8080/key", {"Date": "x"})
    )
    assert named.splitlines()[-1] == "/bkt/key"


def test_objects_with_a_key_show_none_of_it() -> None:
    keys = SigningKeys()
    shown = (repr(keys), repr(keys.of_secret("FAKESECRET", "sha256")), str(keys.__reduce__()))
    assert "FAKE" not in "".join(shown)


def test_a_mistake_within_a_source_is_raised_as_it_is() -> None:
    class Vault:
        def get_credentials(self, valid_for: float = 0.0) -> Credentials:
            raise AttributeError("no lease")

    with pytest.raises(AttributeError, match="no lease"):
        Signer(Vault(), signing.ACS3()).sign(Request("GET", "https://ecs.example/"))


def test_a_presigned_url_of_oss_v4_may_be_bound_to_its_host() -> None:
    scheme = signing.OSSV4("cn-hangzhou", additional_headers=("host",))
    url = Signer(Credentials("LTAI5tExample", "secret"), scheme).presign(Request("GET", URL), 60).url
    assert "x-oss-additional-headers=host" in url
