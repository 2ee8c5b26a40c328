"""DuckDB keeps keys in a secret, which a handle replaces when the credentials change."""

from __future__ import annotations

import itertools
import pickle
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from duckdb_extensions.extension_importer import import_extension

from ramrole_creds import EcsRamRoleProvider, RamRoleArnProvider
from ramrole_creds.integrations.duckdb import duckdb_connection
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from ramrole_creds.integrations.refreshing_client import RefreshingClient
    from tests.integrations.sdk.conftest import Stage


def options_of(stage: Stage) -> dict[str, Any]:
    return {"endpoint": stage.address, "region": "cn-hangzhou", "url_style": "path", "use_ssl": False}


@pytest.fixture
def database(stage: Stage) -> RefreshingClient[Any]:
    import_extension("httpfs")  # from the package index: `INSTALL httpfs` would ask another host
    connection = duckdb.connect()
    connection.execute("LOAD httpfs")
    return duckdb_connection(stage.provider, connection, **options_of(stage))


def write(database: RefreshingClient[Any]) -> None:
    database().execute("COPY (SELECT 1 AS a) TO 's3://bkt/key.csv'")


def test_tables_are_written_and_read_over_rotations(stage: Stage, database: RefreshingClient[Any]) -> None:
    def call() -> None:
        write(database)
        assert database().execute("SELECT a FROM read_csv('s3://bkt/key.csv')").fetchall() == [(1,)]

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_query_repeated_once(stage: Stage, database: RefreshingClient[Any]) -> None:
    write(database)
    stage.expire()

    retry_on_rejected(stage.provider)(write)(database)

    assert stage.accepted("s3")[-1] == stage.provider.get_credentials().access_key_id


def test_two_roles_on_one_connection_sign_for_their_addresses(stage: Stage, database: RefreshingClient[Any]) -> None:
    write(database)
    roles = [
        RamRoleArnProvider(stage.provider, stage.cloud.add_role(name).arn, endpoint=stage.url, clock=stage.clock)
        for name in ("first", "second")
    ]
    handles = [
        duckdb_connection(role, database(), scope=f"s3://bkt/{number}", **options_of(stage))
        for number, role in enumerate(roles)
    ]
    stage.cloud.requests.clear()

    for number in (0, 1, 0):
        handles[number]().execute(f"COPY (SELECT 1 AS a) TO 's3://bkt/{number}.csv'")

    keys = [role.get_credentials().access_key_id for role in roles]
    assert [key for key, _ in itertools.groupby(stage.accepted("s3"))] == [keys[0], keys[1], keys[0]]


def test_the_handle_that_was_called_last_signs(stage: Stage, database: RefreshingClient[Any]) -> None:
    role = RamRoleArnProvider(stage.provider, stage.cloud.add_role("other").arn, endpoint=stage.url, clock=stage.clock)
    other = duckdb_connection(role, database(), **options_of(stage))

    for handle in (database, other, database):
        write(handle)

    keys = [key for key, _ in itertools.groupby(stage.accepted("s3"))]
    assert keys == [one.get_credentials().access_key_id for one in (stage.provider, role, stage.provider)]


def test_a_rollback_brings_no_old_secret_back(stage: Stage, database: RefreshingClient[Any]) -> None:
    write(database)
    database().execute("BEGIN")
    new = stage.rotate()
    database().execute("ROLLBACK")

    write(database)

    assert stage.accepted("s3")[-1] == new.access_key_id


def test_a_result_is_read_to_its_end_while_the_secret_is_replaced(
    stage: Stage, database: RefreshingClient[Any]
) -> None:
    rows = 1_000_000
    result = database().execute(f"SELECT * FROM range({rows})")
    result.fetchone()
    stage.rotate()

    write_beside = database().cursor()

    assert len(result.fetchall()) == rows - 1
    write_beside.close()


def test_the_secret_is_not_shown(stage: Stage, database: RefreshingClient[Any]) -> None:
    shown = str(database().execute("SELECT * FROM duckdb_secrets()").fetchall())
    assert stage.provider.get_credentials().access_key_secret not in shown
    assert str(stage.provider.get_credentials().security_token) not in shown


def test_a_handle_says_what_to_send_instead() -> None:
    database = duckdb_connection(EcsRamRoleProvider(), duckdb.connect())
    with pytest.raises(TypeError, match=r"DuckdbHandle cannot be pickled: .* Send the provider"):
        pickle.dumps(database)
