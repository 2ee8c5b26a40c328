"""lance and lancedb ask a namespace for storage options, for each request."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import lance
import lancedb
import pyarrow as pa
import pytest

from ramrole_creds import ConfigurationError, EcsRamRoleProvider
from ramrole_creds.integrations.lance import LanceTables
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage


def options_of(stage: Stage) -> dict[str, str]:
    return {"aws_endpoint": stage.url, "aws_region": "cn-hangzhou", "allow_http": "true", "client_max_retries": "0"}


def tables_of(stage: Stage, provider: Any = None) -> LanceTables:
    return LanceTables(provider or stage.provider, "s3://bkt/tables", **options_of(stage))


def write(tables: LanceTables, mode: str = "create") -> None:
    lance.write_dataset(pa.table({"a": [1, 2]}), namespace_client=tables, table_id=["numbers"], mode=mode)


def read(dataset: Any) -> list[int]:
    dataset.checkout_latest()
    numbers: list[int] = dataset.to_table()["a"].to_pylist()
    return numbers


def test_a_dataset_is_written_and_read_over_rotations(stage: Stage) -> None:
    tables = tables_of(stage)
    write(tables)
    dataset = lance.dataset(namespace_client=tables, table_id=["numbers"])

    def call() -> None:
        write(tables, "overwrite")
        assert read(dataset) == [1, 2]

    stage.assert_rotates("s3", call)


def test_a_database_is_written_and_read_over_rotations(stage: Stage) -> None:
    database = lancedb.connect_namespace(
        "ramrole_creds.integrations.lance.LanceTables",
        {"provider": f"ecs-ram-role://web?endpoint={stage.url}", "root": "s3://bkt/tables", **options_of(stage)},
    )
    table = database.create_table("numbers", pa.table({"a": [1, 2]}))
    for _ in range(2):
        stage.cloud.rotate()
        table.add(pa.table({"a": [3]}))
    assert database.open_table("numbers").count_rows() == 4
    assert not stage.refused("s3")


def test_no_tables_have_the_name_of_others_that_are_gone() -> None:
    """lance keeps what it opened by this name, with the provider of that time."""
    names = {LanceTables(EcsRamRoleProvider(str(number)), "s3://bkt").namespace_id() for number in range(20)}
    assert len(names) == 20


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    tables = tables_of(stage)
    write(tables)
    dataset = lance.dataset(namespace_client=tables, table_id=["numbers"])
    stage.expire()

    assert retry_on_rejected(stage.provider)(read)(dataset) == [1, 2]


def test_pickled_tables_have_no_secret(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    held = provider.get_credentials()
    tables = tables_of(stage, provider)
    write(tables)

    pickled = pickle.dumps(tables)

    assert held.access_key_secret.encode() not in pickled
    assert str(held.security_token).encode() not in pickled
    dataset = lance.dataset(namespace_client=pickle.loads(pickled), table_id=["numbers"])
    assert read(dataset) == [1, 2]
    assert held.access_key_secret not in repr(tables)


@pytest.mark.parametrize("name", ["aws_secret_access_key", "secret_access_key", "aws_token", "AWS_ACCESS_KEY_ID"])
def test_keys_beside_a_provider_are_refused(stage: Stage, name: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as raised:
        LanceTables(stage.provider, "s3://bkt/tables", **{name: "s3cr"})
    assert "s3cr" not in str(raised.value)
