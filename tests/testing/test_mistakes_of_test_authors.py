"""What a new author of tests gets wrong never reaches the real address, and the message says what to do."""

from __future__ import annotations

import datetime as dt
import socket
import unittest
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing import FakeCloud, RamRoleTestCase, VirtualClock, cloud_in_place

if TYPE_CHECKING:
    from ramrole_creds import EcsRamRoleProvider


@pytest.fixture(autouse=True)
def _only_this_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ramrole_creds.testing.pytest_plugin")


def outcome(pytester: pytest.Pytester, body: str, **outcomes: int) -> str:
    """What a run of these tests prints; they must end so."""
    pytester.makepyfile(body)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**outcomes)
    return result.stdout.str()


def test_a_clock_without_a_cloud_brings_one(pytester: pytest.Pytester) -> None:
    body = """
    from ramrole_creds import default_provider

    def test_it(ramrole_clock):
        first = default_provider().get_credentials()
        ramrole_clock.advance(hours=7)
        assert default_provider().get_credentials() != first
    """
    outcome(pytester, body, passed=1)


def test_a_failed_assertion_is_shown_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    body = """
    def test_it(ramrole_cloud):
        ramrole_cloud.assert_called_once("sts")
    """
    said = outcome(pytester, body, failed=1)
    assert "AssertionError: expected 1 request(s) to 'sts', got 0" in said
    assert "request_log.py" not in said


@pytest.mark.parametrize("scope", ["module", "session"])
def test_the_clock_and_the_provider_are_those_of_a_wider_cloud(pytester: pytest.Pytester, scope: str) -> None:
    body = f"""
    import pytest

    @pytest.fixture(scope={scope!r})
    def cloud(ramrole_{scope}_cloud):
        return ramrole_{scope}_cloud

    def test_it(cloud, ramrole_clock, ramrole_provider):
        assert ramrole_clock is cloud.clock
        first = ramrole_provider.get_credentials()
        assert cloud.is_valid(first.access_key_id, first.security_token)

    def test_the_own_cloud_comes_first(cloud, ramrole_cloud, ramrole_clock):
        assert ramrole_clock is ramrole_cloud.clock
    """
    outcome(pytester, body, passed=2)


def test_a_clock_may_stand_beside_a_machine_without_metadata(no_metadata: str, ramrole_clock: VirtualClock) -> None:
    ramrole_clock.advance(hours=1)
    assert no_metadata.startswith("http://127.0.0.1:")


class TestOverriddenRole:
    """The fixture changes the default; the marker is closer to the test."""

    @pytest.fixture
    def ramrole_role(self) -> str:
        return "batch"

    def test_it_is_the_default(self, ramrole_provider: EcsRamRoleProvider) -> None:
        assert ramrole_provider.get_credentials().identity == "batch"

    @pytest.mark.ramrole(role="api")
    def test_the_marker_wins(self, ramrole_provider: EcsRamRoleProvider) -> None:
        assert ramrole_provider.get_credentials().identity == "api"


def test_a_start_that_is_no_time_is_refused_with_what_to_give() -> None:
    with pytest.raises(TypeError, match="Give a datetime, or Unix seconds"):
        VirtualClock("2030-01-01T00:00:00Z")  # type: ignore[arg-type]  # a mistake


@pytest.mark.parametrize("span", ["3h", dt.timedelta(hours=3), None], ids=["text", "timedelta", "none"])
def test_a_span_that_is_no_number_is_refused_with_what_to_give(ramrole_clock: VirtualClock, span: Any) -> None:
    with pytest.raises(TypeError, match=r"Give a number: advance\(hours=3\)"):
        ramrole_clock.advance(span)


@pytest.mark.parametrize("stopped", [False, True], ids=["not started", "stopped"])
def test_a_cloud_that_does_not_run_takes_no_place(stopped: bool) -> None:
    cloud = FakeCloud(role="web")
    if stopped:
        cloud.start().stop()
    with pytest.raises(RuntimeError, match="is not running"), cloud_in_place(cloud):
        pass


@pytest.mark.parametrize("mode", ["hardend", "", None, ["normal"]], ids=str)
def test_a_mode_that_does_not_exist_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match='mode must be "normal" or "hardened"'):
        FakeCloud(role="web", mode=mode)
    cloud = FakeCloud(role="web", mode="hardened")
    with pytest.raises(ValueError, match='mode must be "normal" or "hardened"'):
        cloud.mode = mode
    assert cloud.mode == "hardened"


@pytest.mark.parametrize("step", ["credentails", "tokens", "roles", "metdata"])
def test_a_misspelt_step_is_refused_by_faults_and_assertions(step: str) -> None:
    with FakeCloud(role="web") as cloud:
        with pytest.raises(ValueError, match="did you mean"):
            cloud.faults.add(step, 503)
        with pytest.raises(ValueError, match="did you mean"):
            cloud.assert_not_called(step)


@pytest.mark.parametrize("place", ["oss", "billing", "AssumeRole", "/latest/tokens", "PUT /latest/api/token", "*"])
def test_names_of_services_and_actions_and_patterns_are_no_misspelt_steps(place: str) -> None:
    with FakeCloud(role="web") as cloud:
        cloud.assert_not_called(place)


class Forgetful(RamRoleTestCase):
    """A test case whose setUp does not call that of its base."""

    __test__ = False
    name = ""

    def setUp(self) -> None:
        pass

    def test_attribute(self) -> None:
        getattr(self, self.name)

    def test_real_address(self) -> None:
        with socket.socket() as connection:
            connection.connect(("100.100.100.200", 80))


def error_of(case: RamRoleTestCase) -> str:
    """The traceback of a test that fails."""
    result = unittest.TestResult()
    case.run(result)
    return "".join(text for _, text in result.errors + result.failures)


@pytest.mark.parametrize("name", ["cloud", "clock", "provider"])
def test_a_set_up_that_forgets_the_base_class_is_explained(name: str) -> None:
    case = Forgetful("test_attribute")
    case.name = name
    assert f"self.{name} does not exist yet" in error_of(case)
    assert "super().setUp()" in error_of(case)


def test_a_set_up_that_forgets_the_base_class_does_not_reach_the_real_address() -> None:
    assert "connects to the real metadata address" in error_of(Forgetful("test_real_address"))


def test_a_report_names_the_permission_that_was_missing(pytester: pytest.Pytester) -> None:
    body = """
    import requests
    from ramrole_creds import Signer, default_provider, signing
    from ramrole_creds.integrations.requests import RequestsAuth

    READ = {"Effect": "Allow", "Action": "oss:GetObject", "Resource": "*"}
    NO_LOGS = {"Effect": "Deny", "Action": "*", "Resource": "acs:oss:*:*:data/logs/*"}

    def test_it(ramrole_cloud):
        ramrole_cloud.set_policies("web", [{"Version": "1", "Statement": [READ, NO_LOGS]}])
        auth = RequestsAuth(Signer(default_provider(), signing.OSSV4("cn-hangzhou")))
        for key in ("a", "logs/a"):
            answer = requests.put(f"{ramrole_cloud.url}/data/{key}", b"", auth=auth, timeout=10)
        assert answer.status_code == 200
    """
    printed = outcome(pytester, body, failed=1)
    resource = "acs:oss:oss-cn-hangzhou:1234567890123456:data"
    assert f"No RAM policy of 'web' allows oss:PutObject on {resource}/a." in printed
    assert f"A RAM policy of 'web' denies oss:PutObject on {resource}/logs/a." in printed


def test_a_report_shows_only_clouds_that_the_test_uses(pytester: pytest.Pytester) -> None:
    body = """
    def test_wide(ramrole_module_cloud, ramrole_session_cloud):
        pass

    def test_module(ramrole_module_cloud):
        raise AssertionError

    def test_own(ramrole_cloud):
        raise AssertionError
    """
    printed = outcome(pytester, body, passed=1, failed=2)
    assert printed.count("Requests to the fake cloud of the module") == 1
    assert printed.count("Requests to the fake cloud -") == 1
    assert "of the run" not in printed


def test_a_key_of_another_test_is_explained_where_only_the_assertion_has_it(pytester: pytest.Pytester) -> None:
    body = """
    from ramrole_creds import default_provider
    kept = []

    def test_first(ramrole_cloud):
        kept.append(default_provider().get_credentials())

    def test_second(ramrole_cloud):
        assert ramrole_cloud.is_valid(kept[0].access_key_id, kept[0].security_token)
    """
    assert "was issued by the fake cloud of" in outcome(pytester, body, passed=1, failed=1)


def test_a_client_that_speaks_tls_fails_at_once_and_the_report_says_why(pytester: pytest.Pytester) -> None:
    body = """
    import requests

    def test_it(ramrole_cloud):
        requests.get(ramrole_cloud.url.replace("http:", "https:"), timeout=60)
    """
    printed = outcome(pytester, body, failed=1)
    assert "SSLError" in printed
    assert "A client spoke TLS, which the fake cloud does not. Give it the URL http://127.0.0.1:" in printed


def test_of_very_many_keys_the_oldest_are_not_explained(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from ramrole_creds.testing import pytest_plugin\npytest_plugin.MAX_FOREIGN_KEYS = 2")
    body = """
    import pytest
    from ramrole_creds import default_provider
    kept = []

    @pytest.mark.parametrize("number", range(3))
    def test_first(ramrole_cloud, number):
        kept.append(default_provider().get_credentials())

    @pytest.mark.parametrize("number", range(3))
    def test_second(ramrole_cloud, number):
        assert ramrole_cloud.is_valid(kept[number].access_key_id, kept[number].security_token), f"of {number}"
    """
    printed = outcome(pytester, body, passed=3, failed=3)
    assert printed.count("was issued by the fake cloud of") == 2
    assert "cloud of test_of_very_many_keys_the_oldest_are_not_explained.py::test_first[0]" not in printed
