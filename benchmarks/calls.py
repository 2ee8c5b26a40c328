"""What a whole signed call costs: GetCallerIdentity through each HTTP client and each official SDK.

    python benchmarks/calls.py            # prints the tables, exits with 1 where a bar is missed
    python benchmarks/calls.py --json     # the same as JSON

The fake cloud runs in another process, so that only the client's share of the processor counts. Each HTTP client sends
two kinds of calls in turns: requests that were signed beforehand (the bare client), and requests that its helper of
`ramrole_creds.integrations` signs. The difference is the cost of the helper: its auth flow and the signature. Times are
the best of many rounds, in microseconds of processor time per call; `elapsed` is real time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import os
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ramrole_creds import EcsRamRoleProvider, Signer, signing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ramrole_creds.signing import Request

ROUNDS = 200  # short ones, so that on a busy machine some are not interrupted
CALLS = 6
MAX_HELPER_MICROSECONDS = 60.0
HEADERS = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01", "Accept": "application/json"}
OFFICIAL = "tea-openapi"
LOOP = asyncio.new_event_loop()


@dataclass
class Row:
    """One client, in microseconds per call."""

    client: str
    signed: float
    elapsed: float
    bare: float | None = None
    signature: float | None = None

    @property
    def helper(self) -> float | None:
        """What the helper adds to the bare client, the signature included."""
        return None if self.bare is None else self.signed - self.bare


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with cloud() as url, EcsRamRoleProvider(endpoint=url) as provider:
        signer = Signer(provider, signing.ACS3())
        cost = signature_cost(signer, url, options.rounds)
        rows = []
        for name, make in HTTP_CLIENTS.items():
            rows.append(measure(name, make(signer, url), signer, url, options.rounds))
            rows[-1].signature = cost
        for name, make_sdk in SDKS.items():
            with contextlib.suppress(ImportError):
                rows.append(measure_sdk(name, make_sdk(provider, url), options.rounds))
    missed = [
        f"{row.client}: {row.helper:.0f} > {MAX_HELPER_MICROSECONDS:.0f}"
        for row in rows
        if row.helper is not None and row.helper > MAX_HELPER_MICROSECONDS
    ]
    if options.json:
        print(json.dumps({"rows": [asdict(row) | {"helper": row.helper} for row in rows], "missed": missed}))
    else:
        print_table(rows, missed)
    return 1 if missed else 0


def print_table(rows: list[Row], missed: list[str]) -> None:
    """One line per client; ratios are to the official client in the same run."""
    official = next((row.signed for row in rows if row.client == OFFICIAL), None)
    print(f"{'client':<14}{'signed':>8}{'bare':>8}{'helper':>8}{'of it the signature':>21}{'elapsed':>9}{'ratio':>7}")
    for row in rows:
        bare = "" if row.bare is None else f"{row.bare:.0f}"
        helper = "" if row.helper is None else f"{row.helper:.0f}"
        signature = "" if row.signature is None else f"{row.signature:.0f}"
        ratio = "" if official is None else f"{row.signed / official:.2f}"
        print(f"{row.client:<14}{row.signed:8.0f}{bare:>8}{helper:>8}{signature:>21}{row.elapsed:9.0f}{ratio:>7}")
    print(f"ratio: processor time in proportion to {OFFICIAL}, the official client")
    print("every bar is met" if not missed else f"bars missed: {'; '.join(missed)}")


@contextlib.contextmanager
def cloud() -> Iterator[str]:
    """A fake cloud in another process."""
    program = "from ramrole_creds.testing.server.standalone import serve; serve()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def request_to(url: str) -> Request:
    """The call."""
    return signing.Request("POST", url + "/", HEADERS, body=b"")


def require(status: int, answer: object) -> None:
    """Stop where a call failed: its time would mean nothing."""
    if status != 200:
        raise SystemExit(f"The fake cloud answered {status}: {answer!r}")


def unsigned() -> list[Request | None]:
    """Stands for calls that the helper signs."""
    return [None] * CALLS


def signature_cost(signer: Signer, url: str, rounds: int) -> float:
    """Microseconds of one `Signer.sign`, and of the request that it signs."""
    best = math.inf
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(CALLS * 5):
            signer.sign(request_to(url))
        best = min(best, (time.process_time() - started) / (CALLS * 5))
    return best * 1e6


def measure(name: str, run: Callable[[Sequence[Request] | None], None], signer: Signer, url: str, rounds: int) -> Row:
    """Time one HTTP client, with its helper and without, in turns."""
    best = {"signed": math.inf, "bare": math.inf, "elapsed": math.inf}
    run(None)
    for index in range(rounds):
        prepared = [signer.sign(request_to(url)) for _ in range(CALLS)]
        # In turns, so that neither always finds the caches of the processor as the other one left them.
        for kind in ("signed", "bare") if index % 2 else ("bare", "signed"):
            started, real = time.process_time(), time.perf_counter()
            run(prepared if kind == "bare" else None)
            best[kind] = min(best[kind], (time.process_time() - started) / CALLS)
            if kind == "signed":
                best["elapsed"] = min(best["elapsed"], (time.perf_counter() - real) / CALLS)
    micro = {key: seconds * 1e6 for key, seconds in best.items()}
    return Row(name, micro["signed"], micro["elapsed"], micro["bare"])


def measure_sdk(name: str, call: Callable[[], object], rounds: int) -> Row:
    """Time one SDK."""
    signed = elapsed = math.inf
    call()
    for _ in range(rounds):
        started, real = time.process_time(), time.perf_counter()
        for _ in range(CALLS):
            call()
        signed = min(signed, (time.process_time() - started) / CALLS)
        elapsed = min(elapsed, (time.perf_counter() - real) / CALLS)
    return Row(name, signed * 1e6, elapsed * 1e6)


def with_requests(signer: Signer, url: str) -> Callable[[Sequence[Request] | None], None]:
    """Calls through one session of requests."""
    import requests

    from ramrole_creds.integrations.requests import RequestsAuth

    session, auth = requests.Session(), RequestsAuth(signer)
    session.trust_env = False

    def run(prepared: Sequence[Request] | None) -> None:
        for each in prepared or unsigned():
            answer = (
                session.post(url + "/", b"", headers=HEADERS, auth=auth)
                if each is None
                else session.post(each.url, b"", headers=dict(each.headers))
            )
            require(answer.status_code, answer.text)

    return run


def with_httpx(signer: Signer, url: str) -> Callable[[Sequence[Request] | None], None]:
    """Calls through one client of httpx."""
    import httpx

    from ramrole_creds.integrations.httpx import HttpxAuth

    client, auth = httpx.Client(trust_env=False), HttpxAuth(signer)

    def run(prepared: Sequence[Request] | None) -> None:
        for each in prepared or unsigned():
            answer = (
                client.post(url + "/", content=b"", headers=HEADERS, auth=auth)
                if each is None
                else client.post(each.url, content=b"", headers=list(each.headers))
            )
            require(answer.status_code, answer.text)

    return run


def with_httpx_async(signer: Signer, url: str) -> Callable[[Sequence[Request] | None], None]:
    """Calls through an asynchronous client of httpx, one after the other."""
    import httpx

    from ramrole_creds.integrations.httpx import HttpxAuth

    auth, client = HttpxAuth(signer), httpx.AsyncClient(trust_env=False)

    async def send(prepared: Sequence[Request] | None) -> None:
        for each in prepared or unsigned():
            answer = await (
                client.post(url + "/", content=b"", headers=HEADERS, auth=auth)
                if each is None
                else client.post(each.url, content=b"", headers=list(each.headers))
            )
            require(answer.status_code, answer.text)

    return lambda prepared: LOOP.run_until_complete(send(prepared))


def with_aiohttp(signer: Signer, url: str) -> Callable[[Sequence[Request] | None], None]:
    """Calls through one session of aiohttp, one after the other."""
    import aiohttp

    from ramrole_creds.integrations.aiohttp import AiohttpAuth

    middlewares = (AiohttpAuth(signer),)

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = LOOP.run_until_complete(make())

    async def send(prepared: Sequence[Request] | None) -> None:
        for each in prepared or unsigned():
            async with (
                session.post(url + "/", data=b"", headers=HEADERS, middlewares=middlewares)
                if each is None
                else session.post(each.url, data=b"", headers=list(each.headers))
            ) as answer:
                require(answer.status, await answer.text())

    return lambda prepared: LOOP.run_until_complete(send(prepared))


def with_urllib3(signer: Signer, url: str) -> Callable[[Sequence[Request] | None], None]:
    """Calls through one pool of urllib3."""
    import urllib3

    from ramrole_creds.integrations.urllib3 import SigningPool

    pool = urllib3.PoolManager()
    signing_pool = SigningPool(signer, pool)

    def run(prepared: Sequence[Request] | None) -> None:
        for each in prepared or unsigned():
            answer = (
                signing_pool.request("POST", url + "/", b"", HEADERS)
                if each is None
                else pool.request("POST", each.url, body=b"", headers=dict(each.headers))
            )
            require(answer.status, answer.data)

    return run


def with_tea_openapi(provider: EcsRamRoleProvider, url: str) -> Callable[[], object]:
    """Calls through the official client."""
    from alibabacloud_sts20150401.client import Client
    from alibabacloud_tea_openapi.models import Config

    address = url.removeprefix("http://")
    client: Any = Client(Config(credential=provider, endpoint=address, protocol="http"))
    call: Callable[[], object] = client.get_caller_identity
    return call


def with_acs_client(provider: EcsRamRoleProvider, url: str) -> Callable[[], object]:
    """Calls through the older official client."""
    from aliyunsdkcore.request import RpcRequest

    from ramrole_creds.integrations.acs_client import acs_client

    client = acs_client(provider)

    def call() -> object:
        request: Any = RpcRequest("Sts", "2015-04-01", "GetCallerIdentity")
        request.set_endpoint(url.removeprefix("http://"))
        request.set_protocol_type("http")
        return client.do_action_with_exception(request)

    return call


HTTP_CLIENTS: dict[str, Callable[[Signer, str], Callable[[Sequence[Request] | None], None]]] = {
    "urllib3": with_urllib3,
    "requests": with_requests,
    "httpx": with_httpx,
    "httpx-async": with_httpx_async,
    "aiohttp": with_aiohttp,
}
SDKS: dict[str, Callable[[EcsRamRoleProvider, str], Callable[[], object]]] = {
    OFFICIAL: with_tea_openapi,
    "acs-client": with_acs_client,
}

if __name__ == "__main__":
    sys.exit(main())
