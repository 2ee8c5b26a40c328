"""The other items of the metadata service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.errors import ConfigurationError, MetadataError
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = {
    "region_id": "region-id",
    "zone_id": "zone-id",
    "instance_id": "instance-id",
    "instance_type": "instance/instance-type",
    "instance_name": "instance/instance-name",
    "image_id": "image-id",
    "hostname": "hostname",
    "serial_number": "serial-number",
    "owner_account_id": "owner-account-id",
    "network_type": "network-type",
    "private_ipv4": "private-ipv4",
    "eipv4": "eipv4",
    "mac": "mac",
    "vpc_id": "vpc-id",
    "vpc_cidr_block": "vpc-cidr-block",
    "vswitch_id": "vswitch-id",
    "vswitch_cidr_block": "vswitch-cidr-block",
}


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="hardened") as cloud:
        yield cloud


@pytest.fixture
def client(cloud: FakeCloud) -> MetadataClient:
    return MetadataClient(cloud.url, clock=cloud.clock)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_item_is_read_from_its_path(cloud: FakeCloud, client: MetadataClient, name: str) -> None:
    cloud.items[NAMED[name]] = f"value of {name}"
    assert getattr(client, name) == f"value of {name}"
    assert cloud.requests[-1].path == f"/latest/meta-data/{NAMED[name]}"


def test_a_named_item_documents_itself() -> None:
    assert "region-id" in (type.__getattribute__(MetadataClient, "region_id").__doc__ or "")


def test_any_item_can_be_asked_for_by_its_path(cloud: FakeCloud, client: MetadataClient) -> None:
    cloud.set_user_data("#!/bin/sh\necho hello\n")
    assert client.get("/latest/user-data") == "#!/bin/sh\necho hello\n"
    assert client.get("ram/security-credentials/") == "web"
    assert client.get("zone-id") == cloud.items["zone-id"]


def test_an_item_that_is_not_there_is_an_error_with_its_status(client: MetadataClient) -> None:
    with pytest.raises(MetadataError, match="answered 404: this instance has no such item") as raised:
        client.get("instance/spot/termination-time")
    assert raised.value.status == 404
    assert raised.value.step == "item"


@pytest.mark.parametrize("path", ["region id", "region-id\r\nX: y", "zöne", "a\x00b", "a\tb", 5, None])
def test_an_invalid_path_is_refused_before_any_request(cloud: FakeCloud, client: MetadataClient, path: str) -> None:
    with pytest.raises(ConfigurationError, match="not a valid metadata path"):
        client.get(path)
    cloud.assert_not_called()


@pytest.mark.parametrize(
    "path", ["//127.0.0.2/x", "/@127.0.0.2/x", "@127.0.0.2/", "/latest/../../x", "http://127.0.0.2/"]
)
def test_no_path_leads_to_another_host(cloud: FakeCloud, client: MetadataClient, path: str) -> None:
    with pytest.raises(MetadataError) as raised:
        client.get(path)
    assert raised.value.status == 404
    cloud.assert_called("metadata")


def test_bytes_that_are_not_text_are_an_error(cloud: FakeCloud, client: MetadataClient) -> None:
    cloud.set_user_data(b"\x1f\x8b\xff")
    with pytest.raises(MetadataError, match="not UTF-8 text"):
        client.get("/latest/user-data")


def test_the_identity_document_is_names_and_texts(cloud: FakeCloud, client: MetadataClient) -> None:
    document = client.identity_document()
    assert document["instance-id"] == cloud.items["instance-id"]
    assert document["region-id"] == cloud.items["region-id"]
    assert all(isinstance(value, str) for value in document.values())


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "<html></html>", "[" * 9999])
def test_an_invalid_identity_document_is_an_error(cloud: FakeCloud, client: MetadataClient, body: str) -> None:
    cloud.faults.add("item", 200, body=body)
    with pytest.raises(MetadataError, match=r"not a JSON object|with nothing"):
        client.identity_document()


def test_values_of_the_identity_document_become_texts(cloud: FakeCloud, client: MetadataClient) -> None:
    cloud.faults.add("item", 200, body=json.dumps({"a": "b", "n": 1, "x": None}))
    assert client.identity_document() == {"a": "b", "n": "1", "x": "null"}
