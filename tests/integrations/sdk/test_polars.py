"""polars asks a function for credentials, and caches what it returns."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import polars as pl

from ramrole_creds import Credentials, EcsRamRoleProvider, FunctionProvider
from ramrole_creds.integrations import polars as integration
from ramrole_creds.integrations.polars import PolarsCredentials
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    import pytest

    from tests.integrations.sdk.conftest import Stage


def options(stage: Stage) -> dict[str, str]:
    return {"aws_endpoint_url": stage.url, "aws_region": "cn-hangzhou", "aws_allow_http": "true"}


def read(stage: Stage, provider: Any) -> list[int]:
    frame = pl.scan_parquet("s3://bkt/key.parquet", credential_provider=provider, storage_options=options(stage))
    numbers: list[int] = frame.collect()["a"].to_list()
    return numbers


def test_frames_are_written_and_read_over_rotations(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integration, "MAX_CACHE_SECONDS", 0)  # so that no test waits a minute
    provider = PolarsCredentials(stage.provider)

    def call() -> None:
        frame = pl.DataFrame({"a": [1, 2]})
        frame.write_parquet("s3://bkt/key.parquet", credential_provider=provider, storage_options=options(stage))
        assert read(stage, provider) == [1, 2]

    stage.assert_rotates("s3", call)


def test_a_snapshot_is_kept_for_a_minute_at_most() -> None:
    provider = FunctionProvider(lambda: Credentials("STS.NTfake", "secret", "token"))
    keys, until = PolarsCredentials(provider)()
    assert keys["aws_session_token"] == "token"
    assert until is not None


def test_a_long_term_key_is_returned_without_a_token() -> None:
    keys, _ = PolarsCredentials(FunctionProvider(lambda: Credentials("LTAI5tFake", "secret")))()
    assert "aws_session_token" not in keys


def test_a_pickled_provider_has_no_secret(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    secret = provider.get_credentials().access_key_secret

    pickled = pickle.dumps(PolarsCredentials(provider))

    assert secret.encode() not in pickled
    assert pickle.loads(pickled)()[0]["aws_secret_access_key"] == secret


def test_a_refused_token_is_replaced_and_the_query_repeated_once(stage: Stage) -> None:
    """polars keeps a snapshot for a minute, but asks again after a refusal."""
    provider = PolarsCredentials(stage.provider)
    frame = pl.DataFrame({"a": [1, 2]})
    frame.write_parquet("s3://bkt/key.parquet", credential_provider=provider, storage_options=options(stage))
    assert read(stage, provider) == [1, 2]
    stage.expire()

    assert retry_on_rejected(stage.provider)(read)(stage, provider) == [1, 2]

    assert stage.refused("s3")
    assert stage.accepted("s3")[-1] == stage.provider.get_credentials().access_key_id
