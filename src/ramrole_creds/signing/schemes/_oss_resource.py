"""Which bucket and object an OSS URL names, in the three ways of addressing.

- `virtual`: `https://bucket.oss-cn-hangzhou.aliyuncs.com/key`;
- `path`: `https://ep-1.oss.cn-hangzhou.privatelink.aliyuncs.com/bucket/key`, also IP addresses and local names;
- `cname`: `https://img.example.com/key`, where only the caller knows the bucket.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, get_args

from ramrole_creds.errors import SigningError

if TYPE_CHECKING:
    from typing import TypeAlias

    from ramrole_creds.signing.request import Request

Addressing: TypeAlias = Literal["path", "virtual", "cname"]
ADDRESSINGS: Final[tuple[str, ...]] = ("path", "virtual", "cname")

# The host names of the service, without a bucket, from its documentation of endpoints. Each ends with .aliyuncs.com.
# docs/signing.md has the same table for readers.
_ENDPOINTS = (
    # A region, its -internal form, accelerate, accelerate-overseas, finance, gov; not the product names below.
    r"oss-(?!(?:accesspoint|cloudbox|data-acc|dls|object-process|tables|vectors)\.)[a-z0-9-]+",
    r"vpc100-oss-[a-z0-9-]+",  # the older internal form in a VPC
    r"oss(?:-internal)?",  # the oldest names
    r"(?:cn|ap|us|eu|me|na|sa|af|ca|rus)-[a-z0-9-]+\.oss",  # dual stack (IPv4 and IPv6)
    r"s3\.oss-[a-z0-9-]+",  # the S3-compatible form
    r"(?:s3\.)?oss-[a-z0-9-]+\.oss-(?:accesspoint|object-process)",  # access points, each in place of a bucket
    r"[a-z0-9-]+\.oss-data-acc",  # an OSS accelerator
    r"cb-[a-z0-9-]+\.[a-z0-9-]+\.oss-cloudbox(?:-control)?",  # a cloud box
)
_is_endpoint = re.compile(rf"(?:{'|'.join(_ENDPOINTS)})\.aliyuncs\.com").fullmatch
_is_path_style = re.compile(
    r"[a-z0-9-]+\.oss\.[a-z0-9-]+\.privatelink\.aliyuncs\.com"  # PrivateLink
    r"|[0-9.]+|\[[0-9a-f:.]+\]|[^.]+|.*\.(?:local|localhost|internal|test)"  # addresses and local names
).fullmatch
_is_bucket = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]").fullmatch
_port = re.compile(r":[0-9]+$")


def checked_bucket(bucket: str | None, addressing: Addressing | None = None) -> str | None:
    """The name of a bucket as it was given.

    Raises:
        SigningError: a bucket cannot have that name, or the way of addressing is unknown or needs a bucket.
    """
    if bucket is not None and not _is_bucket(bucket):
        raise SigningError(
            f"{bucket!r} is not a valid name of a bucket. It has 3 to 63 of a-z, 0-9 and '-', and no region."
        )
    if addressing is not None and addressing not in ADDRESSINGS:
        raise SigningError(f"addressing= must be one of {', '.join(map(repr, ADDRESSINGS))}, not {addressing!r}.")
    if addressing == "cname" and bucket is None:
        raise SigningError("addressing='cname' needs bucket=, since a custom domain does not name its bucket.")
    return bucket


def bucket_path(request: Request, bucket: str | None, addressing: Addressing | None = None) -> str:
    """`/bucket/key` as in the URL, encoded; `/` for the service itself.

    Args:
        request: what is sent.
        bucket: the bucket's name, None to read it from the URL.
        addressing: where the URL names the bucket, None to see it from the host.

    Raises:
        SigningError: the URL does not name a bucket, or another one than `bucket`.
    """
    host = _port.sub("", request.host).removesuffix(".")
    if bucket is not None and addressing is None and host.startswith(f"{bucket}."):
        return f"/{bucket}{request.path}"
    way, named = (addressing, None) if addressing else _addressing_of(host)
    if way == "virtual":
        return _virtual_path(host, request.path, bucket, named)
    if way == "path":
        return _path_style(request.path, bucket)
    if bucket is None:
        raise SigningError(
            f"{host} does not name a bucket, and OSS signs its name. Pass bucket= for a custom domain, or "
            "addressing='virtual' or 'path' if the URL contains the bucket."
        )
    return f"/{bucket}{request.path}"


def resource_path(request: Request, bucket: str | None, addressing: Addressing | None = None) -> str:
    """Like `bucket_path`, but `/bucket/` for `/bucket`, which is how OSS signs the bucket itself."""
    path = bucket_path(request, bucket, addressing)
    return f"{path}/" if path.count("/") == 1 and len(path) > 1 else path


def without_plus(request: Request) -> Request:
    """The request with `%2B` for every `+` of its path: OSS reads `+` there as a blank, other software as a plus."""
    return request.with_path(request.path.replace("+", "%2B")) if "+" in request.path else request


def _addressing_of(host: str) -> tuple[Addressing, str | None]:
    """How URLs of that host name the bucket, and the bucket if the host does."""
    if _is_endpoint(host):
        return "path", None
    label, _, rest = host.partition(".")
    if _is_endpoint(rest):
        return "virtual", label
    return ("path" if _is_path_style(host) else "cname"), None


def _virtual_path(host: str, path: str, bucket: str | None, named: str | None) -> str:
    named = named or host.partition(".")[0]
    if bucket not in (None, named):
        raise SigningError(
            f"The host {host} names the bucket {named!r}, and bucket= names {bucket!r}. Change one of them; for a "
            "custom domain of the bucket pass addressing='cname'."
        )
    return f"/{named}{path}"


def _path_style(path: str, bucket: str | None) -> str:
    if bucket is None or path == f"/{bucket}" or path.startswith(f"/{bucket}/"):
        return path
    return f"/{bucket}{path}"


assert get_args(Addressing) == ADDRESSINGS  # noqa: S101  # one list for type checkers, one for the check
