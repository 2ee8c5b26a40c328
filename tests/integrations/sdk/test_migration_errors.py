"""The error texts of the migration pages are what the other libraries say: each is provoked, and compared."""

from __future__ import annotations

import gc
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ramrole_creds import EcsRamRoleProvider, default_provider
from ramrole_creds.testing import FakeCloud, cloud_in_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# An AcsClient that was not made for lack of credentials complains when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DOCS = Path(__file__).parents[3] / "docs"
ROLES = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"
ROLE_ARN = "acs:ram::1234567890123456:role/web"
LIFETIME_SECONDS = 120  # the clients read the time of the system, which may differ by 15 minutes from the cloud's


def chain_without_credentials(cloud: FakeCloud) -> None:
    from alibabacloud_credentials.client import Client

    cloud.detach_role()
    Client().get_credential()


def role_that_is_not_attached(_: FakeCloud) -> None:
    from alibabacloud_credentials.client import Client
    from alibabacloud_credentials.models import Config

    Client(Config(type="ecs_ram_role", role_name="other")).get_credential()


def short_session(_: FakeCloud) -> None:
    from alibabacloud_credentials.client import Client
    from alibabacloud_credentials.models import Config

    config = Config(type="ram_role_arn", access_key_id="id", access_key_secret="key", role_arn=ROLE_ARN)
    config.role_session_expiration = 300
    Client(config)


def source_without_credentials(_: FakeCloud) -> None:
    from alibabacloud_credentials.provider import RamRoleArnCredentialsProvider

    class Nothing:
        def get_credentials(self) -> None: ...

    RamRoleArnCredentialsProvider(
        credentials_provider=Nothing(), role_arn=ROLE_ARN, role_session_name="name"
    ).get_credentials()


def unreadable_profiles(_: FakeCloud) -> None:
    from alibabacloud_credentials.provider import CLIProfileCredentialsProvider

    CLIProfileCredentialsProvider(profile_file=__file__).get_credentials()


def slow_command(_: FakeCloud) -> None:
    from alibabacloud_credentials.provider import ExternalCredentialsProvider

    command = f"{sys.executable} -c 'import time; time.sleep(60)'"
    ExternalCredentialsProvider(process_command=command, timeout=1).get_credentials()


def no_keys_in_the_environment(_: FakeCloud) -> None:
    from alibabacloud_credentials.provider import EnvironmentVariableCredentialsProvider

    EnvironmentVariableCredentialsProvider().get_credentials()


def acs_request(cloud: FakeCloud) -> Any:
    from aliyunsdkcore.request import RpcRequest

    request = RpcRequest("Sts", "2015-04-01", "GetCallerIdentity")
    request.set_endpoint(cloud.address)
    request.set_protocol_type("http")
    return request


def ask(cloud: FakeCloud, credential: object = None) -> None:
    """A call of AcsClient."""
    from aliyunsdkcore.client import AcsClient

    AcsClient(credential=credential).do_action_with_exception(acs_request(cloud))


def instance_of(name: str) -> object:
    from aliyunsdkcore.auth.credentials import EcsRamRoleCredential

    return EcsRamRoleCredential(name)


def refused_credentials(cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", "document", set={"Code": "Failed"})
    ask(cloud, instance_of("web"))


def refused_assumption(cloud: FakeCloud) -> None:
    from aliyunsdkcore.auth.credentials import RamRoleArnCredential
    from aliyunsdkcore.auth.signers.ram_role_arn_signer import RamRoleArnSigner

    def refuse(*_: object) -> tuple[int, dict[str, str], bytes, None]:
        return 404, {}, json.dumps({"Code": "EntityNotExist.Role"}).encode(), None

    RamRoleArnSigner(RamRoleArnCredential("id", "key", ROLE_ARN, "name"), refuse).sign(
        "cn-hangzhou", acs_request(cloud)
    )


def hardened_instance(cloud: FakeCloud) -> None:
    cloud.mode = "hardened"
    ask(cloud, instance_of("web"))


def overridden_credential(cloud: FakeCloud) -> None:
    from aliyunsdkcore.auth.credentials import AccessKeyCredential

    key = cloud.access_key()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIYUN_ACCESS_KEY_ID", "LTAI5tFAKEold")
        patch.setenv("ALIYUN_ACCESS_KEY_SECRET", "old")
        ask(cloud, AccessKeyCredential(key.access_key_id, key.access_key_secret))


def three_strings(cloud: FakeCloud) -> None:
    from aliyunsdkcore.auth.credentials import StsTokenCredential

    held = EcsRamRoleProvider("web").get_credentials()
    cloud.clock.advance(seconds=LIFETIME_SECONDS + 1)
    ask(cloud, StsTokenCredential(held.access_key_id, held.access_key_secret, held.security_token))


def upload(cloud: FakeCloud, auth: object, **options: str) -> None:
    import oss2

    oss2.Bucket(auth, cloud.url, "bucket", **options).put_object("key", b"body")


def sts_auth(cloud: FakeCloud) -> None:
    import oss2

    held = EcsRamRoleProvider("web").get_credentials()
    cloud.clock.advance(seconds=LIFETIME_SECONDS + 1)
    upload(cloud, oss2.StsAuth(held.access_key_id, held.access_key_secret, held.security_token))


def oss2_of_the_instance(cloud: FakeCloud, role: str = "web") -> None:
    import oss2
    from oss2.credentials import EcsRamRoleCredentialsProvider

    upload(cloud, oss2.ProviderAuth(EcsRamRoleCredentialsProvider(ROLES + role, max_retries=1, timeout=5)))


def oss2_on_a_hardened_instance(cloud: FakeCloud) -> None:
    cloud.mode = "hardened"
    oss2_of_the_instance(cloud)


def oss2_in_an_outage(cloud: FakeCloud) -> None:
    cloud.faults.add("metadata", "outage")
    oss2_of_the_instance(cloud)


def oss2_without_variables(cloud: FakeCloud) -> None:
    import oss2
    from oss2.credentials import EnvironmentVariableCredentialsProvider

    upload(cloud, oss2.ProviderAuth(EnvironmentVariableCredentialsProvider()))


def oss2_without_a_region(cloud: FakeCloud) -> None:
    import oss2

    upload(cloud, oss2.ProviderAuthV4(default_provider()))


def presigned(cloud: FakeCloud) -> NoReturn:
    import oss2
    import requests

    bucket = oss2.Bucket(oss2.ProviderAuth(EcsRamRoleProvider("web")), cloud.url, "bucket")
    bucket.put_object("key", b"body")
    url = bucket.sign_url("GET", "key", 3600)
    cloud.clock.advance(seconds=LIFETIME_SECONDS + 1)
    raise AssertionError(requests.get(url, timeout=5).text)


def boto(cloud: FakeCloud, *keys: str | None) -> None:
    import boto3
    from botocore.config import Config

    config = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = boto3.Session(*keys).client("s3", endpoint_url=cloud.url, region_name="cn-hangzhou", config=config)
        client.list_objects_v2(Bucket="bucket")


def boto_profile(cloud: FakeCloud) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PROFILE", "missing")
        boto(cloud)


def boto_strings(cloud: FakeCloud) -> None:
    held = EcsRamRoleProvider("web").get_credentials()
    cloud.clock.advance(seconds=LIFETIME_SECONDS + 1)
    boto(cloud, held.access_key_id, held.access_key_secret, held.security_token)


# What leads to the text in the first cell of each row; the package that it needs comes with the page.
Rows = dict[str, "Callable[[FakeCloud], None]"]
PROVOKED: dict[str, tuple[str, Rows]] = {
    "migrate-credentials.md": (
        "alibabacloud_credentials",
        {
            "`unable to load credentials from any of the providers in the chain`": chain_without_credentials,
            "`Failed to get RAM session credentials from ECS metadata service`": role_that_is_not_attached,
            "`session duration should be in the range of 900s - max session duration`": short_session,
            "`unable to load original credentials from the provider in RAM role arn`": source_without_credentials,
            "`failed to parse credential form cli credentials file`": unreadable_profiles,
            "`command process timed out after`": slow_command,
            "`Environment variable accessKeyId cannot be empty`": no_keys_in_the_environment,
        },
    ),
    "migrate-sdk-core.md": (
        "aliyunsdkcore",
        {
            "`refresh Ecs sts token err`": refused_credentials,
            "`refresh session token failed`": refused_assumption,
            "`Need a ak&secret pair`": ask,
            "`HTTP Error 404: Not Found`, from urllib": lambda cloud: ask(cloud, instance_of("other")),
            "`HTTP Error 403: Forbidden`, from urllib": hardened_instance,
            "`InvalidAccessKeyId.NotFound`": overridden_credential,
            "`InvalidSecurityToken.Expired`": three_strings,
        },
    ),
    "migrate-oss2.md": (
        "oss2",
        {
            "`SecurityTokenExpired` after some hours, later `InvalidAccessKeyId`": sts_auth,
            "`Failed to fetch credentials url, http code:` with 403": oss2_on_a_hardened_instance,
            "`Failed to fetch credentials url, http code:` with 404": lambda cloud: oss2_of_the_instance(
                cloud, "other"
            ),
            "`Failed to get credentials from ECS metadata service`": oss2_in_an_outage,
            "`Access key id should not be null or empty`": oss2_without_variables,
            "`The region should not be None in signature version 4`": oss2_without_a_region,
            "`SecurityTokenExpired` in a presigned URL": presigned,
        },
    ),
    "migrate-boto3.md": (
        "boto3",
        {
            "`Unable to locate credentials`": boto,
            "`The config profile` … `could not be found`": boto_profile,
            "`SecurityTokenExpired` after some hours, later `InvalidAccessKeyId`": boto_strings,
        },
    ),
}
# Said by the real services, where a test of a client provokes nothing.
OF_SERVICES = {
    "`InvalidSecurityToken.Expired`, from a service",
    "`SecondLevelDomainForbidden`, from OSS",
    "`aws-chunked encoding is not supported`, from OSS",
}
CASES = [(page, said) for page, (_, rows) in PROVOKED.items() for said in rows]


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(credential_lifetime=LIFETIME_SECONDS) as cloud, cloud_in_place(cloud):
        yield cloud
    gc.collect()


@pytest.mark.parametrize("page", PROVOKED)
def test_every_row_is_provoked(page: str) -> None:
    table = (DOCS / page).read_text(encoding="utf-8").partition("## Wrong, and right")[2].partition("\n## ")[0]
    rows = [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines() if row.startswith("| `")]
    assert set(rows) - OF_SERVICES == set(PROVOKED[page][1])


@pytest.mark.may_leak  # what other libraries log
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("page", "said"), CASES, ids=range(len(CASES)))
def test_the_other_library_says_so(cloud: FakeCloud, page: str, said: str) -> None:
    package, rows = PROVOKED[page]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    with pytest.raises(BaseException) as raised:  # noqa: PT011  # of any library; the text is what counts
        rows[said](cloud)
    if isinstance(raised.value, (ImportError, TypeError)):
        pytest.skip(f"this release of {package} does not have it: {raised.value}")
    text = str(raised.value)
    parts = [*re.findall(r"`([^`]+)`", said.partition(", later")[0]), *re.findall(r"with (\d+)", said)]
    assert [part for part in parts if part not in text] == [], text
