"""pyarrow knows static keys only; a handle makes a new file system when the credentials are new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.integrations.refreshing_client import pyarrow_filesystem
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage


@pytest.fixture(autouse=True)
def _plain_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """OSS does not take the checksums that the AWS library appends to a body of late."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")


def filesystem_of(stage: Stage) -> Any:
    return pyarrow_filesystem(
        stage.provider, endpoint_override=stage.address, scheme="http", region="cn-hangzhou",
        force_virtual_addressing=False,
    )  # fmt: skip


def write(filesystem: Any) -> None:
    with filesystem().open_output_stream("bkt/key") as stream:
        stream.write(b"body")


def read(filesystem: Any) -> bytes:
    with filesystem().open_input_stream("bkt/key") as stream:
        content: bytes = stream.read()
        return content


def test_objects_are_written_and_read_over_rotations(stage: Stage) -> None:
    filesystem = filesystem_of(stage)

    def call() -> None:
        write(filesystem)
        assert read(filesystem) == b"body"

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    filesystem = filesystem_of(stage)
    write(filesystem)
    stage.expire()

    with pytest.raises(OSError, match="ACCESS_DENIED"):
        read(filesystem)
    assert retry_on_rejected(stage.provider)(read)(filesystem) == b"body"
