"""Who asks decides what is answered: Unix sockets with the peer's user, and source addresses."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import struct
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import StaticProvider
from ramrole_creds.errors import ConfigurationError

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

from ramrole_creds.local_service import Client, ClientRules, LocalService, parse_rule
from ramrole_creds.local_service._protocol import peer_uid

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds import EcsRamRoleProvider

unix_only = pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="peer credentials of Linux")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


def ask(path: Path, target: str = "/credentials") -> tuple[int, bytes]:
    connection = UnixConnection(path)
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@unix_only
def test_a_unix_socket_is_for_its_own_user_and_is_removed_at_the_end(
    ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    path = tmp_path / "creds.sock"
    with LocalService(ramrole_provider, socket_path=path) as service:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert service.uri.startswith("http+unix://")
        status, body = ask(path)
        assert status == 200
        assert json.loads(body)["Code"] == "Success"
        assert ask(path, "/other")[0] == 404
    assert not path.exists()


@unix_only
def test_a_stale_socket_is_replaced_and_any_other_file_is_not(
    ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    path = tmp_path / "creds.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(path))
    with LocalService(ramrole_provider, socket_path=path):
        assert ask(path)[0] == 200
    path.write_text("something of somebody's")
    with pytest.raises(ConfigurationError, match="is not a socket"):
        LocalService(ramrole_provider, socket_path=path).start()
    assert path.read_text() == "something of somebody's"


@unix_only
def test_the_socket_of_a_service_that_runs_is_not_taken_away(
    ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    path = tmp_path / "creds.sock"
    with LocalService(ramrole_provider, socket_path=path):
        with pytest.raises(ConfigurationError, match="Another process listens on"):
            LocalService(ramrole_provider, socket_path=path).start()
        assert ask(path)[0] == 200


@unix_only
def test_a_socket_of_another_kind_is_not_taken_away(ramrole_provider: EcsRamRoleProvider, tmp_path: Path) -> None:
    path = tmp_path / "creds.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(ConfigurationError, match="Another process listens on"):
            LocalService(ramrole_provider, socket_path=path).start()
        assert path.exists()


@unix_only
def test_a_service_that_ends_leaves_the_socket_of_its_successor(
    ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    path = tmp_path / "creds.sock"
    first = LocalService(ramrole_provider, socket_path=path).start()
    path.unlink()
    with LocalService(ramrole_provider, socket_path=path):
        first.close()
        assert ask(path)[0] == 200


@unix_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_takes_nothing_from_its_parent(ramrole_provider: EcsRamRoleProvider, tmp_path: Path) -> None:
    path = tmp_path / "creds.sock"
    with LocalService(ramrole_provider, socket_path=path) as service:
        child = os.fork()
        if child == 0:
            service.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert ask(path)[0] == 200


def test_the_peer_of_a_socket_is_read_as_each_system_gives_it() -> None:
    class Socket:
        """Answers as the kernel does, whatever it is asked."""

        family = getattr(socket, "AF_UNIX", -1)

        def __init__(self, content: bytes) -> None:
            self._content = content

        def getsockopt(self, _: int, __: int, size: int) -> bytes:
            assert size == len(self._content)
            return self._content

    nobody = 4294967294
    linux = struct.pack("iII", 1234, nobody, nobody)
    darwin = struct.pack("II", 0, nobody) + struct.pack("h2x", 1) + struct.pack("16I", *range(16))
    assert peer_uid(Socket(darwin), "darwin") == nobody
    if hasattr(socket, "SO_PEERCRED"):
        assert peer_uid(Socket(linux), "linux") == nobody
    assert parse_rule(f"uid:{nobody}").matches(Client(nobody, ""))


@unix_only
def test_a_path_that_no_socket_can_have_is_an_error_with_its_limit(
    ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="takes 107 bytes"):
        LocalService(ramrole_provider, socket_path=tmp_path / ("a" * 120)).start()


@unix_only
def test_the_user_at_the_other_end_decides_on_the_role(tmp_path: Path) -> None:
    mine, others = StaticProvider("STS.mine", "s", "t"), StaticProvider("STS.others", "s", "t")
    rules = ClientRules([(parse_rule(f"uid:{os.getuid()}"), mine), (parse_rule(f"uid:{os.getuid() + 1}"), others)])
    path = tmp_path / "creds.sock"
    with LocalService(rules, socket_path=path):
        assert json.loads(ask(path)[1])["AccessKeyId"] == "STS.mine"


@unix_only
def test_a_user_without_a_rule_gets_nothing_until_the_rules_are_replaced(tmp_path: Path) -> None:
    provider = StaticProvider("STS.mine", "s", "t")
    path = tmp_path / "creds.sock"
    with LocalService(ClientRules([(parse_rule("uid:4000000000"), provider)]), socket_path=path) as service:
        assert ask(path) == (403, b"")
        service.replace_rules(ClientRules.everybody(provider))
        assert ask(path)[0] == 200


def test_the_first_rule_that_matches_wins() -> None:
    one, two, rest = (StaticProvider(f"STS.{name}", "s", "t") for name in ("one", "two", "rest"))
    rules = ClientRules(
        [(parse_rule("uid:1000"), one), (parse_rule("addr:10.0.0.0/8"), two), (parse_rule("*"), rest)],
    )
    assert rules.provider_for(Client(1000, "")) is one
    assert rules.provider_for(Client(1001, "")) is rest
    assert rules.provider_for(Client(None, "10.1.2.3")) is two
    assert rules.provider_for(Client(None, "192.168.0.1")) is rest
    assert rules.provider_for(Client(None, "")) is rest
    assert rules.providers == (one, two, rest)
    assert ClientRules([(parse_rule("addr:::1"), one)]).provider_for(Client(None, "127.0.0.1")) is None


@pytest.mark.parametrize("text", ["", "uid:", "uid:-1", "uid:x", "user:no-such-user", "addr:300.1.1.1", "role"])
def test_a_rule_that_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="Write uid:NUMBER"):
        parse_rule(text)


def test_on_a_system_that_does_not_say_who_the_peer_is_nobody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        assert peer_uid(sock, "sunos5") is None


@unix_only
def test_a_service_whose_socket_was_removed_meanwhile_ends_all_the_same(
    ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    path = tmp_path / "creds.sock"
    with LocalService(ramrole_provider, socket_path=path):
        path.unlink()
    assert not path.exists()


def test_a_system_without_unix_sockets_is_named(
    ramrole_provider: EcsRamRoleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    with pytest.raises(ConfigurationError, match=r"This system has no Unix sockets\. Use host and port"):
        LocalService(ramrole_provider, socket_path="/run/creds.sock")
