"""Which bucket and object an OSS URL means, in the three ways of addressing.

- virtual-hosted: `https://bucket.oss-cn-hangzhou.aliyuncs.com/key`;
- path style: `http://127.0.0.1:8080/bucket/key`, for IP addresses and local names;
- a domain of one's own (CNAME): `https://img.example.com/key`, where the bucket must be named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ramrole_creds.errors import SigningError

if TYPE_CHECKING:
    from ramrole_creds.signing.request import Request

_virtual_hosted = re.compile(
    r"(?:([a-z0-9][a-z0-9-]*)\.)?(?:s3\.)?"
    r"(?:oss-[a-z0-9-]+|[a-z0-9-]+\.oss(?:-[a-z0-9-]+)?|cb-[a-z0-9-]+\.[a-z0-9-]+\.oss-cloudbox(?:-[a-z]+)?)"
    r"\.aliyuncs\.com(?::[0-9]+)?"
).fullmatch
_is_local = re.compile(
    r"(?:[0-9.]+|\[[0-9a-f:.]+\]|[^.:]+|.*\.(?:local|localhost|internal|test))(?::[0-9]+)?"
).fullmatch
_is_bucket = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]").fullmatch


def checked_bucket(bucket: str | None) -> str | None:
    """A bucket's name as it was given.

    Raises:
        SigningError: no bucket can have that name.
    """
    if bucket is not None and not _is_bucket(bucket):
        raise SigningError(f"{bucket!r} is not the name of a bucket: 3 to 63 of a-z, 0-9 and '-', without its region.")
    return bucket


def bucket_path(request: Request, bucket: str | None) -> str:
    """`/bucket/key` as it is written in the URL, encoded; `/` for the service itself.

    Args:
        request: what is sent.
        bucket: the bucket's name, or None to read it from a virtual-hosted or path-style URL.
    """
    path = request.path
    match = _virtual_hosted(request.host)
    if match is not None and match.group(1) is not None:
        return f"/{bucket or match.group(1)}{path}"
    if bucket is None:
        return f"{path}/" if path.count("/") == 1 and len(path) > 1 else path
    if request.host.startswith(f"{bucket}."):
        return f"/{bucket}{path}"
    if match is not None or _is_local(request.host):
        if path == f"/{bucket}":
            return f"/{bucket}/"
        if path.startswith(f"/{bucket}/"):
            return path
    return f"/{bucket}{path}"
