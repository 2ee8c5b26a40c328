"""The plugin beside others, as other people's test suites load it."""

from __future__ import annotations

import pytest


def run(pytester: pytest.Pytester, code: str, *arguments: str, plugins: str = "") -> pytest.RunResult:
    """Run one file of tests with this plugin and those named, and no others."""
    pytester.makepyfile(code)
    names = ["ramrole_creds.testing.pytest_plugin", *plugins.split()]
    options = [part for name in names for part in ("-p", name)]
    return pytester.runpytest_subprocess(*options, "-p", "no:cacheprovider", "-W", "error", *arguments)


@pytest.fixture(autouse=True)
def _only_named_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


ASKS = """
    import socket, urllib.request
    import pytest
    from ramrole_creds import default_provider

    URL = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"

    def ask():
        with urllib.request.urlopen(URL, timeout=5) as answer:
            return answer.read()
"""


@pytest.mark.parametrize("option", ["", "--disable-socket", "--disable-socket --allow-hosts=127.0.0.1"])
def test_pytest_socket_lets_the_fake_cloud_through_and_nothing_else(pytester: pytest.Pytester, option: str) -> None:
    pytest.importorskip("pytest_socket")
    result = run(
        pytester,
        ASKS
        + """
    def test_function(ramrole_cloud):
        assert ask() == b"web"
        assert default_provider().get_credentials().identity == "web"

    @pytest.mark.parametrize("number", range(2))
    def test_module(ramrole_module_cloud, number):
        assert ask() == b"web"

    def test_elsewhere(ramrole_cloud):
        with socket.socket() as sock, pytest.raises(BaseException, match="loopback|192.0.2.1"):
            sock.settimeout(0.01)
            sock.connect(("192.0.2.1", 80))

    def test_no_metadata(no_metadata):
        with pytest.raises(OSError):
            ask()
    """,
        *option.split(),
        "-k",
        "not elsewhere" if not option else "test_",
        plugins="pytest_socket",
    )
    result.assert_outcomes(passed=4 if not option else 5, deselected=0 if option else 1)


def test_without_a_cloud_pytest_socket_refuses_as_ever(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_socket")
    code = """
    import socket, pytest

    def test_with(ramrole_cloud): pass

    def test_without():
        with pytest.raises(Exception, match="socket.socket"):
            socket.socket()
    """
    run(pytester, code, "--disable-socket", plugins="pytest_socket").assert_outcomes(passed=2)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(pytester: pytest.Pytester, backend: str) -> None:
    pytest.importorskip(backend)
    code = f"""
    import anyio, pytest

    @pytest.fixture
    def anyio_backend():
        return {backend!r}

    @pytest.mark.anyio
    async def test_async(ramrole_provider, ramrole_clock):
        first = await anyio.to_thread.run_sync(ramrole_provider.get_credentials)
        ramrole_clock.advance(hours=6)
        assert await anyio.to_thread.run_sync(ramrole_provider.get_credentials) != first
    """
    run(pytester, code, plugins="anyio").assert_outcomes(passed=1)


def test_pytest_socket_lets_a_unittest_case_through_and_its_event_loop(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_socket")
    code = (
        ASKS
        + """
    import unittest
    from ramrole_creds.testing import RamRoleTestCase

    class Plain(RamRoleTestCase):
        def test_plain(self):
            self.assertEqual(ask(), b"web")

    class Async(RamRoleTestCase, unittest.IsolatedAsyncioTestCase):
        async def test_async(self):
            self.assertEqual((await default_provider().get_credentials_async()).identity, "web")

    def test_without_a_cloud():
        with pytest.raises(BaseException, match="socket"):
            socket.socket()
    """
    )
    run(pytester, code, "--disable-socket", plugins="pytest_socket").assert_outcomes(passed=3)


def test_pytest_asyncio_with_a_client_on_the_real_address(pytester: pytest.Pytester) -> None:
    code = """
    import asyncio

    async def test_async(ramrole_cloud):
        reader, writer = await asyncio.open_connection("100.100.100.200", 80)
        writer.write(b"GET /latest/meta-data/region-id HTTP/1.0\\r\\n\\r\\n")
        assert (await reader.read()).endswith(b"cn-hangzhou")
        writer.close()
        await writer.wait_closed()
    """
    options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    run(pytester, code, *options, plugins="pytest_asyncio.plugin").assert_outcomes(passed=1)


def test_doctest(pytester: pytest.Pytester) -> None:
    code = '''
    """
    >>> cloud = getfixture("ramrole_cloud")
    >>> from ramrole_creds import default_provider
    >>> default_provider().get_credentials().identity
    'web'
    >>> cloud.clock.advance(hours=6)
    """
    '''
    run(pytester, code, "--doctest-modules").assert_outcomes(passed=1)


def test_a_failing_doctest_shows_the_requests(pytester: pytest.Pytester) -> None:
    code = '''
    """
    >>> cloud = getfixture("ramrole_cloud")
    >>> 1
    2
    """
    '''
    result = run(pytester, code, "--doctest-modules")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*The fake cloud received no request*"])


def test_xdist_with_clouds_of_every_scope(pytester: pytest.Pytester) -> None:
    code = """
    import pytest
    from ramrole_creds import default_provider

    provider = default_provider()

    @pytest.mark.parametrize("number", range(4))
    def test_function(ramrole_cloud, number):
        credentials = provider.get_credentials()
        assert ramrole_cloud.is_valid(credentials.access_key_id, credentials.security_token)

    @pytest.mark.parametrize("number", range(4))
    def test_session(ramrole_session_cloud, number):
        credentials = default_provider().get_credentials()
        assert ramrole_session_cloud.is_valid(credentials.access_key_id, credentials.security_token)
    """
    run(pytester, code, "-n", "2", plugins="xdist").assert_outcomes(passed=8)


def test_a_module_has_one_cloud_set_up_by_the_marker_of_the_module(pytester: pytest.Pytester) -> None:
    code = """
    import pytest
    from ramrole_creds import default_provider

    pytestmark = pytest.mark.ramrole(role="batch", mode="hardened")
    provider = default_provider()
    keys = []

    @pytest.mark.parametrize("number", range(3))
    def test_shared(ramrole_module_cloud, number):
        assert provider.get_credentials().identity == "batch"
        keys.append(provider.get_credentials().access_key_id)

    def test_afterwards(ramrole_module_cloud, ramrole_session_cloud):
        assert len(set(keys)) == 1
        ramrole_module_cloud.assert_called_once("credentials")
        assert ramrole_session_cloud is not ramrole_module_cloud
        assert ramrole_session_cloud.instance.attached() == ["web"]

    @pytest.mark.ramrole(role="own")
    def test_own(ramrole_module_cloud, ramrole_cloud):
        assert provider.get_credentials().identity == "own"

    def test_again(ramrole_module_cloud):
        assert provider.get_credentials().identity == "batch"
    """
    run(pytester, code, "-p", "no:randomly").assert_outcomes(passed=6)


def test_a_marker_without_a_fixture_is_an_error(pytester: pytest.Pytester) -> None:
    code = """
    import pytest

    @pytest.mark.ramrole(role="api")
    def test_forgotten():
        pass

    @pytest.mark.ramrole(role="api")
    @pytest.mark.usefixtures("ramrole_cloud")
    def test_used():
        pass
    """
    result = run(pytester, code)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.ramrole has no effect*Add the argument ramrole_cloud*"])


def test_a_failure_says_that_the_cloud_s_clock_is_ahead(pytester: pytest.Pytester) -> None:
    code = """
    def test_late(ramrole_cloud):
        ramrole_cloud.clock.advance(hours=8)
        assert False
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The cloud's clock is 8 h ahead of this machine's. *system_time=True*"])


def test_a_failure_says_that_no_service_recognises_a_request(pytester: pytest.Pytester) -> None:
    code = """
    import requests

    def test_lost(ramrole_cloud):
        assert requests.get(ramrole_cloud.url + "/hello").status_code == 200
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["No service of the fake cloud recognises request #1, GET /hello. *"])


def test_a_failure_says_that_a_request_was_dated_by_another_clock(pytester: pytest.Pytester) -> None:
    code = """
    import requests
    from ramrole_creds import Signer, default_provider, signing
    from ramrole_creds.integrations.requests import RequestsAuth
    from ramrole_creds.testing import VirtualClock

    def test_dated(ramrole_cloud):
        late = VirtualClock(ramrole_cloud.clock.time() - 3 * 3600)
        auth = RequestsAuth(Signer(default_provider(), signing.ACS3(), clock=late))
        headers = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
        requests.post(ramrole_cloud.url, headers=headers, auth=auth)
        assert False
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Request #? is dated 3 h before the cloud's clock. *(start=*system_time=True*"])


@pytest.mark.parametrize("package", ["time_machine", "freezegun"])
def test_the_official_client_rotates_where_the_system_s_time_moves(pytester: pytest.Pytester, package: str) -> None:
    pytest.importorskip("alibabacloud_credentials")
    pytest.importorskip(package)
    code = f"""
    import sys
    import pytest
    from ramrole_creds.testing import machine_time

    machine_time.find_spec = lambda name: name == {package!r} or None

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.ramrole(system_time=True)
    def test_rotation(ramrole_cloud, ramrole_clock):
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config

        client = Client(Config(type="ecs_ram_role"))
        first = client.get_credential()
        ramrole_clock.advance(hours=7)
        second = client.get_credential()
        assert second.access_key_id != first.access_key_id
        assert ramrole_cloud.is_valid(second.access_key_id, second.security_token)
    """
    run(pytester, code).assert_outcomes(passed=1)


HOLDER = """
    import json, urllib.request
    import pytest
    from ramrole_creds import Signer, StaticProvider, signing

    URL = "http://100.100.100.200/latest/meta-data/ram/security-credentials/web"

    class Client:
        held = None

        def whoami(self, cloud):
            if self.held is None:
                with urllib.request.urlopen(URL, timeout=5) as answer:
                    got = json.loads(answer.read())
                self.held = StaticProvider(got["AccessKeyId"], got["AccessKeySecret"], got["SecurityToken"])
            headers = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
            signed = Signer(self.held, signing.ACS3(), clock=cloud.clock).sign(
                signing.Request("POST", cloud.url + "/", headers)
            )
            request = urllib.request.Request(signed.url, b"", dict(signed.headers), method="POST")
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert answer.status == 200

    client = Client()
"""


def test_a_failure_says_which_cloud_issued_a_key_that_a_client_still_holds(pytester: pytest.Pytester) -> None:
    code = """
    def test_first(ramrole_cloud):
        client.whoami(ramrole_cloud)

    def test_second(ramrole_cloud):
        client.whoami(ramrole_cloud)

    def test_a_key_of_nobody(ramrole_cloud):
        request = urllib.request.Request(ramrole_cloud.url + "/bucket", headers={"Authorization": "OSS nobody:x"})
        urllib.request.urlopen(request, timeout=5)
    """
    result = run(pytester, HOLDER + code)
    result.assert_outcomes(passed=1, failed=2)
    said = [line for line in result.stdout.lines if "was issued by the fake cloud of" in line]
    assert len(said) == 1
    assert "::test_first. " in said[0]
    assert "ramrole_module_cloud or ramrole_session_cloud" in said[0]


def test_a_failure_says_so_where_the_other_cloud_still_runs(pytester: pytest.Pytester) -> None:
    code = """
    def test_first(ramrole_session_cloud):
        client.whoami(ramrole_session_cloud)

    def test_second(ramrole_cloud):
        client.whoami(ramrole_cloud)
    """
    result = run(pytester, HOLDER + code)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["STS.* was issued by the fake cloud of ramrole_session_cloud. *"])


@pytest.mark.parametrize("scope", ["module", "session"])
def test_a_client_that_is_made_once_works_with_a_cloud_of_its_scope(pytester: pytest.Pytester, scope: str) -> None:
    code = f"""
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(ramrole_{scope}_cloud, number):
        client.whoami(ramrole_{scope}_cloud)
    """
    run(pytester, HOLDER + code).assert_outcomes(passed=2)
