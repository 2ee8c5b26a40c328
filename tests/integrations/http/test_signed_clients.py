"""What holds for every HTTP client, proven against endpoints that verify signatures with code of their own."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import SigningError
from ramrole_creds.integrations._auth_flow import NextStep, SigningAuth
from ramrole_creds.testing import verify
from ramrole_creds.testing.account.credential_store import CredentialStore, Identity
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.verify import VERIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.testing import FakeCloud

    Send = Callable[..., Any]

ACTION = {"x-acs-action": "DescribeRegions", "x-acs-version": "2014-05-26"}
AWKWARD_PATH = "/clusters/a b/杭~*'(x)"
AWKWARD_PARAMS = {"q": "a b+c~d*e/f=g&h", "标签": "值", "empty": ""}

SCHEMES: dict[str, tuple[Callable[[str], signing.Scheme], verify.Verifier]] = {
    "ACS3": (lambda _: signing.ACS3(("accept",)), VERIFIERS["acs3"]),
    "RPC": (lambda _: signing.RPC(), VERIFIERS["rpc"]),
    "ROA": (lambda _: signing.ROA(), VERIFIERS["roa"]),
    "OSSV1": (lambda _: signing.OSSV1(), VERIFIERS["oss_v1"]),
    "OSSV2": (lambda _: signing.OSSV2(), VERIFIERS["oss_v2"]),
    "OSSV4": (lambda _: signing.OSSV4("cn-hangzhou", additional_headers=("host",)), VERIFIERS["oss_v4"]),
    "SLSV1": (lambda _: signing.SLSV1(), VERIFIERS["sls_v1"]),
    "SLSV4": (lambda _: signing.SLSV4("cn-hangzhou"), VERIFIERS["sls_v4"]),
    "OTSV2": (lambda _: signing.OTSV2("inst"), VERIFIERS["ots"]),
    "OTSV4": (lambda _: signing.OTSV4("inst", "cn-hangzhou"), VERIFIERS["ots"]),
    "MNS": (lambda _: signing.MNS(), VERIFIERS["mns"]),
    "MNSV4": (lambda _: signing.MNSV4("cn-hangzhou"), VERIFIERS["mns_v4"]),
    "ODPSV2": (lambda url: signing.ODPSV2(f"{url}/api"), VERIFIERS["odps"]),
    "ODPSV4": (lambda url: signing.ODPSV4(f"{url}/api", "cn-hangzhou"), VERIFIERS["odps"]),
    "FCV2": (lambda _: signing.FCV2(), VERIFIERS["fc"]),
    "FCV3Trigger": (lambda _: signing.FCV3Trigger(), VERIFIERS["fc_trigger"]),
    "SigV4": (lambda _: signing.SigV4("cn-hangzhou"), VERIFIERS["s3_v4"]),
    "S3V1": (lambda _: signing.S3V1(), VERIFIERS["s3_hmacv1"]),
}
PATHS = {"RPC": "/", "ODPSV2": "/api/projects/p", "ODPSV4": "/api/projects/p", "FCV2": "/2016-08-15/proxy/s/f/a b"}


# The token of an RPC request is in its URL, which these clients write into their own logs.
LOGGED_BY_CLIENTS = pytest.mark.may_leak


@pytest.mark.parametrize("name", [pytest.param(n, marks=LOGGED_BY_CLIENTS) if n == "RPC" else n for n in SCHEMES])
def test_what_is_signed_is_what_is_sent(send: Send, name: str, cloud: FakeCloud, provider: Any) -> None:
    make, verifier = SCHEMES[name]
    signer = signing.Signer(provider, make(cloud.url), clock=cloud.clock)
    path = PATHS.get(name, "/bkt/dir/a b/杭~*'(x)" if name.startswith(("OSS", "Sig", "S3")) else AWKWARD_PATH)
    headers = {"x-acs-version": "2015-12-15", "x-oss-meta-a": "v", "Content-Type": "application/octet-stream"}
    send(signer, "POST", cloud.url + path, body=b"\x00\xffbody", headers=headers, params=AWKWARD_PARAMS)

    (recorded,) = cloud.requests
    step = verifier(recorded.request, cloud.credential_store, cloud.clock.time(), verify.NonceMemory())
    assert isinstance(step, verify.Accepted), step
    assert recorded.request.body == b"\x00\xffbody"
    assert dict(recorded.request.query).items() >= AWKWARD_PARAMS.items()


UNUSUAL_TARGETS = (
    *("a/../b", "a/./b", "..", ".hidden/.x", "%2e%2e/x", "a%2fb", "a//b", "a[b]", "a|b^c", "%ff%e9", "a%25b"),
    *("a+b", "a%2Bb", "a;b=c", "a:b@c", "?x", "?x=&y", "?x=1&x=2", "?a=b/../c", "?a=%2e%2f", "?a=[b]|c", "?a+b=c%2Bd"),
)


@pytest.mark.parametrize("name", ["OSSV1", "OSSV4", "S3V1", "SigV4", "ACS3", "SLSV4", "FCV2"])
def test_an_unusual_url_is_signed_as_it_is_sent(send: Send, name: str, cloud: FakeCloud, provider: Any) -> None:
    make, verifier = SCHEMES[name]
    signer = signing.Signer(provider, make(cloud.url), clock=cloud.clock)
    start = "/2016-08-15/proxy/s/f/" if name == "FCV2" else "/bkt/"
    for target in UNUSUAL_TARGETS:
        send(signer, "GET", cloud.url + start + target, headers={"x-acs-version": "2015-12-15"})
        assert_accepted(cloud, verifier)


RPC_PARAMS = {"Action": "DescribeRegions", "Version": "2014-05-26"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("body", [b"Name=a+b&RegionId=cn-hangzhou", None], ids=["form", "no body"])
def test_the_signature_of_a_form_is_not_in_the_url(send: Send, cloud: FakeCloud, provider: Any, body: Any) -> None:
    signer = signing.Signer(provider, signing.RPC(), clock=cloud.clock)
    answer = send(signer, "POST", cloud.url + "/", body=body, headers=FORM if body else None, params=RPC_PARAMS)
    assert answer.status == 200, answer.body

    (recorded,) = cloud.requests
    assert {"Signature", "SecurityToken"}.isdisjoint(dict(recorded.request.query))
    assert b"&Signature=" in recorded.request.body
    if body:
        assert recorded.request.body.startswith(body + b"&")


def test_a_refused_token_in_a_form_is_replaced_and_sent_again(send: Send, cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(provider, signing.RPC(), clock=cloud.clock)
    cloud.clock.advance(seconds=7200)
    answer = send(signer, "POST", cloud.url + "/", body=b"Name=a", headers=FORM, params=RPC_PARAMS)
    assert answer.status == 200, answer.body
    assert [recorded.request.body.count(b"SecurityToken=") for recorded in cloud.requests] == [1, 1]


def test_a_redirect_carries_no_token_in_the_form_to_another_host(
    send: Send, cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    signer = signing.Signer(provider, signing.RPC(), clock=cloud.clock)
    cloud.faults.add("POST /", "redirect", location=f"{stranger.url}/", status=307)
    with contextlib.suppress(SigningError):
        send(signer, "POST", cloud.url + "/", body=b"Name=a", headers=FORM, params=RPC_PARAMS)
    assert len(cloud.requests) == 1
    assert all(b"SecurityToken" not in recorded.request.body for recorded in stranger.requests)


def test_a_request_without_a_body_is_accepted(send: Send, cloud: FakeCloud, signer: signing.Signer) -> None:
    assert send(signer, "GET", cloud.url + "/", headers=ACTION).status == 200


def test_a_query_in_the_url_is_signed_as_it_arrives(send: Send, cloud: FakeCloud, signer: signing.Signer) -> None:
    answer = send(signer, "GET", cloud.url + "/x/?b=2&a=1&a=0&z=~*%2f%7e&bare&e=&s=a+b", headers=ACTION)
    assert answer.status == 200, answer.body


def test_text_outside_latin_1_is_sent_and_signed_as_utf_8(send: Send, cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(provider, signing.OSSV4("cn-hangzhou"), clock=cloud.clock)
    send(signer, "PUT", cloud.url + "/bkt/k", body="杭州".encode(), headers={"x-oss-meta-a": "plain"})
    assert_accepted(cloud, VERIFIERS["oss_v4"])


def test_a_file_is_hashed_rewound_and_sent_whole(
    send: Send, client: str, cloud: FakeCloud, signer: signing.Signer, tmp_path: Any
) -> None:
    path = tmp_path / "body.bin"
    path.write_bytes(b"0123456789" * 500_000)
    with path.open("rb") as file:
        if client.startswith("httpx"):  # httpx hides files behind an iterator
            with pytest.raises(SigningError, match="only once"):
                send(signer, "POST", cloud.url + "/f", body=_as_chunks(file), headers=ACTION)
            return
        assert send(signer, "POST", cloud.url + "/f", body=file, headers=ACTION).status == 200
    assert cloud.requests[0].request.body == b"0123456789" * 500_000


def test_an_iterator_goes_unsigned_where_the_scheme_leaves_the_body_out(
    send: Send, cloud: FakeCloud, provider: Any
) -> None:
    signer = signing.Signer(provider, signing.OSSV1(), clock=cloud.clock)
    send(signer, "PUT", cloud.url + "/bkt/k", body=iter([b"one", b"two"]), headers={"Content-Type": "text/plain"})
    assert_accepted(cloud, VERIFIERS["oss_v1"])
    assert cloud.requests[0].request.body == b"onetwo"


def test_an_iterator_is_refused_before_sending_where_the_scheme_covers_the_body(
    send: Send, cloud: FakeCloud, signer: signing.Signer
) -> None:
    with pytest.raises(SigningError, match="only once"):
        send(signer, "POST", cloud.url + "/", body=iter([b"one", b"two"]), headers=ACTION)
    assert len(cloud.requests) == 0


@pytest.mark.parametrize(("status", "method"), [(307, "POST"), (308, "POST"), (303, "GET")])
def test_a_redirect_within_the_host_is_signed_again(
    send: Send, cloud: FakeCloud, signer: signing.Signer, status: int, method: str
) -> None:
    cloud.faults.add("POST /old", "redirect", location="/new/path?x=a%20b", status=status)
    answer = send(signer, "POST", cloud.url + "/old", body=b"{}", headers=ACTION)
    assert answer.status == 200, answer.body
    first, second = cloud.requests
    assert (second.method, second.path) == (method, "/new/path")
    assert second.request.body == (b"{}" if method == "POST" else b"")
    assert first.header("x-acs-signature-nonce") != second.header("x-acs-signature-nonce")


@LOGGED_BY_CLIENTS
def test_a_redirect_of_a_request_signed_in_its_query_is_signed_again(
    send: Send, cloud: FakeCloud, provider: Any
) -> None:
    signer = signing.Signer(provider, signing.RPC(), clock=cloud.clock)
    cloud.faults.add("GET /old", "redirect", location="/?Action=DescribeRegions&Version=2014-05-26", status=307)
    answer = send(signer, "GET", cloud.url + "/old?Action=DescribeRegions&Version=2014-05-26")
    assert answer.status == 200, answer.body


def test_a_redirect_is_followed_only_when_asked(send: Send, cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("GET /old", "redirect", location="/new", status=302)
    answer = send(signer, "GET", cloud.url + "/old", headers=ACTION, follow=False)
    assert (answer.status, answer.headers["location"]) == (302, "/new")
    assert len(cloud.requests) == 1


def test_nothing_reaches_another_host_by_a_redirect(
    send: Send, client: str, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=307)
    if client in ("requests", "urllib3"):
        answer = send(signer, "POST", cloud.url + "/old", body=b"{}", headers=ACTION)
        assert (answer.status, answer.headers["location"]) == (307, f"{stranger.url}/new")
    else:
        with pytest.raises(SigningError, match="redirects to another host"):
            send(signer, "POST", cloud.url + "/old", body=b"{}", headers=ACTION)
    assert len(stranger.requests) == 0


def test_another_port_or_a_plain_downgrade_counts_as_another_host() -> None:
    from ramrole_creds.integrations._auth_flow import is_same_or_safer

    assert is_same_or_safer(("http", "h"), ("https", "h"))
    assert not is_same_or_safer(("https", "h"), ("http", "h"))
    assert not is_same_or_safer(("https", "h"), ("https", "h:8443"))
    assert not is_same_or_safer(("https", "h"), ("https", "h.example.com"))


def test_only_the_hosts_that_were_named_are_signed_for(send: Send, cloud: FakeCloud, signer: signing.Signer) -> None:
    with pytest.raises(SigningError, match="not one of the hosts"):
        send(signer, "GET", cloud.url + "/", headers=ACTION, hosts=(".aliyuncs.com",))
    assert len(cloud.requests) == 0
    for hosts in ((f"127.0.0.1:{cloud.port}",), f"127.0.0.1:{cloud.port}"):
        assert send(signer, "GET", cloud.url + "/", headers=ACTION, hosts=hosts).status == 200


def test_an_expired_token_is_refreshed_and_the_request_repeated_once(
    send: Send, cloud: FakeCloud, signer: signing.Signer, provider: Any
) -> None:
    old = provider.current
    cloud.clock.advance(hours=2)
    answer = send(signer, "POST", cloud.url + "/", body=b"{}", headers=ACTION)
    assert answer.status == 200, answer.body
    assert provider.refreshed == [old]
    assert [one.status for one in cloud.requests] == [400, 200]
    assert [one.access_key_id for one in cloud.requests] == [old.access_key_id, provider.current.access_key_id]
    assert cloud.requests[1].request.body == b"{}"


def test_a_file_is_sent_again_from_where_it_began(
    send: Send, client: str, cloud: FakeCloud, signer: signing.Signer
) -> None:
    if client.startswith("httpx"):
        return  # httpx hides files behind an iterator, which is refused
    cloud.clock.advance(hours=2)
    body = io.BytesIO(b"skipped" + b"body")
    if client != "aiohttp":  # aiohttp sends files from their beginning
        body.seek(7)
    assert send(signer, "POST", cloud.url + "/", body=body, headers=ACTION).status == 200
    assert cloud.requests[0].request.body == cloud.requests[1].request.body


def test_a_body_that_cannot_be_sent_twice_is_not(send: Send, cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(provider, signing.ROA(), clock=cloud.clock)
    cloud.clock.advance(hours=2)
    answer = send(signer, "POST", cloud.url + "/", body=iter([b"once"]), headers=ACTION)
    assert answer.status == 400
    assert len(cloud.requests) == 1
    assert provider.refreshed == []


def test_a_redirect_does_not_send_what_is_left_of_a_body_that_was_sent(
    send: Send, client: str, cloud: FakeCloud, provider: Any
) -> None:
    signer = signing.Signer(provider, signing.OSSV1(), clock=cloud.clock)
    cloud.faults.add("PUT /bkt/old", "redirect", location="/bkt/new", status=307)
    body = iter([b"one", b"two"])
    headers = {"Content-Type": "text/plain"}
    if client in ("requests", "urllib3"):
        assert send(signer, "PUT", cloud.url + "/bkt/old", body=body, headers=headers).status == 307
    else:
        with pytest.raises(Exception, match=r"only once|consumed request body"):
            send(signer, "PUT", cloud.url + "/bkt/old", body=body, headers=headers)
    assert len(cloud.requests) == 1


def test_the_refusal_is_delivered_where_there_are_no_other_credentials(
    send: Send, cloud: FakeCloud, signer: signing.Signer, provider: Any
) -> None:
    provider.can_refresh = False
    cloud.clock.advance(hours=2)
    answer = send(signer, "GET", cloud.url + "/", headers=ACTION)
    assert answer.status == 400
    assert b"InvalidSecurityToken.Expired" in answer.body
    assert len(cloud.requests) == 1


def test_the_clock_of_the_server_is_learnt_from_a_refusal(send: Send, cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("*", "skew", seconds=1800)
    assert send(signer, "POST", cloud.url + "/", body=b"{}", headers=ACTION).status == 200
    assert [one.status for one in cloud.requests] == [400, 200]
    assert send(signer, "GET", cloud.url + "/", headers=ACTION).status == 200
    assert len(cloud.requests) == 3


def test_a_clock_that_cannot_be_helped_leads_to_one_attempt_only(
    send: Send, cloud: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("*", "skew", seconds=1800)
    cloud.faults.add("*", "no-date")
    assert send(signer, "GET", cloud.url + "/", headers=ACTION).status == 400
    assert len(cloud.requests) == 1


def test_a_refused_signature_is_explained_in_the_log(
    send: Send, cloud: FakeCloud, provider: Any, caplog: pytest.LogCaptureFixture
) -> None:
    right = provider.current
    provider.current = Credentials(right.access_key_id, "not-the-secret", right.security_token)
    signer = signing.Signer(provider, signing.ACS3(), clock=cloud.clock)
    with caplog.at_level(logging.WARNING, "ramrole_creds.integrations"):
        assert send(signer, "GET", cloud.url + "/", headers=ACTION).status == 400
    assert "the secret differs" in caplog.text


def test_the_callers_headers_are_sent_and_the_schemes_replaced(
    send: Send, cloud: FakeCloud, signer: signing.Signer
) -> None:
    headers = {**ACTION, "X-Custom": "kept", "X-Acs-Date": "1999-01-01T00:00:00Z", "Authorization": "stale"}
    answer = send(signer, "GET", cloud.url + "/", headers=headers)
    assert answer.status == 200
    recorded = cloud.requests[0].request
    assert recorded.header("x-custom") == "kept"
    assert len([name for name, _ in recorded.headers if name.lower() == "x-acs-date"]) == 1
    assert json.loads(answer.body)


def assert_accepted(cloud: FakeCloud, verifier: verify.Verifier) -> None:
    wire: WireRequest = cloud.requests[-1].request
    step = verifier(wire, cloud.credential_store, cloud.clock.time(), verify.NonceMemory())
    assert isinstance(step, verify.Accepted), step


def _as_chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(65536):
        yield chunk


class _ClockAt:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def time(self) -> float:
        return self._seconds

    def monotonic(self) -> float:
        return 0.0


NOW = 1_800_000_000.0


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize(
    ("problem", "step"),
    [
        ("expired", NextStep.REFRESH),
        ("unknown key", NextStep.REFRESH),
        ("another token", NextStep.REFRESH),
        ("clock", NextStep.SIGN_AGAIN),
        ("wrong secret", NextStep.RETURN),
    ],
)
def test_every_services_refusal_is_understood(name: str, problem: str, step: NextStep) -> None:
    make, verifier = SCHEMES[name]
    issuer = CredentialStore(1)
    issued = issuer.issue(Identity("arn"), now=NOW - 7200, lifetime=3600 if problem == "expired" else 36000)
    keys = Credentials(
        "STS.NTunknown" if problem == "unknown key" else issued.access_key_id,
        "not-the-secret" if problem == "wrong secret" else issued.access_key_secret,
        "another" if problem == "another token" else issued.security_token,
    )
    signer = signing.Signer(keys, make("http://h"), _ClockAt(NOW - (3000 if problem == "clock" else 0)))
    headers = {"Content-Type": "text/plain", "host": "h", "x-acs-version": "V", "x-acs-action": "A"}
    url = f"http://h{PATHS.get(name, '/bkt/x')}".replace(" ", "%20")
    request = signing.Request("POST", url, headers, {"Action": "A", "Version": "V"}, b"x")
    flow = SigningAuth(signer).begin(request)
    sent = flow.sign(request, keys)
    wire = WireRequest(sent.method, sent.url.removeprefix("http://h"), sent.headers, b"x", NOW)
    refused = verifier(wire, issuer, NOW, verify.NonceMemory())
    assert isinstance(refused, verify.Rejected)
    answer = f"<Error><Code>{refused.code}</Code><Message>{refused.message}</Message></Error>".encode()
    date = {"Date": formatdate(NOW, usegmt=True)}
    assert flow.next_step(refused.status, date.get, lambda: answer, replayable=True) is step
    again = flow.next_step(refused.status, date.get, lambda: answer, replayable=True)
    assert again is NextStep.RETURN, "one more attempt, and no more"


def test_the_error_of_an_answer_to_head_is_read_from_its_header() -> None:
    keys = Credentials("STS.NTid", "secret", "token")
    flow = SigningAuth(signing.Signer(keys, signing.OSSV1())).begin(signing.Request("HEAD", "http://h/bkt/k"))
    flow.sign(signing.Request("HEAD", "http://h/bkt/k"), keys)
    error = {"x-oss-err": base64.b64encode(b"<Error><Code>SecurityTokenExpired</Code></Error>").decode()}
    assert flow.next_step(403, error.get, bytes, replayable=True) is NextStep.REFRESH
    assert flow.next_step(403, {"x-oss-err": "not base64!"}.get, bytes, replayable=True) is NextStep.RETURN


def test_the_time_of_a_server_is_read_from_the_body_where_its_date_is_wrong() -> None:
    """OSS names its time in the body; the Date may come from a proxy whose clock is not set."""
    keys = Credentials("STS.NTid", "secret", "token")
    signer = signing.Signer(keys, signing.OSSV1(), _ClockAt(NOW - 3000))
    request = signing.Request("GET", "http://h/bkt/k")
    flow = SigningAuth(signer).begin(request)
    flow.sign(request, keys)
    server_time = "2027-01-15T08:00:00.000Z"
    body = f"<Error><Code>RequestTimeTooSkewed</Code><ServerTime>{server_time}</ServerTime></Error>".encode()
    date = {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}
    assert flow.next_step(403, date.get, lambda: body, replayable=True) is NextStep.SIGN_AGAIN
    again = flow.sign(request, keys)
    assert again.header("date") == formatdate(NOW, usegmt=True)


def test_a_redirect_without_a_target_is_returned(send: Send, cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("GET /old", 302)
    assert send(signer, "GET", cloud.url + "/old", headers=ACTION).status == 302
    assert len(cloud.requests) == 1


def test_credentials_are_refreshed_once_per_request_whatever_the_service_rejects(
    send: Send, cloud: FakeCloud, signer: signing.Signer, provider: Any
) -> None:
    for code in ("InvalidSecurityToken.Expired", "InvalidAccessKeyId.NotFound"):
        cloud.faults.add("*", 400, times=1, body=json.dumps({"Code": code, "Message": "no"}))
    assert send(signer, "GET", cloud.url + "/", headers=ACTION).status == 400
    assert len(cloud.requests) == 2
    assert len(provider.refreshed) == 1
