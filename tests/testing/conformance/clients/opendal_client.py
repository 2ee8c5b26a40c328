"""Adapter of OpenDAL, whose credentials only show in what it signs."""

import asyncio
import json
import os
import sys

import opendal

store = opendal.AsyncOperator("oss", bucket="bucket", endpoint=os.environ["CONFORMANCE_METADATA_ENDPOINT"])


async def serve() -> None:
    for _ in sys.stdin:
        try:
            answer = {"signed_url": (await store.presign_read("key", 3)).url}
        except Exception as error:  # noqa: BLE001  # it raises errors of many kinds
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)  # noqa: T201  # the protocol


asyncio.run(serve())
