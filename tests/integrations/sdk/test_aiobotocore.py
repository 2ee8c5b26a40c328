"""aiobotocore against the S3-compatible endpoint of OSS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.integrations.botocore import aiobotocore_session
from ramrole_creds.integrations.retry import retry_on_rejected
from tests.integrations.sdk.conftest import used_elsewhere

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CONFIG = AioConfig(
    s3={"addressing_style": "path"}, signature_version="s3v4", request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)  # fmt: skip


async def test_objects_are_written_and_read_over_rotations_and_refusals(stage: Stage) -> None:
    session = aiobotocore_session(stage.provider)
    async with session.create_client(
        "s3", endpoint_url=stage.url, region_name="cn-hangzhou", config=CONFIG
    ) as client:  # fmt: skip
        for _ in range(3):
            await client.put_object(Bucket="bkt", Key="key", Body=b"body")
            answer = await client.get_object(Bucket="bkt", Key="key")
            assert await answer["Body"].read() == b"body"
            await asyncio.to_thread(stage.rotate)
        assert len(set(stage.accepted("s3"))) == 3
        assert not stage.refused("s3")

        await asyncio.to_thread(stage.expire)
        with pytest.raises(ClientError):
            await client.get_object(Bucket="bkt", Key="key")
        await retry_on_rejected(stage.provider)(client.get_object)(Bucket="bkt", Key="key")


def test_a_session_is_used_in_another_process(stage: Stage) -> None:
    code = f"""
    import asyncio
    from aiobotocore.config import AioConfig
    async def main():
        config = AioConfig(s3={{"addressing_style": "path"}}, signature_version="s3v4")
        making = value.create_client("s3", endpoint_url="{stage.url}", region_name="cn-hangzhou", config=config)
        async with making as client:
            print((await client.list_objects_v2(Bucket="bkt"))["KeyCount"])
    asyncio.run(main())
    """
    assert used_elsewhere(aiobotocore_session(EcsRamRoleProvider(endpoint=stage.url)), code) == "0"
