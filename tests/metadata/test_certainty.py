"""*Not here* is said only if it is certain: what answered once exists, and so may what could not be asked."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    EcsRamRoleProvider,
    FetchError,
    MetadataError,
    MetadataUnreachable,
    ProviderChain,
    RoleNotAttached,
    StaticProvider,
)
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="hardened") as cloud:
        yield cloud


def client_of(cloud: FakeCloud) -> MetadataClient:
    transport = HttpTransport(connect_timeout=0.3, read_timeout=2.0, sleep=lambda _seconds: None)
    return MetadataClient(cloud.url, clock=cloud.clock, transport=transport)


def chain_of(cloud: FakeCloud, read_timeout: float = 2.0) -> ProviderChain:
    first = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, connect_timeout=0.3, read_timeout=read_timeout)
    return ProviderChain(first, StaticProvider("LTAIfallback", "s"), clock=cloud.clock)


@pytest.mark.parametrize("what", ["hang", "reset", "close", "drip", "garbage", 503])
@pytest.mark.parametrize("step", ["role", "credentials"])
def test_a_service_that_answered_the_token_call_is_never_passed_over(
    cloud: FakeCloud, step: str, what: int | str
) -> None:
    options: dict[str, Any] = {"interval": 1} if what == "drip" else {}
    cloud.faults.add(step, what, **options)
    with chain_of(cloud, read_timeout=0.5) as chain, pytest.raises(FetchError, match=cloud.url):
        chain.get_credentials()


@pytest.mark.parametrize("what", ["refuse", "blackhole"])
def test_a_service_that_answered_this_process_before_exists_for_every_client(cloud: FakeCloud, what: str) -> None:
    client_of(cloud).get("region-id")
    cloud.disable_endpoint(what)
    with pytest.raises(MetadataError, match="has answered this process before"):
        client_of(cloud).role_names()
    with chain_of(cloud) as chain, pytest.raises(FetchError, match="has answered this process before"):
        chain.get_credentials()
    cloud.enable_endpoint()
    assert chain_of(cloud).get_credentials().identity == "web"


@pytest.mark.parametrize("what", ["refuse", "blackhole", "hang"])
def test_where_nothing_ever_answered_a_chain_goes_on(cloud: FakeCloud, what: str) -> None:
    if what == "hang":
        cloud.faults.add("metadata", "hang")
    else:
        cloud.disable_endpoint(what)
    with pytest.raises(MetadataUnreachable):
        EcsRamRoleProvider(endpoint=cloud.url, connect_timeout=0.3, read_timeout=0.3).get_credentials()
    with chain_of(cloud, read_timeout=0.3) as chain:
        assert chain.get_credentials().access_key_id == "LTAIfallback"


def test_a_detached_role_is_certain(cloud: FakeCloud) -> None:
    cloud.detach_role()
    with pytest.raises(RoleNotAttached):
        client_of(cloud).role_names()
    with chain_of(cloud) as chain:
        assert chain.get_credentials().access_key_id == "LTAIfallback"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ENFILE, "Too many open files in system"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.ENOBUFS, "No buffer space available"),
        MemoryError(),
        ImportError("cannot open shared object file"),
    ],
    ids=["emfile", "enfile", "enomem", "enobufs", "memory", "module"],
)
def test_a_service_that_could_not_be_asked_is_an_error(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise error

    client_of(cloud).get("region-id")  # loads every module
    with FakeCloud(role="web") as other, monkeypatch.context() as patch:
        patch.setattr(socket, "socket", fail)
        with pytest.raises(MetadataError, match="has run out of a resource"):
            client_of(other).role_names()
        with chain_of(other) as chain, pytest.raises(FetchError, match="has run out of a resource"):
            chain.get_credentials()


def run_out() -> None:
    raise OSError(errno.EMFILE, "Too many open files")


def test_an_error_that_the_caller_is_handling_is_not_taken_for_the_cause(cloud: FakeCloud) -> None:
    cloud.disable_endpoint("refuse")
    try:
        run_out()
    except OSError:
        with pytest.raises(MetadataUnreachable, match="connection refused"):
            client_of(cloud).role_names()
