"""boto3 against the S3-compatible endpoint of OSS."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from ramrole_creds import EcsRamRoleProvider, FunctionProvider
from ramrole_creds.integrations.botocore import botocore_session
from ramrole_creds.integrations.retry import retry_on_rejected
from tests.integrations.sdk.conftest import used_elsewhere

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider, Credentials
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")

CONFIG = Config(
    s3={"addressing_style": "path"}, signature_version="s3v4", request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)  # fmt: skip


def client_of(stage: Stage, provider: CredentialProvider | None = None) -> Any:
    session = boto3.Session(botocore_session=botocore_session(provider or stage.provider))
    return session.client("s3", endpoint_url=stage.url, region_name="cn-hangzhou", config=CONFIG)


def test_objects_are_written_and_read_over_rotations(stage: Stage) -> None:
    client = client_of(stage)

    def call() -> None:
        client.put_object(Bucket="bkt", Key="a b/é", Body=b"body")
        assert client.get_object(Bucket="bkt", Key="a b/é")["Body"].read() == b"body"

    stage.assert_rotates("s3", call)


def test_a_presigned_url_can_be_used_by_anybody(stage: Stage) -> None:
    client = client_of(stage)
    client.put_object(Bucket="bkt", Key="key", Body=b"body")
    url = client.generate_presigned_url("get_object", {"Bucket": "bkt", "Key": "key"}, ExpiresIn=600)
    stage.rotate()

    assert requests.get(url, timeout=5).content == b"body"


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = client_of(stage)
    client.put_object(Bucket="bkt", Key="key", Body=b"body")
    stage.expire()

    with pytest.raises(ClientError):
        client.get_object(Bucket="bkt", Key="key")
    answer = retry_on_rejected(stage.provider)(client.get_object)(Bucket="bkt", Key="key")
    assert answer["Body"].read() == b"body"


def test_short_credentials_are_not_fetched_for_each_request(stage: Stage) -> None:
    """botocore's own windows of 15 and 10 minutes would ask again for each request."""
    fetches: list[Credentials] = []

    def fetch() -> Credentials:
        fetches.append(stage.provider.get_credentials())
        return fetches[-1]

    client = client_of(stage, FunctionProvider(fetch, clock=stage.clock))
    for _ in range(5):
        client.put_object(Bucket="bkt", Key="key", Body=b"body")

    assert len(fetches) == 1
    expiration = fetches[0].expiration
    assert expiration is not None
    assert expiration - datetime.now(timezone.utc) < timedelta(minutes=10)


def test_nothing_of_the_credentials_is_kept_in_the_session(stage: Stage) -> None:
    session = boto3.Session(botocore_session=botocore_session(stage.provider))
    credentials = session.get_credentials()

    assert credentials.get_frozen_credentials().access_key == stage.provider.get_credentials().access_key_id
    assert (credentials.access_key, credentials.secret_key, credentials.token) == (None, None, None)


BOTO3_CODE = """
import io, sys
from botocore.config import Config
CONFIG = Config(s3={{"addressing_style": "path"}}, signature_version="s3v4")
client = value.create_client("s3", endpoint_url="{url}", config=CONFIG)
client.put_object(Bucket="bkt", Key="key", Body=b"body")
print(client.get_object(Bucket="bkt", Key="key")["Body"].read().decode(), hasattr(client, "upload_fileobj"))
"""


@pytest.mark.parametrize("wrapped", [False, True], ids=["botocore", "boto3"])
def test_a_session_is_used_in_another_process(stage: Stage, wrapped: bool) -> None:
    session = botocore_session(EcsRamRoleProvider(endpoint=stage.url), session_vars={"region": ("r", None, None, None)})
    session.set_config_variable("region", "cn-hangzhou")
    if wrapped:
        boto3.Session(botocore_session=session)
    session.get_credentials().get_frozen_credentials()

    assert used_elsewhere(session, BOTO3_CODE.format(url=stage.url)) == f"body {wrapped}"
    copied = copy.deepcopy(session)
    assert copied.get_credentials().get_frozen_credentials() == session.get_credentials().get_frozen_credentials()


def test_the_credentials_of_a_session_arrive_with_their_provider(stage: Stage) -> None:
    credentials = botocore_session(EcsRamRoleProvider(endpoint=stage.url)).get_credentials()

    assert used_elsewhere(credentials, "print(value.get_frozen_credentials().access_key[:4])") == "STS."


def test_the_settings_of_all_clients_of_a_session_arrive_with_it(stage: Stage) -> None:
    session = botocore_session(EcsRamRoleProvider(endpoint=stage.url))
    session.set_default_client_config(Config(connect_timeout=7))
    assert used_elsewhere(session, "print(value.get_default_client_config().connect_timeout)") == "7"
