"""django-storages makes a session, here one that asks a provider for each signature."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from django.conf import settings

if not settings.configured:
    settings.configure()

from django.core.files.base import ContentFile

from ramrole_creds import ConfigurationError, EcsRamRoleProvider
from ramrole_creds.integrations.django_storages import RamRoleStorage
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


def storage_of(stage: Stage, provider: Any) -> RamRoleStorage:
    return RamRoleStorage(
        provider, bucket_name="bkt", endpoint_url=stage.url, region_name="cn-hangzhou", client_config=CONFIG,
        file_overwrite=True,
    )  # fmt: skip


def write(storage: Any) -> None:
    storage.save("key", ContentFile(b"body"))


def read(storage: Any) -> bytes:
    with storage.open("key") as file:
        content: bytes = file.read()
        return content


def test_files_are_written_and_read_over_rotations(stage: Stage) -> None:
    storage = storage_of(stage, stage.provider)

    def call() -> None:
        write(storage)
        assert read(storage) == b"body"

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    storage = storage_of(stage, stage.provider)
    write(storage)
    stage.expire()

    assert retry_on_rejected(stage.provider)(read)(storage) == b"body"


def test_settings_name_the_provider_by_its_url(stage: Stage) -> None:
    storage = storage_of(stage, f"ecs-ram-role://web?endpoint={stage.url}")
    write(storage)
    assert read(storage) == b"body"


def test_a_pickled_storage_has_no_secret(stage: Stage) -> None:
    storage = storage_of(stage, EcsRamRoleProvider(endpoint=stage.url))
    write(storage)

    pickled = pickle.dumps(storage)

    assert leaked_marker(pickled.decode("latin-1")) is None
    assert pickle.loads(pickled).exists("key")


def test_keys_beside_a_provider_are_refused(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="secret_key") as raised:
        RamRoleStorage(stage.provider, secret_key="s3cr")
    assert "s3cr" not in str(raised.value)
