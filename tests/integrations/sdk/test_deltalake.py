"""deltalake takes keys as strings: a handle creates a new table when the credentials change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from ramrole_creds import Credentials
    from tests.integrations.sdk.conftest import Stage


def options_of(stage: Stage, credentials: Credentials) -> dict[str, str]:
    return {
        "aws_endpoint_url": stage.url,
        "aws_region": "cn-hangzhou",
        "aws_allow_http": "true",
        "aws_s3_allow_unsafe_rename": "true",
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.access_key_secret,
        "aws_session_token": credentials.security_token or "",
    }


def table_of(stage: Stage) -> RefreshingClient[Any]:
    def make(credentials: Credentials) -> DeltaTable:
        return DeltaTable("s3://bkt/table", storage_options=options_of(stage, credentials))

    return RefreshingClient(stage.provider, make)


def write(stage: Stage) -> None:
    options = options_of(stage, stage.provider.get_credentials())
    write_deltalake("s3://bkt/table", pa.table({"a": [1]}), mode="overwrite", storage_options=options)


def test_tables_are_written_and_read_over_rotations(stage: Stage) -> None:
    table = table_of(stage)

    def call() -> None:
        write(stage)
        assert table().to_pyarrow_table().num_rows == 1

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    write(stage)
    stage.expire()

    retry_on_rejected(stage.provider)(write)(stage)

    assert stage.accepted("s3")[-1] == stage.provider.get_credentials().access_key_id
