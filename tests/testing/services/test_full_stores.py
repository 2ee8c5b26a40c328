"""No client fills the memory of the fake cloud: each service keeps so much, and refuses more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from ramrole_creds import signing
from ramrole_creds.testing.services.bucket_store import BucketStore
from ramrole_creds.testing.services.oss import StorageService
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import SignedService

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireResponse
    from ramrole_creds.testing.services.room import Room
    from tests.testing.services.conftest import Endpoints

MAX_BYTES = 20_000
LINKED = {"x-oss-symlink-target": "target"}
XML = b"<Message xmlns='http://mns.aliyuncs.com/doc/v1/'><MessageBody>%s</MessageBody></Message>"
OSS = signing.OSSV4("cn-hangzhou")


def table_message(number: int) -> bytes:
    """A CreateTable request of Tablestore, as far as its name."""
    name = b"t-%d" % number
    nested = b"\x0a" + bytes([len(name)]) + name
    return b"\x0a" + bytes([len(nested)]) + nested


class Filling(NamedTuple):
    """A request that is sent again and again, with another number each time, and one that makes room."""

    service: str
    scheme: signing.Scheme
    method: str
    path: str
    code: bytes = b"QuotaExceeded"
    body: bytes | None = None
    headers: dict[str, str] = {}  # noqa: RUF012  # a default that nothing changes
    deleted: tuple[str, str, bytes | None] | None = None  # method, path and body

    def send(self, endpoints: Endpoints, number: int) -> WireResponse:
        """The request with this number."""
        body = table_message(number) if self.service == "ots" else self.body
        return endpoints.ask(self.scheme, self.method, self.path.format(number), self.headers, body=body)


FILLINGS = {
    "mns-queues": Filling("mns", signing.MNS(), "PUT", "/queues/q-{}", deleted=("DELETE", "/queues/q-1", None)),
    "mns-topics": Filling("mns", signing.MNS(), "PUT", "/topics/t-{}", deleted=("DELETE", "/topics/t-1", None)),
    "mns-messages": Filling(
        "mns",
        signing.MNS(),
        "POST",
        "/queues/q/messages",
        body=XML % (b"x" * 1000),
        deleted=("DELETE", "/queues/q", None),
    ),
    "sls-logstores": Filling("sls", signing.SLSV1(), "POST", "/logstores/l-{}/shards/lb"),
    "ots-tables": Filling("ots", signing.OTSV2("inst"), "POST", "/CreateTable", b"OTSQuotaExhausted"),
    "oss-buckets": Filling("oss", OSS, "PUT", "/bucket-{}/", b"EntityTooLarge"),
    "oss-keys": Filling(
        "oss", OSS, "PUT", "/bucket/k-{}", b"EntityTooLarge", b"", deleted=("DELETE", "/bucket/k-1", None)
    ),
    "oss-metadata": Filling("oss", OSS, "PUT", "/bucket/k-{}", b"EntityTooLarge", b"", {"x-oss-meta-a": "x" * 5000}),
    "oss-uploads": Filling("oss", OSS, "POST", "/bucket/k-{}?uploads", b"EntityTooLarge"),
    "oss-links": Filling(
        "oss", OSS, "PUT", "/bucket/k-{}?symlink", b"EntityTooLarge", None, {"x-oss-symlink-target": "t"}
    ),
}


def room_of(endpoints: Endpoints, name: str) -> Room:
    """The room of a service."""
    service = next(one for one in endpoints.services if one.name == name)
    assert isinstance(service, SignedService)
    return service.store.room if isinstance(service, StorageService) else service.room


@pytest.mark.parametrize("filling", FILLINGS.values(), ids=list(FILLINGS))
def test_a_service_refuses_what_it_has_no_room_for(endpoints: Endpoints, filling: Filling) -> None:
    room_of(endpoints, filling.service).max_bytes = MAX_BYTES
    if filling.path.startswith("/queues/q/"):
        assert endpoints.ask(filling.scheme, "PUT", "/queues/q").status == 201
    answers = [filling.send(endpoints, number) for number in range(100)]
    assert answers[0].status in (200, 201)
    assert filling.code in answers[-1].body
    assert b"The fake cloud keeps at most 20000 bytes here." in answers[-1].body
    if filling.deleted is not None:
        method, path, body = filling.deleted
        assert endpoints.ask(filling.scheme, method, path, body=body).status in (200, 204)
        if "messages" in filling.path:
            assert endpoints.ask(filling.scheme, "PUT", "/queues/q").status == 201
        assert filling.send(endpoints, 1).status in (200, 201)


def test_datahub_refuses_projects_that_it_has_no_room_for(endpoints: Endpoints) -> None:
    room_of(endpoints, "datahub").max_bytes = 2000
    answers = [endpoints.ask_datahub("POST", f"/projects/p-{number}") for number in range(4)]
    assert [one.status for one in answers] == [201, 201, 201, 400]
    assert b"LimitExceeded" in answers[-1].body
    assert endpoints.ask_datahub("DELETE", "/projects/p-1").status == 200
    assert endpoints.ask_datahub("POST", "/projects/p-3").status == 201


def test_a_topic_counts_messages_and_keeps_none(endpoints: Endpoints) -> None:
    room_of(endpoints, "mns").max_bytes = MAX_BYTES
    mns = signing.MNS()
    endpoints.ask(mns, "PUT", "/topics/t")
    for _ in range(50):
        assert endpoints.ask(mns, "POST", "/topics/t/messages", body=XML % (b"x" * 1000)).status == 201
    assert b"<MessageCount>50</MessageCount>" in endpoints.ask(mns, "GET", "/topics/t").body


def test_listing_the_tables_of_instances_keeps_nothing(endpoints: Endpoints) -> None:
    room = room_of(endpoints, "ots")
    for number in range(20):
        assert endpoints.ask(signing.OTSV2(f"inst-{number}"), "POST", "/ListTable").status == 200
    room.max_bytes = 1
    assert b"OTSQuotaExhausted" in FILLINGS["ots-tables"].send(endpoints, 1).body


def test_tags_are_those_of_a_symbolic_link_itself(endpoints: Endpoints) -> None:
    tagging = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    endpoints.ask(OSS, "PUT", "/bucket/target", body=b"content")
    endpoints.ask(OSS, "PUT", "/bucket/link?symlink", LINKED)
    assert endpoints.ask(OSS, "PUT", "/bucket/link?tagging", body=tagging).status == 200
    assert dict(endpoints.ask(OSS, "GET", "/bucket/link?symlink").headers)["x-oss-symlink-target"] == "target"


def test_a_bucket_that_was_deleted_counts() -> None:
    store = BucketStore()
    store.room.max_bytes = 2000
    for name in ("a", "b", "c"):
        store.create(name, 0.0)
        store.delete(name)
    with pytest.raises(ServiceError, match="at most 2000 bytes"):
        store.create("d", 0.0)
