"""smart_open takes a client of boto3, whose session takes a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import smart_open
from botocore.config import Config

from ramrole_creds.integrations.botocore import botocore_session
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage


def client_of(stage: Stage) -> Any:
    session = boto3.Session(botocore_session=botocore_session(stage.provider))
    config = Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=stage.url, region_name="cn-hangzhou", config=config)


def write(client: Any) -> None:
    with smart_open.open("s3://bkt/key", "wb", transport_params={"client": client}) as file:
        file.write(b"body")


def read(client: Any) -> bytes:
    with smart_open.open("s3://bkt/key", "rb", transport_params={"client": client}) as file:
        content: bytes = file.read()
        return content


def test_files_are_written_and_read_over_rotations(stage: Stage) -> None:
    client = client_of(stage)

    def call() -> None:
        write(client)
        assert read(client) == b"body"

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = client_of(stage)
    write(client)
    stage.expire()

    assert retry_on_rejected(stage.provider)(read)(client) == b"body"
