"""s3fs is made of aiobotocore, whose session takes a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import s3fs

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.integrations.botocore import aiobotocore_session
from ramrole_creds.integrations.retry import retry_on_rejected
from tests.integrations.sdk.conftest import used_elsewhere

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider
    from tests.integrations.sdk.conftest import Stage

CONFIG = {
    "signature_version": "s3v4",
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


def filesystem_of(stage: Stage, provider: CredentialProvider | None = None) -> Any:
    return s3fs.S3FileSystem(
        session=aiobotocore_session(provider or stage.provider),
        endpoint_url=stage.url,
        client_kwargs={"region_name": "cn-hangzhou"},
        config_kwargs=CONFIG,
        skip_instance_cache=True,
    )


def test_files_are_written_and_read_over_rotations(stage: Stage) -> None:
    filesystem = filesystem_of(stage)

    def call() -> None:
        filesystem.pipe_file("bkt/key", b"body")
        assert filesystem.cat_file("bkt/key") == b"body"

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    filesystem = filesystem_of(stage)
    filesystem.pipe_file("bkt/key", b"body")
    stage.expire()

    assert retry_on_rejected(stage.provider)(filesystem.cat_file)("bkt/key") == b"body"


def test_a_file_system_is_used_in_another_process(stage: Stage) -> None:
    filesystem = filesystem_of(stage, EcsRamRoleProvider(endpoint=stage.url))
    filesystem.pipe_file("bkt/key", b"body")

    assert used_elsewhere(filesystem, "print(value.cat_file('bkt/key').decode())") == "body"
