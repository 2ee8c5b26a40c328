"""pyiceberg loads a FileIO by its name, which takes a provider by its URL."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from ramrole_creds import ConfigurationError
from ramrole_creds.integrations.iceberg import RamRoleFileIO
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integrations.sdk.conftest import Stage


def properties_of(stage: Stage) -> dict[str, str]:
    return {
        "py-io-impl": "ramrole_creds.integrations.iceberg.RamRoleFileIO",
        "ramrole.provider": f"ecs-ram-role://web?endpoint={stage.url}",
        "s3.endpoint": stage.url,
        "s3.region": "cn-hangzhou",
        "s3.force-virtual-addressing": "false",
    }


@pytest.fixture(params=["s3", "oss"])
def table(stage: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    catalog = load_catalog(
        "catalog", type="sql", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"{request.param}://bkt/warehouse",
        **properties_of(stage),
    )  # fmt: skip
    catalog.create_namespace("database")
    table = catalog.create_table("database.numbers", schema=pa.schema([("a", pa.int64())]))
    stage.provider = table.io.provider
    yield table
    catalog.close()


def test_a_table_is_written_and_read_over_rotations(stage: Stage, table: Any) -> None:
    for number in range(3):
        table.append(pa.table({"a": [number]}))
        assert table.scan().to_arrow().num_rows == number + 1
        stage.cloud.rotate()
        stage.provider.refresh()
    assert len(set(stage.accepted("s3"))) == 3
    assert not stage.refused("s3")


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage, table: Any) -> None:
    table.append(pa.table({"a": [1]}))
    stage.revoke()

    assert retry_on_rejected(stage.provider)(lambda: table.scan().to_arrow().num_rows)() == 1


def test_a_pickled_file_io_has_no_secret(stage: Stage) -> None:
    files = RamRoleFileIO(properties_of(stage))
    with files.new_output("s3://bkt/key").create() as stream:
        stream.write(b"body")

    pickled = pickle.dumps(files)

    assert leaked_marker(pickled.decode("latin-1")) is None
    with pickle.loads(pickled).new_input("oss://bkt/key").open() as stream:
        assert stream.read() == b"body"


def test_tables_of_one_provider_fetch_once(stage: Stage) -> None:
    """pyiceberg makes a FileIO for each table that it loads."""
    for _ in range(4):
        assert RamRoleFileIO(properties_of(stage)).new_input("s3://bkt/missing").exists() is False
    stage.cloud.assert_called_once("credentials")


def test_keys_in_the_properties_are_refused(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match=r"s3\.secret-access-key") as raised:
        RamRoleFileIO(properties_of(stage) | {"s3.secret-access-key": "s3cr"})
    assert "s3cr" not in str(raised.value)
