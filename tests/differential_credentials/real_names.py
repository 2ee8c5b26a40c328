"""Both libraries do what profiles say, where the services have their real names but are on loopback.

    python -m tests.differential_credentials.real_names FOLDER

Runs in a network and a mount namespace of its own, whose /etc/hosts has `HOSTS`: the official library takes no endpoint
for a profile. Prints what each library got and asked, in each case, as JSON. Every run has a cloud of its own, all of
the same seed, so that both libraries are given the same keys.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ramrole_creds import CliProfileProvider, RsaKeyPairProvider
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud, WireResponse
from tests.differential_credentials.tls_front import TlsFront

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import CredentialProvider
    from ramrole_creds.testing import WireRequest

EVERYWHERE = "0.0.0.0"  # of a namespace with nothing but loopback
METADATA_HOST = "100.100.100.200"
SIGN_IN_HOST = "signin-cn-shanghai.alibabacloudsso.com"
HOSTS = (
    "sts.aliyuncs.com",
    "sts.cn-hangzhou.aliyuncs.com",
    "sts-vpc.cn-hangzhou.aliyuncs.com",
    "sts.ap-northeast-1.aliyuncs.com",
    "oauth.aliyun.com",
    SIGN_IN_HOST,
)
POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:Get*","Resource":"*"}]}'
# Of one call, or of the way in which it was signed.
ITS_OWN = {"Timestamp", "SignatureNonce", "Signature", "SignatureMethod", "SignatureVersion", "SignatureType", "Format"}


class SignIn:
    """CloudSSO, and OAuth whose answers are spelled in PascalCase: the official library reads no other."""

    name = "sign-in"

    def recognizes(self, request: WireRequest) -> bool:
        return request.path in ("/v1/token", "/v1/exchange", "/cloud-credentials")

    def handle(self, request: WireRequest) -> WireResponse:
        if request.path == "/v1/token":
            answer: dict[str, Any] = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 7200}
        else:
            expiration = datetime.fromtimestamp(request.at + 3600, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            name = request.path.rpartition("/")[2]
            keys = {"AccessKeyId": f"STS.{name}", "AccessKeySecret": f"secret-of-{name}", "SecurityToken": "a-token"}
            keys["Expiration"] = expiration
            answer = keys if name == "exchange" else {"CloudCredential": keys}
        return WireResponse(200, (("Content-Type", "application/json"),), json.dumps(answer).encode())


def keys_of(cloud: FakeCloud) -> dict[str, str]:
    key = cloud.access_key()
    return {"access_key_id": key.access_key_id, "access_key_secret": key.access_key_secret}


def assumed(cloud: FakeCloud, **more: object) -> dict[str, object]:
    return {"ram_role_arn": cloud.add_role("app").arn, "ram_session_name": "session", **more}


def ram_role_arn(cloud: FakeCloud, _folder: Path, **more: object) -> list[dict[str, object]]:
    return [{"mode": "RamRoleArn", **keys_of(cloud), **assumed(cloud, **more)}]


def with_options(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    return ram_role_arn(cloud, folder, expired_seconds=900, policy=POLICY, external_id="partner-7")


def in_a_region(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    return ram_role_arn(cloud, folder, sts_region="cn-hangzhou")


def in_a_vpc(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    return ram_role_arn(cloud, folder, sts_region="cn-hangzhou", enable_vpc=True)


def chainable(cloud: FakeCloud, _folder: Path) -> list[dict[str, object]]:
    source: dict[str, object] = {"name": "source", "mode": "AK", **keys_of(cloud)}
    return [{"mode": "ChainableRamRoleArn", "source_profile": "source", **assumed(cloud)}, source]


def chain_of_two_roles(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    hop, source = chainable(cloud, folder)
    first = {**hop, "name": "first", "ram_role_arn": cloud.add_role("first").arn}
    return [{**hop, "source_profile": "first"}, first, source]


def oidc(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    token = folder / "token"
    if not token.exists():  # the same for both
        cloud.oidc.write_token(token)
    profile: dict[str, object] = {
        "mode": "OIDC",
        "ram_role_arn": cloud.add_role("pod", trust=cloud.oidc.trust()).arn,
        "oidc_provider_arn": cloud.oidc.provider_arn,
        "oidc_token_file": str(token),
        "role_session_name": "session",
        "policy": POLICY,
    }
    return [profile]


def ecs_ram_role(_cloud: FakeCloud, _folder: Path) -> list[dict[str, object]]:
    return [{"mode": "EcsRamRole", "ram_role_name": "web"}]


def cloud_sso(_cloud: FakeCloud, _folder: Path) -> list[dict[str, object]]:
    profile = {
        "mode": "CloudSSO",
        "cloud_sso_sign_in_url": f"https://{SIGN_IN_HOST}/start/login",
        "cloud_sso_account_id": "123",
        "cloud_sso_access_config": "ac-1",
        "access_token": "sso-token",
        "cloud_sso_access_token_expire": int(time.time()) + 3600,
    }
    return [profile]


def oauth(_cloud: FakeCloud, _folder: Path, left: int = 3600) -> list[dict[str, object]]:
    profile = {
        "mode": "OAuth",
        "oauth_site_type": "CN",
        "oauth_access_token": "access-1",
        "oauth_refresh_token": "refresh-1",
        "oauth_access_token_expire": int(time.time()) + left,
    }
    return [profile]


def oauth_renewed(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    return oauth(cloud, folder, left=600)


def external(cloud: FakeCloud, folder: Path) -> list[dict[str, object]]:
    printed = folder / "printed.json"
    printed.write_text(json.dumps({"mode": "AK", **keys_of(cloud)}))
    return [{"mode": "External", "process_command": f"cat {printed}"}]


PROFILES: dict[str, Callable[[FakeCloud, Path], list[dict[str, object]]]] = {
    "RamRoleArn": ram_role_arn,
    "RamRoleArn with options": with_options,
    "RamRoleArn in a region": in_a_region,
    "RamRoleArn in a VPC": in_a_vpc,
    "ChainableRamRoleArn": chainable,
    "ChainableRamRoleArn twice": chain_of_two_roles,
    "OIDC": oidc,
    "EcsRamRole": ecs_ram_role,
    "CloudSSO": cloud_sso,
    "OAuth": oauth,
    "OAuth renewed": oauth_renewed,
    "External": external,
}
RSA_KEY_PAIR = "RsaKeyPair"  # a mode of the CLI that the official library has no profile for: the provider itself


def asked(cloud: FakeCloud) -> list[dict[str, object]]:
    """What was asked of whom, without what differs from call to call."""
    found = []
    for entry in cloud.requests:
        request = entry.request
        parameters = {name: value for name, value in request.parameters.items() if name not in ITS_OWN}
        one: dict[str, object] = {"host": entry.header("Host"), "parameters": parameters}
        if entry.service == "metadata":
            one |= {"method": entry.method, "path": entry.path}
        elif entry.service == "sign-in":
            body = json.loads(request.body) if request.body.startswith(b"{") else None
            one |= {"method": entry.method, "path": entry.path, "body": body, "who": entry.header("Authorization")}
        found.append(one)
    return found


def run(case: str, library: str, front: TlsFront, folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    cloud = FakeCloud(
        "web", clock=SYSTEM_CLOCK, seed=7, host=EVERYWHERE, port=80, allowed_hosts=[METADATA_HOST, *HOSTS]
    )
    cloud.services.insert(0, SignIn())
    with cloud:
        front.port = cloud.port
        if case == RSA_KEY_PAIR:
            return {**from_key_pair(cloud, library, folder), "asked": asked(cloud)}
        profiles = PROFILES[case](cloud, folder)
        path.write_text(json.dumps({"current": "p", "profiles": [{"name": "p", **profiles[0]}, *profiles[1:]]}))
        path.chmod(0o600)
        got = from_profile(path, library)
    kept = json.loads(path.read_text())["profiles"][0]
    return {**got, "asked": asked(cloud), "kept": [kept.get("oauth_access_token"), kept.get("oauth_refresh_token")]}


def from_profile(path: Path, library: str) -> dict[str, Any]:
    if library == "ours":
        return of_ours(CliProfileProvider("p", path=path))
    from alibabacloud_credentials.provider import CLIProfileCredentialsProvider

    return of_theirs(CLIProfileCredentialsProvider(profile_file=str(path), profile_name="p"))


def from_key_pair(cloud: FakeCloud, library: str, folder: Path) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    file = folder / "key.pem"
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    text = key.public_key().public_bytes(pem, public).decode()
    key_id = cloud.account.add_public_key(cloud.add_user("rsa"), text, SYSTEM_CLOCK.time())
    if library == "ours":
        return of_ours(RsaKeyPairProvider(key_id, file, duration=1800))
    from alibabacloud_credentials.exceptions import CredentialException
    from alibabacloud_credentials.provider import RsaKeyPairCredentialsProvider

    theirs = RsaKeyPairCredentialsProvider(public_key_id=key_id, private_key_file=str(file), duration_seconds=1800)
    try:
        return of_theirs(theirs)
    except CredentialException:
        # It signs with HMAC-SHA1, keyed with the text of the private key, which STS cannot verify: always refused.
        return {"triple": None, "name": theirs.get_provider_name()}


def of_ours(provider: CredentialProvider) -> dict[str, Any]:
    got = provider.get_credentials()
    return {"triple": [got.access_key_id, got.access_key_secret, got.security_token], "name": got.provider_name}


def of_theirs(provider: Any) -> dict[str, Any]:
    got = provider.get_credentials()
    triple = [got.get_access_key_id(), got.get_access_key_secret(), got.get_security_token() or None]
    return {"triple": triple, "name": got.get_provider_name()}


def main() -> None:
    folder = Path(sys.argv[1])
    front = TlsFront(80, folder, listen_port=443, names=HOSTS)
    os.environ["REQUESTS_CA_BUNDLE"] = str(front.ca_file)
    certifi.where = lambda: str(front.ca_file)  # before the official library is imported: it asks no variable
    try:
        cases = [*PROFILES, RSA_KEY_PAIR]
        report = {case: {who: run(case, who, front, folder) for who in ("theirs", "ours")} for case in cases}
    finally:
        front.close()
    print(json.dumps(report))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
