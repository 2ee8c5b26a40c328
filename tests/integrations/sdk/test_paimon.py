"""pypaimon takes keys as strings: a handle creates a new catalog when the credentials change."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pypaimon import Schema

from ramrole_creds import ConfigurationError, EcsRamRoleProvider
from ramrole_creds.integrations.paimon import paimon_catalog
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from ramrole_creds.integrations.refreshing_client import RefreshingClient
    from tests.integrations.sdk.conftest import Stage

DATA = pa.table({"a": pa.array([1, 2], pa.int64())})


@pytest.fixture(autouse=True)
def checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")


def options_of(stage: Stage) -> dict[str, str]:
    return {
        "warehouse": "s3://bkt/warehouse",
        "s3.endpoint": stage.url,
        "s3.region": "cn-hangzhou",
        "s3.path-style-access": "true",
    }


def write(catalog: RefreshingClient[Any]) -> None:
    now = catalog()
    now.create_database("database", ignore_if_exists=True)
    now.create_table("database.numbers", Schema.from_pyarrow_schema(DATA.schema), ignore_if_exists=True)
    builder = now.get_table("database.numbers").new_batch_write_builder()
    writer = builder.new_write()
    writer.write_arrow(DATA)
    builder.new_commit().commit(writer.prepare_commit())


def read(catalog: RefreshingClient[Any]) -> int:
    builder = catalog().get_table("database.numbers").new_read_builder()
    rows: int = builder.new_read().to_arrow(builder.new_scan().plan().splits()).num_rows
    return rows


def test_a_table_is_written_and_read_over_rotations(stage: Stage) -> None:
    catalog = paimon_catalog(stage.provider, options_of(stage))
    rows = [0]

    def call() -> None:
        write(catalog)
        rows[0] += 2
        assert read(catalog) == rows[0]

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    catalog = paimon_catalog(stage.provider, options_of(stage))
    write(catalog)
    stage.expire()

    assert retry_on_rejected(stage.provider)(read)(catalog) == 2


def test_a_pickled_handle_has_no_secret(stage: Stage) -> None:
    catalog = paimon_catalog(EcsRamRoleProvider(endpoint=stage.url), options_of(stage))
    write(catalog)

    pickled = pickle.dumps(catalog)

    assert leaked_marker(pickled.decode("latin-1")) is None
    assert read(pickle.loads(pickled)) == 2


def test_keys_beside_a_provider_are_refused(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match=r"fs\.oss\.accessKeySecret") as raised:
        paimon_catalog(stage.provider, options_of(stage) | {"fs.oss.accessKeySecret": "s3cr"})
    assert "s3cr" not in str(raised.value)
