"""A signed request in which one thing was changed on the way is refused, in the words of its service."""

from __future__ import annotations

import re

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.testing import verify
from ramrole_creds.testing.account.credential_store import Identity, IssuedCredentials
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.verify import VERIFIERS

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
KEY = ("STS.NTFAKE", "secret", "CAIS+with/all=chars==")
OSS = "http://my-bucket.oss-cn-hangzhou.aliyuncs.com/key"
S3 = "http://my-bucket.s3.oss-cn-hangzhou.aliyuncs.com/key"
FC = "http://1.cn-hangzhou.fc.aliyuncs.com/2016-08-15/proxy/s/f/"
MNS = "http://1.mns.cn-hangzhou.aliyuncs.com/queues"
ODPS = "http://odps.aliyun.com/api"
OTS = "http://inst.cn-hangzhou.ots.aliyuncs.com/GetRow"
SLS = "http://proj.cn-hangzhou.log.aliyuncs.com/logstores"
TRIGGER = "http://f-x.cn-hangzhou.fcapp.run/"
ECS = "http://ecs.cn-hangzhou.aliyuncs.com/"


class At:
    """A clock that stands still."""

    def time(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Book(dict[str, IssuedCredentials]):
    """The one key."""

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        return self.get(access_key_id)


BOOK = Book({KEY[0]: IssuedCredentials(*KEY, issued_at=NOW, expires_at=None, identity=Identity("arn"))})


def sent(request: signing.Request, pattern: str, instead: str) -> WireRequest:
    """The request on the wire, with one match of a pattern in its target or a header line replaced."""
    lines = [f"target: {request.path}?{request.query}".rstrip("?")]
    lines += [f"{name.lower()}: {value}" for name, value in request.headers]
    if not any(line.startswith("host: ") for line in lines):
        lines.append(f"host: {request.host}")
    text, count = re.subn(pattern, instead, "\n".join(lines), count=1, flags=re.MULTILINE)
    assert count == 1, text
    (_, target), *headers = [tuple(line.split(": ", 1)) for line in text.splitlines() if ": " in line]
    return WireRequest(request.method, target, tuple(headers), request.body or b"", NOW)  # type: ignore[arg-type]


def verdict(verifier: str, scheme: signing.Scheme, url: str, pattern: str, instead: str) -> verify.VerificationResult:
    """What the verifier says about the changed request; those with `_url` in their name are presigned."""
    signer = signing.Signer(Credentials(*KEY), scheme, clock=At())
    method = "POST" if verifier in ("ots", "rpc") else "GET"
    if verifier.endswith("_url"):
        presigned = signer.presign(signing.Request("GET", url), 60)
        request = signing.Request("GET", presigned.url, presigned.headers)
    else:
        request = signer.sign(signing.Request(method, url))
    return VERIFIERS[verifier](sent(request, pattern, instead), BOOK, NOW, verify.NonceMemory())


OSSV4, SIGV4 = signing.OSSV4("cn-hangzhou"), signing.SigV4("cn-hangzhou")
ODPSV4, OTSV4 = signing.ODPSV4(ODPS, "cn-hangzhou"), signing.OTSV4("inst", "cn-hangzhou")
NAMED = signing.OSSV4("cn-hangzhou", additional_headers=("host",))
CASES: list[tuple[str, str, signing.Scheme, str, str, str, str]] = [
    # what was done; verifier, scheme, URL; what is replaced, by what; the code
    ("oss v4: credential cut", "oss_v4", OSSV4, OSS, r"/aliyun_v4_request", "", "InvalidArgument"),
    ("oss v4: another product", "oss_v4", OSSV4, OSS, r"/oss/aliyun_v4", "/sls/aliyun_v4", "InvalidArgument"),
    ("oss v4: another day", "oss_v4", OSSV4, OSS, r"/20260101/", "/20260102/", "InvalidArgument"),
    ("oss v4: no hash", "oss_v4", OSSV4, OSS, r"^x-oss-content-sha256: .*$", "", "InvalidArgument"),
    ("oss v4: no date", "oss_v4", OSSV4, OSS, r"^x-oss-date: .*$", "", ""),
    ("oss v4: empty header list", "oss_v4", NAMED, OSS, r"AdditionalHeaders=host", "AdditionalHeaders=", ""),
    ("oss v4: absent header", "oss_v4", NAMED, OSS, r"AdditionalHeaders=host", "AdditionalHeaders=x-gone", ""),
    ("oss v4 url: date", "oss_v4_url", OSSV4, OSS, r"x-oss-date=\w+", "x-oss-date=today", "InvalidArgument"),
    ("oss v4 url: no life", "oss_v4_url", OSSV4, OSS, r"x-oss-expires=60", "x-oss-expires=0", "InvalidArgument"),
    ("oss v4 url: life in words", "oss_v4_url", OSSV4, OSS, r"x-oss-expires=60", "x-oss-expires=x", "InvalidArgument"),
    ("oss v1 url: end in words", "oss_v1_url", signing.OSSV1(), OSS, r"Expires=\d+", "Expires=x", "AccessDenied"),
    ("oss v4: another hash", "oss_v4", OSSV4, OSS, r"^x-oss-content-sha256: .*$", "x-oss-content-sha256: 0", ""),
    ("oss v4 url: not yet", "oss_v4_url", OSSV4, OSS, r"x-oss-date=20260101T", "x-oss-date=20260102T", ""),
    ("oss v2 url: end in words", "oss_v2_url", signing.OSSV2(), OSS, r"x-oss-expires=\d+", "x-oss-expires=x", ""),
    ("s3: no hash", "s3_v4", SIGV4, S3, r"^x-amz-content-sha256: .*$", "", ""),
    ("s3: credential cut", "s3_v4", SIGV4, S3, r"/aws4_request", "", "InvalidArgument"),
    ("s3: another day", "s3_v4", SIGV4, S3, r"/20260101/", "/20260102/", "InvalidArgument"),
    ("s3: date in words", "s3_v4", SIGV4, S3, r"^x-amz-date: .*$", "x-amz-date: today", "AccessDenied"),
    ("s3: host not signed", "s3_v4", SIGV4, S3, r"SignedHeaders=host;", "SignedHeaders=", "AccessDenied"),
    ("s3: header not signed", "s3_v4", SIGV4, S3, r"^x-amz-date: ", "x-amz-meta-new: 1\nx-amz-date: ", "AccessDenied"),
    ("s3: absent header", "s3_v4", SIGV4, S3, r"SignedHeaders=host;", "SignedHeaders=host;x-gone;", "InvalidArgument"),
    ("s3 url: algorithm", "s3_v4_url", SIGV4, S3, r"AWS4-HMAC-SHA256", "AWS4-HMAC-MD5", ""),
    ("s3 url: date", "s3_v4_url", SIGV4, S3, r"X-Amz-Date=\w+", "X-Amz-Date=today", ""),
    ("s3 url: life in words", "s3_v4_url", SIGV4, S3, r"X-Amz-Expires=60", "X-Amz-Expires=x", ""),
    ("s3 url: life of a month", "s3_v4_url", SIGV4, S3, r"X-Amz-Expires=60", "X-Amz-Expires=2678400", ""),
    ("s3 url: not yet", "s3_v4_url", SIGV4, S3, r"X-Amz-Date=20260101T", "X-Amz-Date=20260102T", "AccessDenied"),
    ("s3 v1 url: end in words", "s3_hmacv1_url", signing.S3V1(), S3, r"Expires=\d+", "Expires=x", "AccessDenied"),
    ("fc url: end in words", "fc_url", signing.FCV2(), FC, r"x-fc-expires=\d+", "x-fc-expires=x", ""),
    ("fc url: no key", "fc_url", signing.FCV2(), FC, r"x-fc-access-key-id=STS.NTFAKE", "x-fc-access-key-id=", ""),
    ("fc v3: no date", "fc_trigger", signing.FCV3Trigger(), TRIGGER, r"^x-acs-date: .*$", "", ""),
    ("fc v3: date not signed", "fc_trigger", signing.FCV3Trigger(), TRIGGER, r"Headers=x-acs-date;?", "Headers=", ""),
    ("fc url: over", "fc_url", signing.FCV2(), FC, r"x-fc-expires=\d+", "x-fc-expires=1", ""),
    ("acs3: header not signed", "acs3", signing.ACS3(), ECS, r"^x-acs-date: ", "x-acs-new: 1\nx-acs-date: ", ""),
    ("acs3: absent header", "acs3", signing.ACS3(), ECS, r"SignedHeaders=host;", "SignedHeaders=host;x-gone;", ""),
    ("acs3: date", "acs3", signing.ACS3(), ECS, r"^x-acs-date: .*$", "x-acs-date: today", ""),
    ("roa: another digest", "roa", signing.ROA(), ECS, r"^date: ", "content-md5: AA==\ndate: ", "ContentMD5NotMatched"),
    ("mns: no version", "mns", signing.MNS(), MNS, r"^x-mns-version: .*$", "", "MissingVersionHeader"),
    ("mns v4: credential cut", "mns_v4", signing.MNSV4("cn-hangzhou"), MNS, r"/aliyun_v4_request", "", ""),
    ("mns v4: another day", "mns_v4", signing.MNSV4("cn-hangzhou"), MNS, r"/20260101/", "/20260102/", ""),
    ("odps v4: credential cut", "odps", ODPSV4, f"{ODPS}/projects/", r"/aliyun_v4_request", "", "ODPS-0410011"),
    ("odps v4: day long ago", "odps", ODPSV4, f"{ODPS}/projects/", r"/20260101/", "/20250101/", ""),
    ("ots v4: another day", "ots", OTSV4, OTS, r"^x-ots-signdate: .*$", "x-ots-signdate: 20260102", "OTSAuthFailed"),
    ("sls: no version", "sls_v1", signing.SLSV1(), SLS, r"^x-log-apiversion: .*$", "", "MissingApiVersion"),
    ("rpc: method", "rpc", signing.RPC(), f"{ECS}?Action=A&Version=V", r"HMAC-SHA1", "HMAC-MD5", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("verifier", "scheme", "url", "pattern", "instead", "code"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_changed_request_is_refused(
    verifier: str, scheme: signing.Scheme, url: str, pattern: str, instead: str, code: str
) -> None:
    found = verdict(verifier, scheme, url, pattern, instead)
    assert isinstance(found, verify.Rejected), found
    assert found.status in (400, 401, 403)
    assert found.code == code or not code, found


def test_a_request_that_no_server_can_have_read_is_refused_too() -> None:
    """A test may hand over any text as a header; a server reads Latin-1."""
    headers = (("Host", "€.aliyuncs.com"), ("Authorization", "acs STS.NTFAKE:c2ln"), ("Date", "€"))
    verdict = VERIFIERS["roa"](WireRequest("GET", "/€", headers, b"", NOW), BOOK, NOW, verify.NonceMemory())
    assert isinstance(verdict, verify.Rejected)
