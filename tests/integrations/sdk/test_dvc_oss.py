"""dvc-oss takes a file system that exists already, here one with a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dvc_oss

from ramrole_creds.integrations.ossfs import OSSFileSystem
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integrations.sdk.conftest import Stage


def remote_of(stage: Stage) -> Any:
    files = OSSFileSystem(stage.url, provider=stage.provider, region="cn-hangzhou", skip_instance_cache=True)
    return dvc_oss.OSSFileSystem(fs=files)


def test_files_are_pushed_and_pulled_over_rotations(stage: Stage, tmp_path: Path) -> None:
    remote = remote_of(stage)
    (tmp_path / "data").write_bytes(b"body")

    def call() -> None:
        remote.put_file(str(tmp_path / "data"), "bkt/data")
        remote.fs.invalidate_cache()
        remote.get_file("bkt/data", str(tmp_path / "pulled"))
        assert (tmp_path / "pulled").read_bytes() == b"body"

    stage.assert_rotates("oss", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage, tmp_path: Path) -> None:
    remote = remote_of(stage)
    (tmp_path / "data").write_bytes(b"body")
    remote.put_file(str(tmp_path / "data"), "bkt/data")
    stage.expire()

    retry_on_rejected(stage.provider)(remote.put_file)(str(tmp_path / "data"), "bkt/data")

    assert stage.accepted("oss")[-1] == stage.provider.get_credentials().access_key_id
