"""DuckDB keeps keys in a secret, which a handle replaces when the credentials change."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from duckdb_extensions import import_extension

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.integrations.duckdb import duckdb_connection
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from ramrole_creds.integrations.refreshing_client import RefreshingClient
    from tests.integrations.sdk.conftest import Stage


@pytest.fixture
def database(stage: Stage) -> RefreshingClient[Any]:
    import_extension("httpfs")  # from the package index: `INSTALL httpfs` would ask another host
    connection = duckdb.connect()
    connection.execute("LOAD httpfs")
    return duckdb_connection(
        stage.provider, connection, endpoint=stage.address, region="cn-hangzhou", url_style="path", use_ssl=False
    )


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


def test_the_secret_is_not_shown(stage: Stage, database: RefreshingClient[Any]) -> None:
    shown = str(database().execute("SELECT * FROM duckdb_secrets()").fetchall())
    assert stage.provider.get_credentials().access_key_secret not in shown
    assert str(stage.provider.get_credentials().security_token) not in shown


def test_a_handle_says_what_to_send_instead() -> None:
    database = duckdb_connection(EcsRamRoleProvider(), duckdb.connect())
    with pytest.raises(TypeError, match=r"DuckdbHandle cannot be pickled: .* Send the provider"):
        pickle.dumps(database)
