"""`--ramrole-policy` writes the policy of a run, `--ramrole-check-policy` fails a run that needs more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

APP = """
    import requests
    from ramrole_creds import Signer, signing
    from ramrole_creds.integrations.requests import RequestsAuth

    def put(cloud, provider, clock, path):
        auth = RequestsAuth(Signer(provider, signing.OSSV4("cn-hangzhou", "data"), clock=clock))
        return requests.put(f"{cloud.url}/data/{path}", b"x", auth=auth, timeout=10).status_code

    def test_one(ramrole_cloud, ramrole_provider, ramrole_clock):
        assert put(ramrole_cloud, ramrole_provider, ramrole_clock, "a") == 200

    def test_two(ramrole_cloud, ramrole_provider, ramrole_clock):
        assert put(ramrole_cloud, ramrole_provider, ramrole_clock, "b") == 200
        ramrole_cloud.access_key()
"""
EXPECTED = [{"Effect": "Allow", "Action": ["oss:PutObject"], "Resource": ["acs:oss:*:*:data/a", "acs:oss:*:*:data/b"]}]


@pytest.fixture(autouse=True)
def _these_plugins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ramrole_creds.testing.pytest_plugin,xdist.plugin")


def policy(path: Path, *resources: str) -> Path:
    statement = {"Effect": "Allow", "Action": "oss:PutObject", "Resource": list(resources)}
    path.write_text(json.dumps({"Version": "1", "Statement": [statement]}))
    return path


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_a_run_writes_the_policy_that_it_needed(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makepyfile(APP)
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", *workers)
    result.assert_outcomes(passed=2)
    assert json.loads((pytester.path / "policy.json").read_text()) == {"Version": "1", "Statement": EXPECTED}
    result.stdout.fnmatch_lines(["The RAM policy for this run was written to *policy.json."])


def test_the_policy_names_resources_as_narrowly_as_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(APP)
    pytester.runpytest_subprocess("--ramrole-policy=policy.json", "--ramrole-policy-resources=prefix")
    [statement] = json.loads((pytester.path / "policy.json").read_text())["Statement"]
    assert statement["Resource"] == ["acs:oss:*:*:data/*"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_a_run_that_needs_more_than_the_committed_policy_fails(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(APP)
    policy(pytester.path / "policy.json", "acs:oss:*:*:data/a")
    result = pytester.runpytest_subprocess("--ramrole-check-policy=policy.json", *workers)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["This run needs permissions that *policy.json does not allow:", "  oss:PutObject on acs:oss:[*]:[*]:data/b"]
    )
    policy(pytester.path / "policy.json", "acs:oss:*:*:data/*")
    assert pytester.runpytest_subprocess("--ramrole-check-policy=policy.json", *workers).ret == pytest.ExitCode.OK


@pytest.mark.parametrize("content", [None, "{", '{"Version": "1"}'], ids=["absent", "no JSON", "no policy"])
def test_a_policy_that_cannot_be_read_stops_the_run(pytester: pytest.Pytester, content: str | None) -> None:
    pytester.makepyfile("def test_it(): pass")
    if content is not None:
        (pytester.path / "policy.json").write_text(content)
    result = pytester.runpytest_subprocess("--ramrole-check-policy=policy.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*policy.json could not be read: *Give a RAM policy, or record one: pytest *"])
