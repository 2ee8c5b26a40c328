"""gevent's pool of native threads, each of which has a hub of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

PROGRAM = """
from gevent import get_hub, monkey
monkey.patch_all()
import os
import time
import gevent
from ramrole_creds import Credentials, FunctionProvider, WaitTimeout

def mint():
    time.sleep(0.2)
    return Credentials("LTAIkey", "secret")

pool = get_hub().threadpool
provider = FunctionProvider(mint)
greenlets = [gevent.spawn(provider.get_credentials) for _ in range(3)]
asked = [pool.spawn(provider.get_credentials) for _ in range(3)]
found = {one.get(timeout=20) for one in (*greenlets, *asked)}
assert len(found) == provider.status().fetches == 1, found
try:
    pool.apply(FunctionProvider(mint).get_credentials, kwds={"timeout": 0.05})
except WaitTimeout:
    print("typed", flush=True)
os._exit(0)  # the teardown of native hubs is not what this is about
"""


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent has no build for this interpreter")
def test_a_native_thread_of_gevent_shares_the_fetch_and_gets_typed_errors() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "typed"), done.stderr
