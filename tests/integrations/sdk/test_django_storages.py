"""django-storages makes a session, here one that asks a provider for each signature."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from django.conf import settings

if not settings.configured:
    settings.configure()

from django.core.files.base import ContentFile

from ramrole_creds import ConfigurationError, EcsRamRoleProvider
from ramrole_creds.integrations.django_storages import RamRoleStorage
from ramrole_creds.integrations.retry import retry_on_rejected
from tests.integrations.sdk.conftest import used_elsewhere

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


def storage_of(stage: Stage, provider: Any, **settings: Any) -> RamRoleStorage:
    return RamRoleStorage(
        provider, bucket_name="bkt", endpoint_url=stage.url, region_name="cn-hangzhou", client_config=CONFIG,
        file_overwrite=True, **settings,
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


def test_a_storage_is_used_in_another_process(stage: Stage) -> None:
    settings = TransferConfig(multipart_threshold=5_000_000)
    storage = storage_of(stage, EcsRamRoleProvider(endpoint=stage.url), transfer_config=settings)
    write(storage)

    assert pickle.loads(pickle.dumps(storage)).exists("key")
    assert copy.deepcopy(storage).exists("key")
    code = """
    from django.conf import settings
    settings.configure()
    from django.core.files.base import ContentFile
    value.save("other", ContentFile(b"written elsewhere"))
    print(value.open("key").read().decode(), value.transfer_config.multipart_threshold)
    """
    assert used_elsewhere(storage, code) == "body 5000000"
    assert storage.open("other").read() == b"written elsewhere"


def test_keys_beside_a_provider_are_refused(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="secret_key") as raised:
        RamRoleStorage(stage.provider, secret_key="s3cr")
    assert "s3cr" not in str(raised.value)
