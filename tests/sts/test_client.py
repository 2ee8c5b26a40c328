from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import ConfigurationError, Credentials, FetchContext, StsError
from ramrole_creds.sts import StsClient
from ramrole_creds.sts.endpoints import REGIONS_WITHOUT_ENDPOINT, find_sts_url
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DENY_ALL = '{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
SPACED_POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:*", "Resource": "*"}]}'


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role=None) as cloud:
        cloud.add_role("app")
        yield cloud


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(cloud: FakeCloud, pauses: list[float]) -> StsClient:
    return StsClient(cloud.url, clock=cloud.clock, sleep=pauses.append)


@pytest.fixture
def user(cloud: FakeCloud) -> Credentials:
    key = cloud.access_key()
    return Credentials(key.access_key_id, key.access_key_secret)


def assume(client: StsClient, cloud: FakeCloud, user: Credentials, **more: str) -> Credentials:
    return client.assume_role(user, role_arn=cloud.role("app").arn, session_name="session", **more)  # type: ignore[arg-type]


def test_a_session_says_whose_it_is(client: StsClient, cloud: FakeCloud, user: Credentials) -> None:
    session = assume(client, cloud, user)
    assert session.identity == cloud.role("app").arn
    identity = client.get_caller_identity(session)
    assert (identity.account_id, identity.identity_type) == ("1234567890123456", "AssumedRoleUser")
    assert identity.arn.endswith("assumed-role/app/session")


def test_a_policy_with_spaces_is_signed_as_it_is_sent(client: StsClient, cloud: FakeCloud, user: Credentials) -> None:
    assert assume(client, cloud, user, session_policy=SPACED_POLICY).security_token


def test_only_common_parameters_are_in_the_url(client: StsClient, cloud: FakeCloud, user: Credentials) -> None:
    assume(client, cloud, user, session_policy=DENY_ALL, external_id="partner-7")
    request = cloud.assert_called_once("AssumeRole").request
    assert request.method == "POST"
    assert "Policy" not in dict(request.query)
    assert dict(request.form)["ExternalId"] == "partner-7"


def test_no_security_token_is_in_a_url(client: StsClient, cloud: FakeCloud, user: Credentials) -> None:
    client.get_caller_identity(assume(client, cloud, user))
    request = cloud.assert_called_once("GetCallerIdentity").request
    assert "SecurityToken" not in dict(request.query)
    assert dict(request.form)["SecurityToken"]


def test_the_fetch_learns_the_time_of_sts(client: StsClient, cloud: FakeCloud, user: Credentials) -> None:
    context = FetchContext.create(clock=cloud.clock)
    client.assume_role(user, role_arn=cloud.role("app").arn, session_name="session", context=context)
    assert context.server_time is not None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_a_redirect_points_is_never_asked(
    client: StsClient, cloud: FakeCloud, user: Credentials, status: int
) -> None:
    with FakeCloud() as elsewhere:
        cloud.faults.add("*", "redirect", status=status, location=elsewhere.url + "/")
        with pytest.raises(StsError, match=str(status)):
            assume(client, cloud, user)
        elsewhere.assert_not_called()


def test_throttling_is_waited_out_with_jitter_and_signed_anew(
    client: StsClient, cloud: FakeCloud, user: Credentials, pauses: list[float]
) -> None:
    cloud.faults.add("AssumeRole", 503, times=2)
    assert assume(client, cloud, user).security_token
    assert 0.1 <= pauses[0] <= 0.2 <= pauses[1] <= 0.4
    nonces = {request.request.parameters["SignatureNonce"] for request in cloud.requests.to("AssumeRole")}
    assert len(nonces) == 3


def test_what_stays_throttled_ends_in_an_error(
    client: StsClient, cloud: FakeCloud, user: Credentials, pauses: list[float]
) -> None:
    cloud.faults.add("AssumeRole", 429)
    with pytest.raises(StsError) as raised:
        assume(client, cloud, user)
    assert raised.value.status == 429
    assert not raised.value.unrecoverable
    assert len(pauses) == 3


def test_no_try_is_made_that_the_time_limit_would_cut(cloud: FakeCloud, user: Credentials, pauses: list[float]) -> None:
    client = StsClient(cloud.url, clock=cloud.clock, sleep=pauses.append)
    cloud.faults.add("AssumeRole", 429, headers={"Retry-After": "60"})
    with pytest.raises(StsError):
        client.assume_role(
            user, role_arn=cloud.role("app").arn, session_name="session", context=FetchContext.create(5.0)
        )
    assert pauses == []


def test_a_refusal_names_code_request_and_the_next_step(client: StsClient, cloud: FakeCloud) -> None:
    key = cloud.access_key(cloud.add_user("bob", policies=()))
    with pytest.raises(StsError, match=r"RequestId [0-9A-F-]{36}.*NoPermission.*sts:AssumeRole on the role") as raised:
        assume(client, cloud, Credentials(key.access_key_id, key.access_key_secret))
    assert raised.value.code == "NoPermission"
    assert raised.value.request_id
    assert raised.value.unrecoverable


def test_a_wrong_signature_is_reported_without_what_was_signed(
    client: StsClient, cloud: FakeCloud, user: Credentials
) -> None:
    with pytest.raises(StsError) as raised:
        assume(client, cloud, Credentials(user.access_key_id, "wrong"))
    assert raised.value.code == "SignatureDoesNotMatch"
    assert "AssumeRole&" not in str(raised.value)
    assert "SignatureNonce" not in str(raised.value)


def test_a_refused_role_is_named(client: StsClient, user: Credentials) -> None:
    with pytest.raises(StsError, match=r"AssumeRole of acs:ram::1:role/nobody at http"):
        client.assume_role(user, role_arn="acs:ram::1:role/nobody", session_name="session")


@pytest.mark.parametrize("fault", [403, 503, "reset", "garbage-body"])
def test_no_frame_of_an_error_holds_a_token_or_a_secret(cloud: FakeCloud, fault: int | str) -> None:
    key = cloud.access_key()
    cloud.faults.add("sts", fault)
    client = StsClient(cloud.url, clock=cloud.clock, sleep=lambda _: None)
    signed = Credentials(key.access_key_id, "MarkerToken")
    calls: list[Callable[[], object]] = [
        lambda: client.assume_role_with_oidc(
            "MarkerToken", role_arn="acs:ram::1:role/app", oidc_provider_arn="arn", session_name="session"
        ),
        lambda: client.get_caller_identity(signed),
        lambda: client.generate_session_access_key("key", lambda _: b"MarkerToken"),
    ]
    for call in calls:
        with pytest.raises(StsError) as raised:
            call()
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
        assert "MarkerToken" not in repr(frames[2:])  # the first two are this test's
        assert len(frames) == 3
        assert (raised.value.__cause__, raised.value.__context__) == (None, None)


@pytest.mark.parametrize(("seconds", "temporary"), [(7200, False), (86402, False), (3 * 365 * 86400, True)])
def test_a_wrong_local_clock_is_corrected_by_that_of_sts(
    cloud: FakeCloud, user: Credentials, seconds: float, temporary: bool
) -> None:
    class Behind:
        def time(self) -> float:
            return cloud.clock.time() - seconds

        def monotonic(self) -> float:
            return cloud.clock.monotonic()

    if temporary:  # long-term keys believe an offset of 36 hours at most
        user = assume(StsClient(cloud.url, clock=cloud.clock), cloud, user)
        cloud.requests.clear()
    assert assume(StsClient(cloud.url, clock=Behind()), cloud, user).security_token
    assert len(cloud.requests.to("AssumeRole")) == 2


def test_an_html_page_in_place_of_sts_is_an_error_without_its_text(
    client: StsClient, cloud: FakeCloud, user: Credentials
) -> None:
    cloud.faults.add("AssumeRole", 200, body="<html>sign in to the hotel</html>")
    with pytest.raises(StsError, match="an HTML page, not a JSON object") as raised:
        assume(client, cloud, user)
    assert "hotel" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "environ", "url"),
    [
        ({}, {}, "https://sts.aliyuncs.com"),
        ({"vpc": True}, {}, "https://sts.aliyuncs.com"),
        ({"region": "cn-beijing"}, {}, "https://sts.cn-beijing.aliyuncs.com"),
        ({"region": "oss-cn-hongkong"}, {}, "https://sts.cn-hongkong.aliyuncs.com"),
        ({"region": "cn-beijing", "vpc": True}, {}, "https://sts-vpc.cn-beijing.aliyuncs.com"),
        ({"region": "cn-beijing-gov-1", "vpc": True}, {}, "https://sts.aliyuncs.com"),
        ({}, {"ALIBABA_CLOUD_STS_REGION": "us-west-1"}, "https://sts.us-west-1.aliyuncs.com"),
        (
            {},
            {"ALIBABA_CLOUD_STS_REGION": "us-west-1", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "True"},
            "https://sts-vpc.us-west-1.aliyuncs.com",
        ),
        ({"region": "cn-beijing"}, {"ALIBABA_CLOUD_STS_ENDPOINT": "sts.example.com"}, "https://sts.example.com"),
        ({"endpoint": "a.example"}, {"ALIBABA_CLOUD_STS_ENDPOINT": "b.example"}, "https://a.example"),
        ({"endpoint": "http://sts.aliyuncs.com/"}, {}, "https://sts.aliyuncs.com"),
        ({"endpoint": "http://127.0.0.1:8080"}, {}, "http://127.0.0.1:8080"),
        ({"endpoint": "http://[::1]:8080"}, {}, "http://[::1]:8080"),
        ({"endpoint": "http://localhost:1"}, {}, "http://localhost:1"),
    ],
)
def test_the_endpoint_is_found_in_the_order_of_the_official_libraries(
    given: dict[str, object], environ: dict[str, str], url: str
) -> None:
    arguments = {"endpoint": None, "region": None, "vpc": None, **given}
    assert find_sts_url(environ=environ, **arguments) == url  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"endpoint": "https://user@sts.aliyuncs.com"},
        {"endpoint": "https://sts.aliyuncs.com/path"},
        {"endpoint": "ftp://x"},
        {"endpoint": "sts.aliyuncs.com:0"},
        {"endpoint": "a b"},
        {"endpoint": "https://sts.aliyuncs.com\\@evil"},
        {"region": "cn-hangzhou.evil.example/"},
        {"region": "hangzhou"},
    ],
)
def test_an_invalid_endpoint_or_region_is_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        StsClient(**arguments)  # type: ignore[arg-type]


def test_the_table_of_regions_is_that_of_the_official_sdk() -> None:
    sts = pytest.importorskip("alibabacloud_sts20150401.client", reason="the official SDK of STS is not installed")
    models = pytest.importorskip("alibabacloud_tea_openapi.models")
    official = sts.Client(models.Config(access_key_id="a", access_key_secret="b", region_id="cn-hangzhou"))
    table = vars(official)["_endpoint_map"]
    assert set(table) == REGIONS_WITHOUT_ENDPOINT
    assert set(table.values()) == {"sts.aliyuncs.com"}


def test_sts_goes_through_the_proxy_of_the_environment_and_loopback_does_not(
    cloud: FakeCloud, user: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert assume(StsClient(cloud.url, clock=cloud.clock), cloud, user).security_token
    far = StsClient("sts.example.invalid", clock=cloud.clock, sleep=lambda _: None)
    with pytest.raises(StsError, match=r"STS was not called, because the proxy cannot be used\. .*connection refused"):
        far.get_caller_identity(user, FetchContext.create(5.0))


def test_a_session_key_needs_no_token(cloud: FakeCloud, client: StsClient) -> None:
    from ramrole_creds.testing.account.oidc_issuer import TEST_KEY

    pem = pem_of(TEST_KEY.public.modulus)
    key_id = cloud.account.add_public_key(cloud.add_user("rsa"), pem, cloud.clock.time())
    session = client.generate_session_access_key(key_id, TEST_KEY.sign)
    assert session.security_token is None
    assert session.expiration is not None
    assert client.get_caller_identity(session).identity_type == "RAMUser"


def pem_of(modulus: int) -> str:
    """An RSA public key (PKCS#1) as PEM."""
    from base64 import b64encode

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    def integer(number: int) -> bytes:
        return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))

    body = b64encode(element(0x30, integer(modulus) + integer(65537))).decode()
    return f"-----BEGIN RSA PUBLIC KEY-----{os.linesep}{body}{os.linesep}-----END RSA PUBLIC KEY-----"


def test_a_refusal_for_too_many_calls_says_how_to_make_fewer(
    client: StsClient, cloud: FakeCloud, user: Credentials
) -> None:
    cloud.faults.add("AssumeRole", 400, body='{"Code": "Throttling.User", "Message": "Slow down."}', times=None)
    with pytest.raises(StsError, match="share sessions between processes, or request longer ones") as raised:
        assume(client, cloud, user)
    assert not raised.value.unrecoverable
