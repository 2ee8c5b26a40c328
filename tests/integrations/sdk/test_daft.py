"""daft asks a function for credentials, for each request."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import daft
import pytest
from daft.io import IOConfig, S3Config

from ramrole_creds import Credentials, EcsRamRoleProvider, FunctionProvider
from ramrole_creds.integrations.daft import DaftCredentials
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage


def config_of(stage: Stage, provider: Any = None) -> IOConfig:
    credentials = DaftCredentials(provider or stage.provider)
    return IOConfig(
        s3=S3Config(
            endpoint_url=stage.url, region_name="cn-hangzhou", credentials_provider=credentials, num_tries=1,
            use_ssl=False,
        )
    )  # fmt: skip


def write(config: IOConfig) -> None:
    daft.from_pydict({"a": [1, 2]}).write_parquet("s3://bkt/table", io_config=config, write_mode="overwrite")


def read(config: IOConfig) -> list[int]:
    numbers: list[int] = daft.read_parquet("s3://bkt/table/*.parquet", io_config=config).to_pydict()["a"]
    return numbers


def test_frames_are_written_and_read_over_rotations(stage: Stage) -> None:
    config = config_of(stage)

    def call() -> None:
        write(config)
        assert read(config) == [1, 2]

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    config = config_of(stage)
    write(config)
    stage.expire()

    assert retry_on_rejected(stage.provider)(read)(config) == [1, 2]
    assert stage.accepted("s3")[-1] == stage.provider.get_credentials().access_key_id


def test_a_new_pickled_configuration_has_no_secret(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    provider.get_credentials()
    write(config_of(stage, provider))

    config = config_of(stage, provider)
    pickled = pickle.dumps(config)

    assert leaked_marker(pickled.decode("latin-1")) is None
    assert leaked_marker(repr(config)) is None
    assert read(pickle.loads(pickled)) == [1, 2]


def test_daft_writes_keys_into_a_configuration_that_it_used(stage: Stage) -> None:
    """When this fails, daft has stopped doing so, and the caveat in the manual can go."""
    config = config_of(stage, EcsRamRoleProvider(endpoint=stage.url))
    write(config)

    assert leaked_marker(pickle.dumps(config).decode("latin-1")) is not None
    assert leaked_marker(pickle.dumps(config.s3.credentials_provider).decode("latin-1")) is None


@pytest.mark.parametrize("token", [None, "token"], ids=["key", "sts"])
def test_a_snapshot_has_a_token_where_there_is_one(token: str | None) -> None:
    snapshot = DaftCredentials(FunctionProvider(lambda: Credentials("LTAI5tFake", "secret", token)))()
    assert (snapshot.key_id, snapshot.access_key, snapshot.session_token) == ("LTAI5tFake", "secret", token)
