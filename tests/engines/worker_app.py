"""A web application whose requests work over two rotations: WSGI for gunicorn, ASGI for uvicorn."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import work

from ramrole_creds import EcsRamRoleProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

URL = os.environ["CLOUD_URL"]
provider = EcsRamRoleProvider(endpoint=os.environ["METADATA_URL"])
if os.environ.get("WARM"):
    provider.get_credentials()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """WSGI."""
    if environ["PATH_INFO"] == "/process":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
    body = json.dumps(work.work(provider, URL)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], _: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """ASGI."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/process":
        body = str(os.getpid()).encode()
    else:
        await provider.get_credentials_async()
        body = json.dumps(await asyncio.to_thread(work.work, provider, URL)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
