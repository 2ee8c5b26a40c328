"""Nothing in the environment disturbs the metadata client: proxies, netrc, cookies, forks, threads, few descriptors."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.errors import RamRoleError
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_HEADERS = {
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "x-aliyun-ecs-metadata-token",
    "x-aliyun-ecs-metadata-token-ttl-seconds",
}


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="hardened") as cloud:
        yield cloud


def run(program: str, *arguments: str, timeout: float = 60.0) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_proxy_of_the_environment_is_ever_used(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeCloud(role="of-the-proxy") as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")
        provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
        assert provider.get_credentials().identity == "web"
        provider.close()
        proxy.assert_not_called()
    cloud.requests.assert_no_proxy_headers()


def test_nothing_of_netrc_and_no_cookie_is_ever_sent(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword hunter2hunter2\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    cloud.faults.add("metadata", "header", name="Set-Cookie", value="session=1; Path=/")
    cloud.faults.add("role", "truncate", times=1)
    MetadataClient(cloud.url, clock=cloud.clock).attached_role_credentials(None)
    assert len(cloud.requests) == 4
    for entry in cloud.requests:
        assert {name.lower() for name, _ in entry.request.headers} <= OWN_HEADERS


def test_each_request_has_a_separate_connection(cloud: FakeCloud) -> None:
    MetadataClient(cloud.url, clock=cloud.clock).attached_role_credentials(None)
    assert len({entry.connection for entry in cloud.requests}) == len(cloud.requests) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_a_redirect_points_is_never_asked(cloud: FakeCloud, status: int) -> None:
    with FakeCloud(role="elsewhere") as elsewhere:
        cloud.faults.add("metadata", "redirect", status=status, location=elsewhere.url + "/latest/meta-data/")
        client = MetadataClient(cloud.url, "off", clock=cloud.clock)
        with pytest.raises(RamRoleError, match=f"{status} .*captive portal"):
            client.attached_role_credentials(None)
        elsewhere.assert_not_called()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors where Linux lists them")
def test_no_socket_is_left_behind(cloud: FakeCloud) -> None:
    transport = HttpTransport(read_timeout=0.05, sleep=lambda _seconds: None)
    for what in ("reset", "truncate", "garbage", "oversize", "redirect", "close", "hang", 503):
        cloud.faults.add("role", what)
        for _ in range(4):
            with pytest.raises(RamRoleError):
                MetadataClient(cloud.url, clock=cloud.clock, transport=transport).role_names()
        cloud.faults.clear()
    MetadataClient(cloud.url, clock=cloud.clock).role_names()
    gc.collect()
    ours = [one for one in client_ports(cloud.port) if one[0] == str(os.getpid())]
    assert not ours


def client_ports(port: int) -> list[tuple[str, str]]:
    """Established connections of this process towards the port, as (process, inode)."""
    inodes = set()
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(f":{port:04X}") and fields[3] == "01":
            inodes.add(fields[9])
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            found.append((str(os.getpid()), target[8:-1]))
    return found


def test_threads_may_share_a_client(cloud: FakeCloud) -> None:
    client = MetadataClient(cloud.url, clock=cloud.clock)
    with ThreadPoolExecutor(12) as pool:
        regions = list(pool.map(lambda _: (client.region_id, client.role_names()), range(48)))
    assert set(regions) == {(cloud.items["region-id"], ("web",))}
    assert len(cloud.requests.to("token")) <= 12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_the_clients_token() -> None:
    printed = run(
        """
        import os
        from ramrole_creds.metadata import MetadataClient
        from ramrole_creds.testing import FakeCloud
        from ramrole_creds.clock import SYSTEM_CLOCK
        import subprocess, sys

        server = subprocess.Popen(
            [sys.executable, "-c", "import sys\\nfrom ramrole_creds.testing import FakeCloud\\n"
             "from ramrole_creds.clock import SYSTEM_CLOCK\\n"
             "with FakeCloud(mode='hardened', clock=SYSTEM_CLOCK) as cloud:\\n"
             "    print(cloud.url, flush=True)\\n"
             "    sys.stdin.read()\\n"
             "    print(len(cloud.requests.to('token')), flush=True)"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        client = MetadataClient(server.stdout.readline().strip())
        assert client.role_names() == ("web",)
        children = []
        for _ in range(4):
            child = os.fork()
            if not child:
                os._exit(0 if client.role_names() == ("web",) else 1)
            children.append(child)
        assert all(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child in children)
        print(server.communicate()[0].strip())
        """
    )
    assert printed.split() == ["1"], "one token for parent and children"


@pytest.mark.skipif(sys.platform != "linux", reason="lowers the limit of descriptors as Linux does it")
@pytest.mark.parametrize("asked_before", ["yes", ""])
def test_without_a_free_descriptor_there_is_a_typed_error(cloud: FakeCloud, asked_before: str) -> None:
    printed = run(
        """
        import os, resource, sys
        from ramrole_creds.errors import MetadataError
        from ramrole_creds.metadata import MetadataClient
        import traceback, linecache  # what the interpreter itself reads later

        client = MetadataClient(sys.argv[1])
        if sys.argv[2]:
            client.role_names()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        try:
            client.role_names()
            text = "no error"
        except MetadataError as error:
            text = str(error)
        for one in held:
            os.close(one)
        print(text)
        """,
        cloud.url,
        asked_before,
    )
    assert "too many open files" in printed
    assert "run out of a resource" in printed


NAMESPACE = """
import sys
from ramrole_creds import default_provider
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud

with FakeCloud(role="web", mode="hardened", host="100.100.100.200", port=80, clock=SYSTEM_CLOCK) as cloud:
    provider = default_provider()
    print(provider.get_credentials().identity)
    print([entry.step for entry in cloud.requests])
    print(cloud.requests[0].header("Host"))
    provider.close()
"""


def test_it_is_100_100_100_200_that_is_asked() -> None:
    """In a network namespace of its own, where that address is loopback's."""
    setup = 'ip address add 100.100.100.200/32 dev lo && ip link set lo up && exec "$0" -c "$1"'
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAMROLE", "ALIBABA"))}
    try:
        probe = subprocess.run(["unshare", "-n", "sh", "-c", "ip link show lo"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if probe.returncode:
        pytest.skip("needs root, who may make a network namespace, and the ip command")
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", setup, sys.executable, NAMESPACE],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["web", "['token', 'role', 'credentials']", "100.100.100.200"]
