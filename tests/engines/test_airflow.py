"""Airflow: the hook is found by its entry point, and a task of a DAG outlives two rotations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.engines.conftest import Figures, assert_no_secret_below, assert_outlived

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches

HERE = Path(__file__).parent
DAG = """
import json, os, pathlib, sys
sys.path.insert(0, os.environ["ENGINES"])
import work
from airflow.sdk import dag, task
from ramrole_creds.integrations.airflow import RamRoleHook

@dag(schedule=None, dag_id="rotation")
def rotation():
    @task
    def one():
        provider = RamRoleHook("cloud").get_conn()
        assert RamRoleHook("cloud").get_conn() is provider
        pathlib.Path(os.environ["REPORT"]).write_text(json.dumps(work.work(provider, os.environ["CLOUD_URL"])))
    one()

made = rotation()
if __name__ == "__main__":
    made.test()
"""


@pytest.fixture
def airflow(cloud: FakeCloud, fetches: Fetches, tmp_path: Path) -> Mapping[str, str]:
    """The environment of Airflow's commands: a home of its own and a connection without keys."""
    connection = {"conn_type": "ramrole", "extra": {"provider": f"ecs-ram-role://web?endpoint={fetches.url}"}}
    home = tmp_path / "airflow"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_CLOUD": json.dumps(connection),
        "CLOUD_URL": cloud.url,
        "ENGINES": str(HERE),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "REPORT": str(tmp_path / "report.json"),
    }
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "rotation.py").write_text(DAG, encoding="utf-8")
    run(environment, "db", "migrate")
    return environment


def run(environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "airflow", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_task_outlives_rotations_and_leaks_nothing(
    fetches: Fetches, airflow: Mapping[str, str], tmp_path: Path, figures: Figures
) -> None:
    types = json.loads(run(airflow, "providers", "hooks", "--output", "json").splitlines()[-1])
    assert [one["hook_name"] for one in types if one["connection_type"] == "ramrole"] == ["Alibaba Cloud RAM role"]

    command = [sys.executable, str(tmp_path / "dags" / "rotation.py")]
    done = subprocess.run(command, env=airflow, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stderr[-3000:]
    (tmp_path / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert_outlived([report])
    workers = fetches.assert_one_per_process_and_set([report])
    assert_no_secret_below([tmp_path])
    searched = ["metadata database with its connections", "task logs", "output"]
    figures.record("airflow", metadata.version("apache-airflow"), workers, fetches, searched)


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ({"login": "LTAI", "password": "s3cr"}, "holds a login or a password"),
        ({"extra": {"access_key_id": "LTAI", "access_key_secret": "s3cr"}}, "access_key_id, access_key_secret"),
        ({"extra": {"provider": "static://LTAI:s3cr@"}}, "secret"),
    ],
    ids=["password", "extra", "url"],
)
def test_a_connection_with_a_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, object], says: str
) -> None:
    from ramrole_creds import ConfigurationError
    from ramrole_creds.integrations.airflow import RamRoleHook

    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps({"conn_type": "ramrole", **connection}))
    with pytest.raises(ConfigurationError, match=says) as raised:
        RamRoleHook("cloud").get_conn()
    assert "s3cr" not in str(raised.value)


def hook_of(monkeypatch: pytest.MonkeyPatch, provider: str) -> Any:
    from ramrole_creds.integrations.airflow import RamRoleHook

    connection = {"conn_type": "ramrole", "extra": {"provider": provider}}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(connection))
    return RamRoleHook("cloud")


def test_the_button_for_a_test_says_whose_credentials_there_are(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, text = hook_of(monkeypatch, f"ecs-ram-role://?endpoint={cloud.url}").test_connection()
    assert (done, text) == (True, "Credentials of web from ecs_ram_role.")


def test_the_button_for_a_test_says_why_there_are_none(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.detach_role()
    done, text = hook_of(monkeypatch, f"ecs-ram-role://?endpoint={cloud.url}").test_connection()
    assert not done
    assert "No RAM role is attached" in text


def test_a_connection_may_be_written_as_a_url(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from ramrole_creds.integrations.airflow import RamRoleHook

    provider = quote(f"ecs-ram-role://web?endpoint={cloud.url}", safe="")
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", f"ramrole://?provider={provider}")
    assert RamRoleHook("cloud").get_conn().get_credentials().identity == "web"
