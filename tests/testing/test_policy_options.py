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


def test_a_policy_that_cannot_be_written_fails_the_run_in_a_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(APP)
    result = pytester.runpytest_subprocess("--ramrole-policy=/dev/full")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["The RAM policy for this run could not be written to /dev/full: *No space left *"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_a_file_that_may_not_be_written_stops_the_run_before_it_begins(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import os\nos.access = lambda path, mode: mode != os.W_OK")  # as for another user
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*policy.json cannot be written: you may not write there. Give another file.*"])


def test_calls_with_a_long_term_key_are_left_out_of_the_policy_of_the_role(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        APP
        + """
    def test_three(ramrole_cloud, ramrole_clock):
        from ramrole_creds import StaticProvider
        key = ramrole_cloud.access_key()
        admin = StaticProvider(key.access_key_id, key.access_key_secret)
        assert put(ramrole_cloud, admin, ramrole_clock, "by-the-administrator") == 200
    """
    )
    pytester.runpytest_subprocess("--ramrole-policy=policy.json").assert_outcomes(passed=3)
    assert json.loads((pytester.path / "policy.json").read_text())["Statement"] == EXPECTED


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


def lines(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.lines)


WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])


@WORKERS
def test_conditions_of_the_committed_policy_count_at_each_call(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(APP)
    document = json.loads(policy(pytester.path / "policy.json", "acs:oss:*:*:data/*").read_text())
    [statement] = document["Statement"]
    until = {"DateLessThan": {"acs:CurrentTime": "2020-01-01T00:00:00Z"}}
    for condition, expected in (({"Bool": {"acs:SecureTransport": "true"}}, 0), (until, 1)):
        statement["Condition"] = condition
        (pytester.path / "policy.json").write_text(json.dumps(document))
        assert pytester.runpytest_subprocess("--ramrole-check-policy=policy.json", *workers).ret == expected


@pytest.mark.parametrize("place", ["nowhere/policy.json", "."], ids=["no directory", "a directory"])
def test_a_file_that_cannot_be_written_stops_the_run_before_its_first_test(
    pytester: pytest.Pytester, place: str
) -> None:
    pytester.makepyfile("def test_it(): assert False")
    result = pytester.runpytest_subprocess(f"--ramrole-policy={place}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--ramrole-policy=* cannot be written: *Give another file."])


def test_a_file_that_can_no_longer_be_written_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pathlib\n\ndef test_it(): pathlib.Path('policy.json').mkdir()")
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "could not be written" in lines(result)


@pytest.mark.parametrize("options", [("--collect-only",), ("-k", "nothing"), ("absent.py",)], ids=lambda one: one[0])
@WORKERS
def test_a_run_that_runs_no_test_leaves_the_policy_alone(
    pytester: pytest.Pytester, options: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(APP)
    before = policy(pytester.path / "policy.json", "acs:oss:*:*:data/*").read_text()
    pytester.runpytest_subprocess("--ramrole-policy=policy.json", *options, *workers)
    assert (pytester.path / "policy.json").read_text() == before


@WORKERS
def test_the_policy_of_a_part_of_the_tests_comes_with_a_warning(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(APP)
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", "-k", "one", *workers)
    assert "1 test(s) were deselected: their calls are missing from it." in lines(result)


def test_the_policy_of_failed_tests_comes_with_a_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(APP + "        assert False\n")
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json")
    result.assert_outcomes(passed=1, failed=1)
    assert "1 test(s) failed: the calls after the failures are missing from it." in lines(result)
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", "-p", "cacheprovider", "--lf")
    assert "Only tests that failed before were run (--lf)" in lines(result)


@WORKERS
def test_a_run_that_stops_at_a_failure_leaves_the_policy_alone(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile("def test_it(ramrole_cloud): assert False\ndef test_next(ramrole_cloud): pass")
    before = policy(pytester.path / "policy.json", "acs:oss:*:*:data/*").read_text()
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", "-x", *workers)
    assert (pytester.path / "policy.json").read_text() == before
    assert "The run did not finish: no RAM policy was written" in lines(result)


@WORKERS
def test_the_policy_without_skipped_tests_comes_with_a_warning(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    expected = "    import pytest\n    @pytest.mark.xfail\n    def test_three(): assert False\n"
    pytester.makepyfile(APP + "        import pytest; pytest.skip('later')\n" + expected)
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", *workers)
    result.assert_outcomes(passed=1, skipped=1, xfailed=1)
    assert "1 test(s) were skipped: their calls are missing from it." in lines(result)


def test_the_policy_of_one_named_test_comes_with_a_warning(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(APP)
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", f"{path}::test_one")
    assert "Only the tests of the command line were run" in lines(result)


def test_the_policy_without_the_calls_of_a_crashed_worker_comes_with_a_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(APP + "        import os; os._exit(1)\n")
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json", "-n", "1")
    assert "1 worker(s) of pytest-xdist crashed: their calls are missing from it." in lines(result)


def test_a_run_without_calls_writes_a_policy_that_allows_nothing_and_can_be_checked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(ramrole_cloud): pass")
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json")
    assert json.loads((pytester.path / "policy.json").read_text())["Statement"] == []
    assert "No call was made with credentials of a role" in lines(result)
    assert pytester.runpytest_subprocess("--ramrole-check-policy=policy.json").ret == pytest.ExitCode.OK


def test_a_policy_that_is_too_long_for_ram_comes_with_a_warning(pytester: pytest.Pytester) -> None:
    many = """
    def test_many(ramrole_cloud, ramrole_provider, ramrole_clock):
        for number in range(200):
            put(ramrole_cloud, ramrole_provider, ramrole_clock, f"a/{number:09}")
    """
    pytester.makepyfile(APP + many)
    result = pytester.runpytest_subprocess("--ramrole-policy=policy.json")
    assert "RAM takes 6144. Name resources less narrowly: --ramrole-policy-resources=prefix" in lines(result)


def test_both_options_on_one_file_check_the_old_policy_and_write_the_new_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(APP)
    policy(pytester.path / "policy.json", "acs:oss:*:*:data/a")
    result = pytester.runpytest_subprocess("--ramrole-check-policy=policy.json", "--ramrole-policy=policy.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert json.loads((pytester.path / "policy.json").read_text())["Statement"] == EXPECTED


def test_clouds_of_every_scope_and_every_kind_of_call_count(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import requests
        from ramrole_creds import RamRoleArnProvider, Signer, default_provider, signing
        from ramrole_creds.integrations.requests import RequestsAuth

        def test_all(ramrole_session_cloud):
            cloud, scheme = ramrole_session_cloud, signing.OSSV4("cn-hangzhou", "data")
            signer = Signer(default_provider(), scheme)
            url = signer.presign(signing.Request("GET", f"{cloud.url}/data/signed"), 60).url
            assert requests.get(url, timeout=10).status_code == 404
            headers = {"x-oss-copy-source": "/data/source"}
            auth = RequestsAuth(signer)
            assert requests.put(f"{cloud.url}/data/target", auth=auth, headers=headers, timeout=10).status_code == 404
            role = cloud.add_role("job")
            with RamRoleArnProvider(default_provider(), role.arn, endpoint=cloud.sts_endpoint) as job:
                auth = RequestsAuth(Signer(job, scheme))
                assert requests.get(f"{cloud.url}/data/?prefix=logs/", auth=auth, timeout=10).status_code == 200
            cloud.set_policies("web", [])
            assert requests.get(f"{cloud.url}/data/refused", auth=RequestsAuth(signer), timeout=10).status_code == 403
        """
    )
    pytester.runpytest_subprocess("--ramrole-policy=policy.json").assert_outcomes(passed=1)
    statements = json.loads((pytester.path / "policy.json").read_text())["Statement"]
    found = {(action, resource) for one in statements for action in one["Action"] for resource in one["Resource"]}
    data = "acs:oss:*:*:data"
    assert found == {
        ("oss:GetObject", f"{data}/signed"),
        ("oss:GetObject", f"{data}/source"),
        ("oss:GetObject", f"{data}/refused"),
        ("oss:PutObject", f"{data}/target"),
        ("oss:ListObjects", data),
        ("sts:AssumeRole", "acs:ram:*:*:role/job"),
    }
