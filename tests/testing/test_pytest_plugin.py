"""The pytest plugin, used as somebody else's test suite uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds import EcsRamRoleProvider
    from ramrole_creds.testing import FakeCloud, VirtualClock


@pytest.fixture(autouse=True)
def _only_this_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner runs load no other plugin, which is most of their time; one test below loads all."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ramrole_creds.testing.pytest_plugin")


def test_a_provider_lives_on_the_cloud_and_its_clock(
    ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, ramrole_provider: EcsRamRoleProvider
) -> None:
    first = ramrole_provider.get_credentials()
    assert first.identity == "web"
    ramrole_clock.advance(hours=5, minutes=50)
    second = ramrole_provider.get_credentials()
    assert second.access_key_id != first.access_key_id
    assert ramrole_cloud.is_valid(second.access_key_id, second.security_token)
    ramrole_cloud.assert_no_static_keys()
    ramrole_cloud.requests.assert_no_tokenless_metadata()


def test_what_was_due_has_happened_when_advance_returns(
    ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, ramrole_provider: EcsRamRoleProvider
) -> None:
    ramrole_provider.get_credentials()
    ramrole_clock.advance(days=10)
    fetched = len(ramrole_cloud.requests.to("credentials"))
    assert 40 <= fetched <= 60
    used = len(ramrole_cloud.requests)
    credentials = ramrole_provider.get_credentials()
    assert len(ramrole_cloud.requests) == used
    assert ramrole_cloud.is_valid(credentials.access_key_id, credentials.security_token)


@pytest.mark.ramrole(role="db", mode="hardened", start=0, credential_lifetime=7200)
def test_the_marker_sets_the_cloud_up(ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, ramrole_role: str) -> None:
    assert ramrole_role == "db"
    assert ramrole_cloud.instance.attached() == ["db"]
    assert ramrole_cloud.mode == "hardened"
    assert ramrole_clock.time() == 0
    assert ramrole_cloud.instance.credential_lifetime == 7200


def test_an_unknown_argument_of_the_marker_is_refused_with_the_known_ones(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.ramrole(rol="api")
        def test_mistyped(ramrole_cloud):
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.ramrole has no argument 'rol'. Its arguments are role, faults, *mode*"])


def test_default_provider_finds_the_cloud_without_arguments(ramrole_cloud: FakeCloud) -> None:
    from ramrole_creds import default_provider

    with default_provider(clock=ramrole_cloud.clock) as provider:
        assert provider.get_credentials().identity == "web"


def test_without_metadata_the_default_provider_says_so(no_metadata: str) -> None:
    from ramrole_creds import NoCredentialsError, default_provider

    assert no_metadata.startswith("http://127.0.0.1:")
    with default_provider() as provider, pytest.raises(NoCredentialsError, match="ecs_ram_role"):
        provider.get_credentials()


def test_the_environment_is_isolated_and_restored(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAIreal")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    pytester.makepyfile(
        """
        import os, pathlib

        def test_inside(ramrole_cloud):
            assert "ALIBABA_CLOUD_ACCESS_KEY_ID" not in os.environ
            assert "HTTP_PROXY" not in os.environ
            assert os.environ["RAMROLE_CREDS_METADATA_ENDPOINT"] == ramrole_cloud.url
            assert list(pathlib.Path.home().iterdir()) == []

        def test_outside():
            assert os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"] == "LTAIreal"
            assert "HTTP_PROXY" in os.environ
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_failure_shows_what_the_cloud_was_asked_and_no_secret(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_wrong(ramrole_provider, ramrole_cloud):
            credentials = ramrole_provider.get_credentials()
            print(credentials.security_token)
            assert credentials.access_key_secret == "expected"
        """
    )
    result = pytester.runpytest_subprocess("--showlocals")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "Requests to the fake cloud" in text
    assert "credentials: GET /latest/meta-data/ram/security-credentials/web → 200" in text
    assert leaked_marker(text) is None
    assert "***" in text


def test_the_real_address_can_be_forbidden_instead_of_redirected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket, pytest

        @pytest.mark.ramrole(redirect=False)
        def test_forbidden(ramrole_cloud):
            with socket.socket() as sock:
                sock.connect(("100.100.100.200", 80))
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RealAddressError*real metadata address*"])


def test_the_role_fixture_can_be_overridden(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def ramrole_role():
            return "ours"

        def test_role(ramrole_provider):
            assert ramrole_provider.get_credentials().identity == "ours"
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("@pytest.mark.ramrole('db')\ndef test_it(ramrole_cloud): pass", "takes keywords only"),
        ("def test_it(ramrole_cloud, no_metadata): pass", "not both"),
        (
            "@pytest.mark.ramrole(redirect='no')\ndef test_it(ramrole_cloud): pass",
            "redirect of * is True or False, not 'no'",
        ),
        ("@pytest.mark.ramrole(system_time=1)\ndef test_it(ramrole_clock): pass", "system_time of * is True or False"),
        ("def test_it(no_metadata, ramrole_provider): pass", "not both"),
        ("def test_it(ramrole_provider, no_metadata): pass", "not both"),
        (
            "@pytest.mark.ramrole(faults=[{'where': 'x', 'what': 'y'}])\ndef test_it(ramrole_cloud): pass",
            "no fault 'y'",
        ),
    ],
)
def test_misuse_is_explained(pytester: pytest.Pytester, body: str, message: str) -> None:
    pytester.makepyfile("import pytest\n\n" + body)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{message}*"])


def test_it_works_with_xdist_asyncio_and_randomly(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_PLUGINS")
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        async def test_async(ramrole_provider, ramrole_cloud, number):
            credentials = await ramrole_provider.get_credentials_async()
            ramrole_cloud.clock.advance(hours=6)
            assert (await ramrole_provider.get_credentials_async()) != credentials

        @pytest.mark.ramrole(faults=[{"where": "role", "what": 503, "times": 1}])
        def test_sync(ramrole_provider):
            assert ramrole_provider.get_credentials()
        """
    )
    result = pytester.runpytest_subprocess("-n", "2", "-W", "error")
    result.assert_outcomes(passed=4)


def test_without_a_fixture_nothing_is_imported(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        """
        import pathlib, sys, threading

        def test_nothing():
            pathlib.Path("modules").write_text("\\n".join(sys.modules))
            assert threading.active_count() == 1
        """
    )
    loaded = []
    for plugins in ("", "ramrole_creds.testing.pytest_plugin"):
        monkeypatch.setenv("PYTEST_PLUGINS", plugins)
        pytester.runpytest_subprocess().assert_outcomes(passed=1)
        loaded.append(set((pytester.path / "modules").read_text().split()))
    plugin = {"ramrole_creds", "ramrole_creds.testing", "ramrole_creds.testing.pytest_plugin"}
    assert loaded[1] - loaded[0] == plugin


def test_the_plugin_costs_a_run_that_does_not_use_it_less_than_five_milliseconds(tmp_path: Path) -> None:
    code = "import time, pytest; t = time.process_time(); import ramrole_creds.testing.pytest_plugin as plugin\n"
    code += "plugin.pytest_addoption(pytest.Parser(_ispytest=True)); print(1000 * (time.process_time() - t))"
    cached = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    cached.pop("PYTHONDONTWRITEBYTECODE", None)
    runs = [
        subprocess.run([sys.executable, "-c", code], env=cached, capture_output=True, text=True, check=True)
        for _ in range(5)  # the first one compiles; of the others the best counts, since the machine may be busy
    ]
    assert min(float(one.stdout) for one in runs) < 5


def test_unittest_has_it_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, unittest, urllib.request
        from ramrole_creds.testing import RamRoleTestCase

        class TestApp(RamRoleTestCase):
            cloud_options = {"role": "api", "mode": "hardened"}

            def test_it(self):
                first = self.provider.get_credentials()
                self.clock.advance(hours=6)
                self.assertNotEqual(self.provider.get_credentials(), first)
                self.assertEqual(os.environ["RAMROLE_CREDS_METADATA_ENDPOINT"], self.cloud.url)
                with self.assertRaises(urllib.error.HTTPError):
                    urllib.request.urlopen("http://100.100.100.200/latest/meta-data/mac").close()
                self.cloud.assert_called("item", 1, status=403)

        if __name__ == "__main__":
            unittest.main()
        """
    )
    (path,) = pytester.path.glob("test_*.py")
    result = pytester.runpython(path)
    assert result.ret == 0, result.stderr.str()


def test_a_failure_shows_the_faults_that_no_request_met(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_misspelt(ramrole_cloud, ramrole_provider):
            ramrole_cloud.faults.add("role", "latency", seconds=0)
            ramrole_cloud.faults.add("AsumeRole", 503)
            ramrole_provider.get_credentials()
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["Faults that no request matched: status(status=503) at 'AsumeRole'"])
