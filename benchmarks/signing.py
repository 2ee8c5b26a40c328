"""What a signature costs, beside the official signers and beside the bare hash calls on the same bytes.

    python benchmarks/signing.py            # prints the table, exits with 1 where a bar is missed
    python benchmarks/signing.py --json     # the same as JSON

One request for each scheme, prepared once for each side. Ours is a whole `Signer.sign` with a cached provider: date,
nonce, body hash, headers and signature, a new request each time. The official signer gets the headers that its own
client would set, so it has less to do. Times are processor time, the best of many rounds. The two sides take turns, so
that other load on the machine affects both.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import math
import sys
import threading
import time
import timeit
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 60
CALLS = 300
TOKEN = "CAIS" + "FAKETOKEN" * 58
KEYS = Credentials("STS.NTFAKEabcdefghijklmnopqrst", "FAKESECRET" + "s" * 34, TOKEN)
HOST = "examplebucket.oss-cn-hangzhou.aliyuncs.com"
OSS_HEADERS = {"Content-Type": "text/plain", "x-oss-meta-a": "1", "x-oss-meta-b": "2"}
MEAN_OF = ("ACS3", "RPC", "OSSV1", "OSSV4")
BARS = {"geometric mean": 0.5, "ACS3": 0.9, "RPC": 0.3, "OSSV1": 0.6, "OSSV4": 0.6}
THREADS = 8


class Cached:
    """A provider with cached credentials."""

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        return KEYS


@dataclass
class Row:
    """One line of the table, in microseconds."""

    scheme: str
    ours: float
    official: float
    bare_hash: float
    signer: str

    @property
    def ratio(self) -> float:
        return self.ours / self.official


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [measure(name, options.rounds) for name in CASES]
    ratios = {row.scheme: row.ratio for row in rows}
    ratios["geometric mean"] = math.exp(sum(math.log(ratios[name]) for name in MEAN_OF) / len(MEAN_OF))
    one, many = threaded()
    missed = [f"{name}: {ratios[name]:.2f} > {bar}" for name, bar in BARS.items() if ratios[name] > bar]
    if options.json:
        print(json.dumps({"rows": [asdict(r) for r in rows], "ratios": ratios, "threads": {"one": one, "many": many}}))
    else:
        show(rows)
        print(f"geometric mean of {', '.join(MEAN_OF)}: {ratios['geometric mean']:.2f}")
        print(f"{THREADS} threads: {one:.0f} signatures/s on one signer, {many:.0f} on {THREADS} ({one / many:.2f})")
        print("every bar is met" if not missed else f"bars missed: {'; '.join(missed)}")
    return 1 if missed else 0


def show(rows: list[Row]) -> None:
    """Print the table."""
    print(f"{'scheme':<8} {'ours µs':>9} {'official µs':>12} {'ratio':>6} {'bare hash µs':>13}  official signer")
    for row in rows:
        times = f"{row.ours:9.1f} {row.official:12.1f} {row.ratio:6.2f} {row.bare_hash:13.1f}"
        print(f"{row.scheme:<8} {times}  {row.signer}")


def measure(name: str, rounds: int) -> Row:
    """Time one scheme and its official signer, in turns."""
    scheme, request, make_official = CASES[name]
    signer = signing.Signer(Cached(), scheme)
    signed = signer.sign(request)
    official, label = make_official(signed)
    bare = bare_hash(scheme, signed)
    best = {"ours": math.inf, "official": math.inf, "bare": math.inf}
    runs = {"ours": lambda: signer.sign(request), "official": official, "bare": bare}
    for _ in range(rounds):
        for side, run in runs.items():
            spent = timeit.timeit(run, number=CALLS, timer=time.process_time) / CALLS * 1e6
            best[side] = min(best[side], spent)
    return Row(name, best["ours"], best["official"], best["bare"], label)


def bare_hash(scheme: signing.Scheme, signed: signing.Request) -> Callable[[], object]:
    """Only the hashes that the scheme needs, of the bytes that it hashes."""
    key = KEYS.access_key_secret.encode()
    string = scheme.string_to_sign(signed).encode()
    canonical = getattr(scheme, "canonical_request", None)
    if canonical is None:
        return lambda: hmac.digest(key, string, "sha1")
    text, body = canonical(signed).encode(), signed.body if isinstance(signed.body, bytes) else b""
    hashes_body = scheme.covers_body

    def run() -> None:
        if hashes_body:
            hashlib.sha256(body).hexdigest()
        hashlib.sha256(text).hexdigest()
        hmac.digest(key, string, "sha256")

    return run


def threaded() -> tuple[float, float]:
    """Signatures per second of several threads: all on one signer, and each on its own; the best of several turns."""
    common = signing.Signer(Cached(), signing.OSSV4("cn-hangzhou"))
    best = {True: 0.0, False: 0.0}
    for _ in range(8):
        for shared in (True, False):
            own = [signing.Signer(Cached(), signing.OSSV4("cn-hangzhou")) for _ in range(THREADS)]
            best[shared] = max(best[shared], rate([common] * THREADS if shared else own))
    return best[True], best[False]


def rate(signers: list[signing.Signer]) -> float:
    """Signatures per second, one thread for each signer."""
    _, request, _ = CASES["OSSV4"]
    start = threading.Barrier(len(signers) + 1)

    def work(signer: signing.Signer) -> None:
        start.wait()
        for _ in range(500):
            signer.sign(request)

    threads = [threading.Thread(target=work, args=(signer,)) for signer in signers]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(signers) * 500 / (time.perf_counter() - began)


def official_acs3(signed: signing.Request) -> tuple[Callable[[], object], str]:
    """`Utils.get_authorization` alone: it gets headers, nonce and body hash."""
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

    request: Any = DaraRequest()
    request.method, request.pathname, request.query = "POST", "/", {"RegionId": "cn-hangzhou", "PageSize": "10"}
    request.headers = {name.lower(): value for name, value in signed.headers if name != "Authorization"}
    payload = request.headers["x-acs-content-sha256"]
    key_id, secret = KEYS.access_key_id, KEYS.access_key_secret
    return (
        lambda: Utils.get_authorization(request, "ACS3-HMAC-SHA256", payload, key_id, secret)
    ), "alibabacloud_tea_openapi Utils.get_authorization"


def official_rpc(_: signing.Request) -> tuple[Callable[[], object], str]:
    """`get_signed_url`, which sets date and nonce itself."""
    from aliyunsdkcore.auth.algorithm import sha_hmac1
    from aliyunsdkcore.auth.composer.rpc_signature_composer import get_signed_url

    params = {**RPC_PARAMS, "SecurityToken": TOKEN}
    key_id, secret = KEYS.access_key_id, KEYS.access_key_secret
    return (
        lambda: get_signed_url(dict(params), key_id, secret, "JSON", "GET", {}, sha_hmac1)
    ), "aliyunsdkcore get_signed_url"


def official_oss(version: str) -> Callable[[signing.Request], tuple[Callable[[], object], str]]:
    """`StsAuth._sign_request`, which sets date and token itself."""

    def make(_: signing.Request) -> tuple[Callable[[], object], str]:
        import oss2

        auth = oss2.StsAuth(KEYS.access_key_id, KEYS.access_key_secret, TOKEN, auth_version=version)
        request = oss2.http.Request(
            "PUT", f"https://{HOST}/dir/object.txt", data=b"hello", params={"acl": ""}, headers=dict(OSS_HEADERS),
            region="cn-hangzhou", product="oss", cloudbox_id=None,
        )  # fmt: skip
        sign = auth._sign_request  # noqa: SLF001  # the part of the client that signs
        return (lambda: sign(request, "examplebucket", "dir/object.txt")), f"oss2 StsAuth {version}"

    return make


def official_sigv4(signed: signing.Request) -> tuple[Callable[[], object], str]:
    """`S3SigV4Auth.add_auth`; the request is signed again and again, as botocore does on a retry."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as AwsCredentials

    auth = S3SigV4Auth(AwsCredentials(KEYS.access_key_id, KEYS.access_key_secret, TOKEN), "s3", "oss-cn-hangzhou")
    headers = {"Content-Type": "text/plain", "x-amz-meta-a": "1"}
    request = AWSRequest("PUT", signed.url, headers, b"hello")
    return (lambda: auth.add_auth(request)), "botocore S3SigV4Auth"


def official_sls(_: signing.Request) -> tuple[Callable[[], object], str]:
    """`AuthV4.sign_request`."""
    from aliyun.log.auth import make_auth

    auth = make_auth(Cached(), "v4", "cn-hangzhou")
    headers = {"Host": "p.cn-hangzhou.log.aliyuncs.com", "x-log-apiversion": "0.6.0", "x-log-bodyrawsize": "5"}
    return (
        lambda: auth.sign_request("POST", "/logstores/x/shards/lb", {}, dict(headers), b"hello")
    ), "aliyun.log AuthV4"


RPC_PARAMS = {"Action": "DescribeRegions", "Version": "2014-05-26", "RegionId": "cn-hangzhou", "Name": "a b/c"}
_OSS_REQUEST = signing.Request("PUT", f"https://{HOST}/dir/object.txt", OSS_HEADERS, {"acl": ""}, b"hello")
CASES: dict[str, tuple[signing.Scheme, signing.Request, Any]] = {
    "ACS3": (
        signing.ACS3(("user-agent", "accept")),
        signing.Request(
            "POST",
            "https://ecs.cn-hangzhou.aliyuncs.com/",
            {
                "host": "ecs.cn-hangzhou.aliyuncs.com",
                "x-acs-action": "DescribeRegions",
                "x-acs-version": "2014-05-26",
                "content-type": "application/json; charset=utf-8",
                "user-agent": "benchmark",
                "accept": "application/json",
            },
            {"RegionId": "cn-hangzhou", "PageSize": "10"},
            b'{"a":1}',
        ),
        official_acs3,
    ),
    "RPC": (signing.RPC(), signing.Request("GET", "https://ecs.aliyuncs.com/", params=RPC_PARAMS), official_rpc),
    "OSSV1": (signing.OSSV1("examplebucket"), _OSS_REQUEST, official_oss("v1")),
    "OSSV4": (signing.OSSV4("cn-hangzhou", "examplebucket"), _OSS_REQUEST, official_oss("v4")),
    "SigV4": (
        signing.SigV4("oss-cn-hangzhou"),
        signing.Request(
            "PUT",
            "https://examplebucket.s3.oss-cn-hangzhou.aliyuncs.com/dir/object.txt?acl=",
            {"Content-Type": "text/plain", "x-amz-meta-a": "1"},
            (),
            b"hello",
        ),
        official_sigv4,
    ),
    "SLSV4": (
        signing.SLSV4("cn-hangzhou"),
        signing.Request("POST", "https://p.cn-hangzhou.log.aliyuncs.com/logstores/x/shards/lb", body=b"hello"),
        official_sls,
    ),
}


if __name__ == "__main__":
    sys.exit(main())
