"""STS of the fake cloud checks what the real one checks, and refuses with its codes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing import Identity
from ramrole_creds.testing.account.oidc_issuer import TEST_KEY, InvalidToken, OidcIssuer, verify_token
from ramrole_creds.testing.account.rsa_signature import PublicKey
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing import FakeCloud, IssuedCredentials
    from tests.testing.conftest import Answer

    Call = Callable[..., Answer]

ACCOUNT = "1234567890123456"
TARGET = f"acs:ram::{ACCOUNT}:role/target"


@pytest.fixture
def user(cloud: FakeCloud) -> IssuedCredentials:
    cloud.add_role("target")
    return cloud.access_key()


def session_of(cloud: FakeCloud, answer: Answer) -> IssuedCredentials:
    assert answer.status == 200, answer
    issued = cloud.credential_store.lookup(answer.json["Credentials"]["AccessKeyId"])
    assert issued is not None
    return issued


class TestAssumeRole:
    def test_gives_a_session_that_works_and_expires(
        self, cloud: FakeCloud, call: Call, user: IssuedCredentials
    ) -> None:
        answer = call(user, "AssumeRole", RoleArn=TARGET, RoleSessionName="job", DurationSeconds="900")
        assert answer.json["AssumedRoleUser"]["Arn"] == f"{TARGET}/job"
        assert answer.json["Credentials"]["Expiration"] == "2027-01-15T08:15:00Z"
        session = session_of(cloud, answer)
        who = call(session, "GetCallerIdentity").json
        assert who["Arn"] == f"acs:ram::{ACCOUNT}:assumed-role/target/job"
        assert (who["IdentityType"], who["AccountId"]) == ("AssumedRoleUser", ACCOUNT)
        cloud.clock.advance(minutes=15)
        refused = call(session, "GetCallerIdentity")
        assert (refused.status, refused.json["Code"]) == (400, "InvalidSecurityToken.Expired")

    @pytest.mark.parametrize(
        ("changed", "status", "code"),
        [
            ({"RoleArn": ""}, 400, "MissingRoleArn"),
            ({"RoleSessionName": ""}, 400, "MissingRoleSessionName"),
            ({"RoleArn": "target"}, 400, "InvalidParameter.RoleArn"),
            ({"RoleArn": f"acs:ram::{ACCOUNT}:user/target"}, 400, "InvalidParameter.RoleArn"),
            ({"RoleArn": f"acs:ram::{ACCOUNT}:role/nobody"}, 404, "EntityNotExist.Role"),
            ({"RoleArn": "acs:ram::6543210987654321:role/target"}, 404, "EntityNotExist.Role"),
            ({"RoleSessionName": "x"}, 400, "InvalidParameter.RoleSessionName"),
            ({"RoleSessionName": "no blanks"}, 400, "InvalidParameter.RoleSessionName"),
            ({"RoleSessionName": "y" * 65}, 400, "InvalidParameter.RoleSessionName"),
            ({"DurationSeconds": "899"}, 400, "InvalidParameter.DurationSeconds"),
            ({"DurationSeconds": "3601"}, 400, "InvalidParameter.DurationSeconds"),
            ({"DurationSeconds": "an hour"}, 400, "InvalidParameter.DurationSeconds"),
            ({"Policy": "{"}, 400, "InvalidParameter.PolicyGrammar"),
            ({"Policy": '{"Statement": [{"Effect": "Maybe", "Action": "*"}]}'}, 400, "InvalidParameter.PolicyGrammar"),
            ({"Policy": "[" * 2000}, 400, "InvalidParameter.PolicyGrammar"),
            ({"Policy": " " * 2049}, 400, "InvalidParameter.PolicySize"),
        ],
    )
    def test_refuses_bad_parameters(
        self, call: Call, user: IssuedCredentials, changed: dict[str, str], status: int, code: str
    ) -> None:
        answer = call(user, "AssumeRole", **{"RoleArn": TARGET, "RoleSessionName": "job", **changed})
        assert (answer.status, answer.json["Code"]) == (status, code)
        assert answer.json["RequestId"]

    def test_needs_the_trust_of_the_role(self, cloud: FakeCloud, call: Call, user: IssuedCredentials) -> None:
        only_ecs = f"acs:ram::{ACCOUNT}:role/web"
        answer = call(user, "AssumeRole", RoleArn=only_ecs, RoleSessionName="job")
        assert (answer.status, answer.json["Code"]) == (403, "NoPermission")
        assert "does not trust you" in answer.json["Message"]

    def test_needs_the_permission_of_the_caller(self, cloud: FakeCloud, call: Call, user: IssuedCredentials) -> None:
        bob = cloud.access_key(cloud.add_user("bob", policies=["ReadOnlyAccess"]))
        answer = call(bob, "AssumeRole", RoleArn=TARGET, RoleSessionName="job")
        assert (answer.status, answer.json["Code"]) == (403, "NoPermission")

    def test_a_role_may_trust_one_role_with_an_external_id_only(self, cloud: FakeCloud, call: Call) -> None:
        statement = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"RAM": [f"acs:ram::{ACCOUNT}:role/web"]},
            "Condition": {"StringEquals": {"sts:ExternalId": "ours"}},
        }
        guarded = cloud.add_role("guarded", trust={"Version": "1", "Statement": [statement]})
        web = cloud.instance.credentials("web", cloud.clock.time())
        asked = {"RoleArn": guarded.arn, "RoleSessionName": "job"}
        assert call(web, "AssumeRole", **asked, ExternalId="ours").status == 200
        assert call(web, "AssumeRole", **asked, ExternalId="theirs").status == 403
        assert call(web, "AssumeRole", **asked).status == 403
        assert call(cloud.access_key(), "AssumeRole", **asked, ExternalId="ours").status == 403

    def test_a_session_policy_only_narrows(self, cloud: FakeCloud, call: Call, user: IssuedCredentials) -> None:
        narrow = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}'
        answer = call(user, "AssumeRole", RoleArn=TARGET, RoleSessionName="job", Policy=narrow)
        session = session_of(cloud, answer)
        assert session.allows("oss:GetObject", "acs:oss:*:*:b/k")
        assert not session.allows("oss:PutObject", "acs:oss:*:*:b/k")
        cloud.set_policies("target", ["AliyunLogFullAccess"])
        assert not session.allows("oss:GetObject", "acs:oss:*:*:b/k")


def test_a_policy_change_binds_issued_credentials_at_once(cloud: FakeCloud, call: Call) -> None:
    cloud.add_role("target")
    web = cloud.instance.credentials("web", cloud.clock.time())
    assert call(web, "AssumeRole", RoleArn=TARGET, RoleSessionName="job").status == 200
    cloud.set_policies("web", [])
    assert call(web, "AssumeRole", RoleArn=TARGET, RoleSessionName="job").json["Code"] == "NoPermission"
    assert call(web, "GetCallerIdentity").status == 200
    cloud.set_policies("web", ["AliyunSTSAssumeRoleAccess"])
    assert call(web, "AssumeRole", RoleArn=TARGET, RoleSessionName="job").status == 200


def test_a_deleted_role_is_unknown_at_once(cloud: FakeCloud, call: Call) -> None:
    web = cloud.instance.credentials("web", cloud.clock.time())
    cloud.delete_role("web")
    answer = call(web, "GetCallerIdentity")
    assert (answer.status, answer.json["Code"]) == (404, "InvalidAccessKeyId.NotFound")


def test_an_account_itself_may_not_assume_a_role(cloud: FakeCloud, call: Call) -> None:
    owner = Identity(f"acs:ram::{ACCOUNT}:root", "Account")
    key = cloud.credential_store.issue(owner, now=cloud.clock.time(), lifetime=None)
    answer = call(key, "AssumeRole", RoleArn=TARGET, RoleSessionName="job")
    assert (answer.status, answer.json["Code"]) == (403, "NoPermission")
    assert "root accounts" in answer.json["Message"]


def test_deleting_a_role_that_does_not_exist_changes_nothing(cloud: FakeCloud, call: Call) -> None:
    web = cloud.instance.credentials("web", cloud.clock.time())
    cloud.account.delete_role("nobody")
    assert call(web, "GetCallerIdentity").status == 200


def test_who_a_user_is(call: Call, user: IssuedCredentials) -> None:
    who = call(user, "GetCallerIdentity").json
    assert (who["IdentityType"], who["Arn"]) == ("RAMUser", f"acs:ram::{ACCOUNT}:user/alice")


def test_an_unsigned_call_is_refused(call: Call) -> None:
    assert call(None, "GetCallerIdentity").json["Code"] == "MissingAccessKeyId"


def test_an_unknown_action_is_refused(call: Call, user: IssuedCredentials) -> None:
    answer = call(user, "AssumeNothing")
    assert (answer.status, answer.json["Code"]) == (404, "InvalidAction.NotFound")


def test_without_a_format_the_answer_is_xml(call: Call, user: IssuedCredentials) -> None:
    answer = call(user, "GetCallerIdentity", Format="XML")
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert f"<AccountId>{ACCOUNT}</AccountId>" in answer.text
    assert call(None, "GetCallerIdentity", Format="XML").text.startswith("<?xml")


class TestAssumeRoleWithOidc:
    @pytest.fixture
    def exchange(self, cloud: FakeCloud, call: Call) -> Callable[..., Answer]:
        role = cloud.add_role("pod", trust=cloud.oidc.trust("system:serviceaccount:default:app"))

        def exchanged(token: str, **changed: str) -> Answer:
            asked = {
                "OIDCProviderArn": cloud.oidc.provider_arn,
                "RoleArn": role.arn,
                "OIDCToken": token,
                "RoleSessionName": "pod-session",
            }
            return call(None, "AssumeRoleWithOIDC", **{**asked, **changed})

        return exchanged

    def test_gives_a_session_for_a_valid_token(
        self, cloud: FakeCloud, call: Call, exchange: Callable[..., Answer]
    ) -> None:
        answer = exchange(cloud.oidc.token())
        assert answer.json["OIDCTokenInfo"]["Subject"] == "system:serviceaccount:default:app"
        who = call(session_of(cloud, answer), "GetCallerIdentity").json
        assert who["Arn"] == f"acs:ram::{ACCOUNT}:assumed-role/pod/pod-session"

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"lifetime": -1}, "AuthenticationFail.OIDCToken.Expired"),
            ({"nbf": 1_900_000_000}, "AuthenticationFail.OIDCToken.Expired"),
            ({"aud": "somebody-else"}, "AuthenticationFail.OIDCToken.AudienceNotMatch"),
            ({"aud": None}, "AuthenticationFail.OIDCToken.AudienceNotMatch"),
            ({"iss": "https://elsewhere.invalid"}, "AuthenticationFail.OIDCToken.IssuerNotMatch"),
            ({"exp": "tomorrow"}, "AuthenticationFail.OIDCToken.Invalid"),
            ({"exp": 10**400}, "AuthenticationFail.OIDCToken.Invalid"),
            ({"subject": "system:serviceaccount:default:other"}, "AuthenticationFail.NoPermission"),
        ],
    )
    def test_refuses_a_token_that_is_wrong(
        self, cloud: FakeCloud, exchange: Callable[..., Answer], arguments: dict[str, Any], code: str
    ) -> None:
        answer = exchange(cloud.oidc.token(**arguments))
        assert (answer.status, answer.json["Code"]) == (401, code)

    @pytest.mark.parametrize(
        ("token", "code"),
        [
            ("no dots", "AuthenticationFail.OIDCToken.Invalid"),
            ("a.b.c", "AuthenticationFail.OIDCToken.Invalid"),
            (f"{base64.urlsafe_b64encode(b'[]').decode()}.e30.e30", "AuthenticationFail.OIDCToken.Invalid"),
            (
                f"{base64.urlsafe_b64encode(json.dumps({'alg': 'none'}).encode()).decode()}.e30.",
                "AuthenticationFail.OIDCToken.Invalid",
            ),
        ],
    )
    def test_refuses_a_text_that_is_not_a_token(self, exchange: Callable[..., Answer], token: str, code: str) -> None:
        assert exchange(token).json["Code"] == code

    def test_refuses_a_changed_token(self, cloud: FakeCloud, exchange: Callable[..., Answer]) -> None:
        head, body, signature = cloud.oidc.token("system:serviceaccount:default:other").split(".")
        better = cloud.oidc.token().split(".")[1]
        assert body != better
        answer = exchange(f"{head}.{better}.{signature}")
        assert answer.json["Code"] == "AuthenticationFail.OIDCToken.InvalidSignature"

    def test_refuses_a_provider_that_is_not_registered(self, cloud: FakeCloud, exchange: Callable[..., Answer]) -> None:
        answer = exchange(cloud.oidc.token(), OIDCProviderArn=f"acs:ram::{ACCOUNT}:oidc-provider/other")
        assert (answer.status, answer.json["Code"]) == (401, "AuthenticationFail.NoPermission")


@given(st.text(max_size=60))
def test_no_text_makes_the_token_check_stumble(text: str) -> None:
    issuer = OidcIssuer(VirtualClock(0), ACCOUNT)
    with pytest.raises(InvalidToken):
        verify_token(text, issuer, 0)


def test_a_token_is_a_json_web_token_that_others_can_verify() -> None:
    """The signature is plain RS256: openssl or PyJWT take the same public key."""
    issuer = OidcIssuer(VirtualClock(1_800_000_000), ACCOUNT)
    head, body, signature = issuer.token().split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    assert len(raw) == 256
    assert TEST_KEY.public.verify(f"{head}.{body}".encode(), raw)
    assert not TEST_KEY.public.verify(f"{head}.{body}x".encode(), raw)


class TestKeyPair:
    PEM = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDd
-----END PUBLIC KEY-----"""

    @pytest.mark.parametrize(
        "pem",
        ["", "not base64!", PEM, "MAA=", "MAsGCSqGSIb3DQEBAQ==", "MAUwAAIBAQ==", "MAYCAQEEAQE="],
        ids=["empty", "text", "cut", "empty sequence", "no key", "no bit string", "one integer"],
    )
    def test_a_text_that_is_not_a_key_is_refused(self, pem: str) -> None:
        with pytest.raises(ValueError, match="not an RSA public key"):
            PublicKey.from_pem(pem)

    def test_a_signed_call_gives_a_session_key_without_a_token(self, cloud: FakeCloud, call: Call) -> None:
        from urllib.parse import quote

        key_id = cloud.account.add_public_key(cloud.add_user(), _pem(TEST_KEY.public), cloud.clock.time())
        given = {
            "Action": "GenerateSessionAccessKey",
            "Version": "2015-04-01",
            "Format": "JSON",
            "AccessKeyId": key_id,
            "DurationSeconds": "900",
            "SignatureMethod": "SHA256withRSA",
            "SignatureType": "PRIVATEKEY",
            "SignatureVersion": "1.0",
            "SignatureNonce": "1",
            "Timestamp": "2027-01-15T08:00:00Z",
        }

        def encode(text: str) -> str:
            return quote(text, safe="-_.~")

        query = "&".join(f"{encode(name)}={encode(given[name])}" for name in sorted(given))
        signature = base64.b64encode(TEST_KEY.sign(f"POST&%2F&{encode(query)}".encode())).decode()
        own = {name: value for name, value in given.items() if name not in {"Action", "Version"}}
        answer = call(None, "GenerateSessionAccessKey", **own, Signature=signature)
        assert answer.status == 200, answer
        replayed = call(None, "GenerateSessionAccessKey", **own, Signature=signature)
        assert replayed.json["Code"] == "SignatureNonceUsed"
        key = answer.json["SessionAccessKey"]
        assert key["Expiration"] == "2027-01-15T08:15:00Z"
        issued = cloud.credential_store.lookup(key["SessionAccessKeyId"])
        assert call(issued, "GetCallerIdentity").json["Arn"] == f"acs:ram::{ACCOUNT}:user/alice"
        cloud.clock.advance(minutes=15)
        assert call(issued, "GetCallerIdentity").status == 400
        wrong = call(None, "GenerateSessionAccessKey", **own, Signature="AAAA")
        assert (wrong.status, wrong.json["Code"]) == (400, "SignatureDoesNotMatch")


def _pem(key: PublicKey) -> str:
    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    number = key.modulus.to_bytes(257, "big")
    inner = element(0x30, element(2, number) + element(2, key.exponent.to_bytes(3, "big")))
    algorithm = element(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return base64.b64encode(element(0x30, algorithm + element(3, b"\0" + inner))).decode()
