"""The object storage endpoint does for alibabacloud_oss_v2 what OSS does."""

from __future__ import annotations

import io
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING

import alibabacloud_oss_v2 as oss
import pytest

from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "dir/中文 a+b~*&=?#%.txt"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud
        cloud.check()


@pytest.fixture(params=["v1", "v4"])
def client(request: pytest.FixtureRequest, cloud: FakeCloud) -> oss.Client:
    key = cloud.access_key()
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(key.access_key_id, key.access_key_secret)
    config.region, config.endpoint, config.signature_version = "cn-hangzhou", cloud.url, request.param
    return oss.Client(config)


def put(client: oss.Client, key: str, body: bytes = b"x") -> None:
    client.put_object(oss.PutObjectRequest(bucket="bkt", key=key, body=body))


def test_an_object_comes_and_goes(client: oss.Client) -> None:
    client.put_object(oss.PutObjectRequest(bucket="bkt", key=NAME, body=b"hello", metadata={"a": "v"}))
    got = client.get_object(oss.GetObjectRequest(bucket="bkt", key=NAME))
    assert (got.body.read(), got.metadata) == (b"hello", {"a": "v"})
    assert client.head_object(oss.HeadObjectRequest(bucket="bkt", key=NAME)).content_length == 5
    client.delete_object(oss.DeleteObjectRequest(bucket="bkt", key=NAME))
    with pytest.raises(oss.exceptions.OperationError) as caught:
        client.head_object(oss.HeadObjectRequest(bucket="bkt", key=NAME))
    assert caught.value.unwrap().code == "NoSuchKey"


def test_listings_are_walked(client: oss.Client) -> None:
    keys = [NAME, *(f"l/{number}" for number in range(5))]
    for key in keys:
        put(client, key)
    pages = client.list_objects_v2_paginator().iter_page(oss.ListObjectsV2Request(bucket="bkt", max_keys=2))
    assert [found.key for page in pages for found in page.contents] == keys
    asked = oss.ListObjectsRequest(bucket="bkt", max_keys=1, delimiter="/")
    grouped = client.list_objects_paginator().iter_page(asked)
    assert [found.prefix for page in grouped for found in page.common_prefixes] == ["dir/", "l/"]
    assert [one.name for one in client.list_buckets(oss.ListBucketsRequest()).buckets] == ["bkt"]


def test_presigned_requests_get_and_put(client: oss.Client) -> None:
    put(client, NAME, b"shared")
    got = client.presign(oss.GetObjectRequest(bucket="bkt", key=NAME), expires=timedelta(minutes=5))
    with urllib.request.urlopen(got.url) as response:
        assert response.read() == b"shared"
    sent = client.presign(oss.PutObjectRequest(bucket="bkt", key="p", content_type="text/x"))
    asked = urllib.request.Request(sent.url, b"2", dict(sent.signed_headers), method="PUT")
    with urllib.request.urlopen(asked) as response:
        assert response.status == 200


def test_large_objects_travel_in_parts(client: oss.Client) -> None:
    content = bytes(range(256)) * 2000
    asked = oss.PutObjectRequest(bucket="bkt", key="big")
    client.uploader().upload_from(asked, io.BytesIO(content), part_size=200_000, parallel_num=2)
    assert client.get_object(oss.GetObjectRequest(bucket="bkt", key="big")).body.read() == content
