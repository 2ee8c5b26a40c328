"""Programs that schedule in another manner: gevent's patched threads, trio and anyio."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap

import pytest

PREFACE = """
import threading, time
from datetime import datetime, timedelta, timezone
fetched = []
def mint():
    fetched.append(1)
    time.sleep(0.05)
    ends = datetime.now(timezone.utc) + timedelta(seconds=1.0)
    return Credentials(f"STS.NT{len(fetched):012d}", "secret", "token", ends)
"""
IMPORT = "from ramrole_creds import Credentials, FunctionProvider, ConfigurationError\n"
PATCH = "from gevent import monkey; monkey.patch_all()\nimport gevent\n"


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent has no build for this interpreter")
@pytest.mark.parametrize("order", [PATCH + IMPORT, IMPORT + "import ramrole_creds.providers.function\n" + PATCH])
def test_greenlets_share_one_fetch_and_a_background_refresh(order: str) -> None:
    program = """
ticks = []
def slow():
    while len(ticks) < 5:  # the fetch ends only where the hub goes on meanwhile
        time.sleep(0.005)
    return mint()
provider = FunctionProvider(slow)
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.005)
ticker = gevent.spawn(tick)
callers = [gevent.spawn(provider.get_credentials) for _ in range(100)]
gevent.joinall(callers, timeout=20)
assert len(fetched) == 1, fetched
assert len({caller.value for caller in callers}) == 1
end = time.monotonic() + 20
while provider.status().generation < 3 and time.monotonic() < end:
    gevent.sleep(0.01)
print(provider.status().generation >= 3)
"""
    assert run(order + PREFACE + program) == "True"


def test_under_trio_the_synchronous_method_works_on_a_thread_and_the_error_says_so() -> None:
    program = """
import trio
provider = FunctionProvider(mint)
async def main():
    try:
        await provider.get_credentials_async()
    except ConfigurationError as error:
        assert "trio.to_thread.run_sync(provider.get_credentials)" in str(error)
    print((await trio.to_thread.run_sync(provider.get_credentials)).access_key_id)
trio.run(main)
"""
    assert run(IMPORT + PREFACE + program) == "STS.NT000000000001"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_under_anyio_the_synchronous_method_works_on_a_thread_whatever_is_below(backend: str) -> None:
    """A hundred tasks share one fetch, one that is cancelled takes nobody along, and the loop goes on meanwhile."""
    program = """
import anyio, anyio.to_thread
ticks = []
def slow():
    while len(ticks) < 5:  # the fetch ends only where the loop goes on meanwhile
        time.sleep(0.005)
    fetched.append(1)
    ends = datetime.now(timezone.utc) + timedelta(hours=6)
    return Credentials(f"STS.NT{len(fetched):012d}", "secret", "token", ends)
provider = FunctionProvider(slow)
got = []
async def ask():
    got.append(await anyio.to_thread.run_sync(provider.get_credentials, abandon_on_cancel=True))
async def main():
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask)
        with anyio.move_on_after(0.01) as impatient:
            await ask()
        assert impatient.cancelled_caught
        for _ in range(5):
            await anyio.sleep(0.001)
            ticks.append(1)
anyio.run(main, backend=BACKEND)
print(len(got), len(set(got)), len(fetched))
"""
    assert run(f"BACKEND = {backend!r}\n" + IMPORT + PREFACE + program) == "100 1 1"


def test_anyio_on_asyncio_may_await_the_coroutine_itself() -> None:
    program = """
import anyio
provider = FunctionProvider(mint)
async def main():
    print((await provider.get_credentials_async()).access_key_id)
anyio.run(main, backend="asyncio")
"""
    assert run(IMPORT + PREFACE + program) == "STS.NT000000000001"
