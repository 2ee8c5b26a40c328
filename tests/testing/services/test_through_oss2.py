"""The object storage endpoint does for oss2 what OSS does, whichever signature it uses."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

with warnings.catch_warnings():  # escapes in its docstrings that Python no longer knows
    warnings.simplefilter("ignore")
    import oss2

from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

NAME = "dir/中文 a+b~*&=?#%.txt"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud
        cloud.check()


@pytest.fixture(params=[oss2.Auth, oss2.AuthV2, oss2.AuthV4], ids=["V1", "V2", "V4"])
def bucket(request: pytest.FixtureRequest, cloud: FakeCloud) -> oss2.Bucket:
    key = cloud.access_key()
    auth = request.param(key.access_key_id, key.access_key_secret)
    return oss2.Bucket(auth, cloud.url, "bkt", is_path_style=True, region="cn-hangzhou")


def test_an_object_comes_and_goes(bucket: oss2.Bucket) -> None:
    bucket.put_object(NAME, b"hello", headers={"x-oss-meta-a": "v", "Content-Type": "text/plain"})
    got = bucket.get_object(NAME)
    assert (got.read(), got.content_type, got.headers["x-oss-meta-a"]) == (b"hello", "text/plain", "v")
    assert bucket.get_object(NAME, byte_range=(1, 3)).read() == b"ell"
    assert bucket.head_object(NAME).content_length == 5
    assert bucket.get_object_meta(NAME).content_length == 5
    assert bucket.object_exists(NAME)
    bucket.copy_object("bkt", NAME, "copy")
    bucket.delete_object(NAME)
    assert not bucket.object_exists(NAME)
    assert bucket.get_object("copy").read() == b"hello"


def test_listings_are_walked(bucket: oss2.Bucket) -> None:
    keys = [NAME, *(f"l/{number}" for number in range(5))]
    for key in keys:
        bucket.put_object(key, b"x")
    assert [found.key for found in oss2.ObjectIterator(bucket, max_keys=2)] == keys
    assert [found.key for found in oss2.ObjectIteratorV2(bucket, max_keys=2)] == keys
    assert [found.key for found in oss2.ObjectIterator(bucket, delimiter="/")] == ["dir/", "l/"]
    assert bucket.batch_delete_objects(["l/1", "l/2"]).deleted_keys == ["l/1", "l/2"]
    assert bucket.get_bucket_info().name == "bkt"
    assert bucket.get_bucket_location().location == "oss-cn-hangzhou"


def test_signed_urls_get_and_put(bucket: oss2.Bucket) -> None:
    session = oss2.Session()
    put = bucket.sign_url("PUT", NAME, 60, headers={"Content-Type": "text/x"})
    sent = session.do_request(oss2.http.Request("PUT", put, data=b"1", headers={"Content-Type": "text/x"}), 5)
    assert sent.status == 200
    got = bucket.sign_url("GET", NAME, 60, slash_safe=True, params={"response-content-type": "text/css"})
    response = session.do_request(oss2.http.Request("GET", got), 5)
    assert (response.read(), response.headers["content-type"]) == (b"1", "text/css")


def test_large_files_travel_in_parts(bucket: oss2.Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 1200)
    oss2.resumable_upload(
        bucket,
        "big",
        str(source),
        store=oss2.ResumableStore(root=str(tmp_path)),
        multipart_threshold=1,
        part_size=100 * 1024,
        num_threads=2,
    )
    oss2.resumable_download(
        bucket,
        "big",
        str(tmp_path / "target"),
        store=oss2.ResumableDownloadStore(root=str(tmp_path)),
        multiget_threshold=1,
        part_size=100 * 1024,
        num_threads=2,
    )
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    bucket.append_object("log", 0, b"12")
    bucket.append_object("log", 2, b"34")
    assert bucket.get_object("log").read() == b"1234"


def test_refusals_are_the_exceptions_that_oss2_knows(bucket: oss2.Bucket) -> None:
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_object("none")
    with pytest.raises(oss2.exceptions.NotFound):
        bucket.head_object("none")
    bucket.put_object("key", b"1")
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        bucket.delete_bucket()
    bucket.delete_object("key")
    bucket.delete_bucket()
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        bucket.get_object("key")


def test_a_mismatch_shows_what_the_server_signed(cloud: FakeCloud) -> None:
    key = cloud.access_key()
    for auth in (oss2.Auth, oss2.AuthV2, oss2.AuthV4):
        bucket = oss2.Bucket(
            auth(key.access_key_id, "wrong"), cloud.url, "bkt", is_path_style=True, region="cn-hangzhou"
        )
        with pytest.raises(oss2.exceptions.SignatureDoesNotMatch) as caught:
            bucket.get_object("key")
        assert caught.value.details["StringToSign"]
        assert caught.value.details["OSSAccessKeyId"] == key.access_key_id
