"""Clients that others wrote, unmodified: minio and the AWS CLI on the S3 protocol, pyodps on MaxCompute."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing.account.ram_policy import allow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing import FakeCloud, IssuedCredentials

NAME = "a b/杭+州"


@pytest.fixture
def clock() -> Clock:
    """The machine's time, by which these clients sign."""
    return SYSTEM_CLOCK


@pytest.fixture
def cloud(cloud: FakeCloud) -> Iterator[FakeCloud]:
    """A cloud that none of these clients drove into a defect of its own."""
    yield cloud
    assert not cloud.defects


@pytest.fixture
def minio(cloud: FakeCloud, web: IssuedCredentials) -> Any:
    library = pytest.importorskip("minio", reason="minio is not installed")
    keys = {"access_key": web.access_key_id, "secret_key": web.access_key_secret, "session_token": web.security_token}
    return library.Minio(endpoint=f"{cloud.host}:{cloud.port}", secure=False, region="cn-hangzhou", **keys)


def put(minio: Any, name: str, body: bytes = b"hello", **options: object) -> None:
    minio.put_object(bucket_name="data", object_name=name, data=io.BytesIO(body), length=len(body), **options)


def test_minio_does_all_it_can(cloud: FakeCloud, minio: Any) -> None:
    from minio.commonconfig import CopySource, Tags
    from minio.deleteobjects import DeleteObject

    data = {"bucket_name": "data"}
    minio.make_bucket(**data)
    put(minio, NAME)
    assert minio.get_object(**data, object_name=NAME).read() == b"hello"
    minio.copy_object(**data, object_name="copy", source=CopySource(**data, object_name=NAME))
    minio.put_object(
        **data, object_name="big", data=io.BytesIO(b"x" * 11_000_000), length=-1, part_size=5 * 1024 * 1024
    )
    tags = Tags.new_object_tags()
    tags["team"] = "dev"
    minio.set_object_tags(**data, object_name="copy", tags=tags)
    assert dict(minio.get_object_tags(**data, object_name="copy")) == {"team": "dev"}
    assert [one.object_name for one in minio.list_objects(**data, recursive=True)] == [NAME, "big", "copy"]
    with urllib.request.urlopen(minio.presigned_get_object(**data, object_name="copy")) as answer:
        assert answer.read() == b"hello"
    gone = [DeleteObject(name=name) for name in (NAME, "big", "copy")]
    assert list(minio.remove_objects(**data, delete_object_list=gone)) == []
    assert list(minio.list_objects(**data)) == []
    assert not [one for one in cloud.requests if one.status == 403]


def test_minio_is_refused_and_allowed_by_the_policy_of_the_moment(cloud: FakeCloud, minio: Any) -> None:
    from minio.error import S3Error

    cloud.set_policies("web", [allow("oss:PutObject", resource="acs:oss:*:*:data/logs/*")])
    put(minio, "logs/1")
    with pytest.raises(S3Error) as refused:
        minio.get_object(bucket_name="data", object_name="logs/1")
    assert refused.value.code == "AccessDenied"
    cloud.set_policies("web", [cloud.least_privilege("web")])
    assert minio.get_object(bucket_name="data", object_name="logs/1").read() == b"hello"
    with pytest.raises(S3Error):
        put(minio, "logs/2")


def test_the_aws_cli_moves_files(cloud: FakeCloud, web: IssuedCredentials, tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("aws")
    if not command.exists():
        pytest.skip("awscli is not installed")
    keys = {
        "AWS_ACCESS_KEY_ID": web.access_key_id,
        "AWS_SECRET_ACCESS_KEY": web.access_key_secret,
        "AWS_SESSION_TOKEN": web.security_token or "",
        "AWS_DEFAULT_REGION": "cn-hangzhou",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }

    def aws(*arguments: str) -> str:
        whole = [str(command), "--endpoint-url", cloud.url, *arguments]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **keys})
        return done.stdout

    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(b"y" * 9_000_000)  # more than one part
    aws("s3", "cp", str(sent), "s3://data/x y+z", "--no-progress")
    assert "x y+z" in aws("s3", "ls", "s3://data")
    aws("s3", "mv", "s3://data/x y+z", "s3://data/moved", "--no-progress")
    aws("s3", "cp", "s3://data/moved", str(got), "--no-progress")
    assert got.read_bytes() == sent.read_bytes()
    assert "FULL_CONTROL" in aws("s3api", "get-bucket-acl", "--bucket", "data")
    aws("s3", "rm", "s3://data", "--recursive")
    assert not [one for one in cloud.requests if one.status == 403]


def test_pyodps_runs_a_job_to_its_end(cloud: FakeCloud, web: IssuedCredentials) -> None:
    odps = pytest.importorskip("odps", reason="pyodps is not installed")
    account = odps.accounts.StsAccount(web.access_key_id, web.access_key_secret, web.security_token)
    job = odps.ODPS(account=account, project="p", endpoint=f"{cloud.url}/api").execute_sql("select 1")
    assert job.is_successful()
