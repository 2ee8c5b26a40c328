"""The S3-compatible endpoint does for boto3 what OSS does."""

from __future__ import annotations

import io
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "dir/中文 a+b~*&=?#%.txt"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud
        cloud.check()


def client_of(cloud: FakeCloud, signature: str = "s3v4", secret: str | None = None) -> Any:
    key = cloud.access_key()
    return boto3.client(
        "s3",
        endpoint_url=cloud.url,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=secret or key.access_key_secret,
        region_name="oss-cn-hangzhou",
        config=Config(
            s3={"addressing_style": "path"},
            signature_version=signature,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_an_object_comes_and_goes(cloud: FakeCloud, signature: str) -> None:
    s3 = client_of(cloud, signature)
    s3.put_object(Bucket="bkt", Key=NAME, Body=b"hello", Metadata={"a": "v"})
    got = s3.get_object(Bucket="bkt", Key=NAME)
    assert (got["Body"].read(), got["Metadata"]) == (b"hello", {"a": "v"})
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="bkt")["Contents"]] == [NAME]
    assert [found["Key"] for found in s3.list_objects(Bucket="bkt")["Contents"]] == [NAME]
    assert [found["Name"] for found in s3.list_buckets()["Buckets"]] == ["bkt"]
    s3.delete_object(Bucket="bkt", Key=NAME)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="bkt", Key=NAME)


def test_presigned_urls_and_parts(cloud: FakeCloud) -> None:
    s3 = client_of(cloud)
    s3.upload_fileobj(io.BytesIO(b"q" * 9_000_000), "bkt", NAME)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": NAME}, ExpiresIn=60)
    with urllib.request.urlopen(url) as response:
        assert len(response.read()) == 9_000_000
    assert s3.get_object(Bucket="bkt", Key=NAME, Range="bytes=5-8")["ContentRange"] == "bytes 5-8/9000000"


def test_a_mismatch_shows_what_the_server_signed(cloud: FakeCloud) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client_of(cloud, secret="wrong").list_buckets()
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert caught.value.response["Error"]["StringToSign"].startswith("AWS4-HMAC-SHA256")
