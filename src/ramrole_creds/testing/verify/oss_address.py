"""Which bucket and object an OSS request is about: by its host name, else by its path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import decode

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest

_SERVICE_HOST = re.compile(
    r"(?:(?P<bucket>(?!s3\.oss)[a-z0-9][a-z0-9-]+)\.)?"
    r"(?:(?:s3\.)?oss(?:-[a-z0-9-]+)?(?:\.oss-(?:accesspoint|object-process))?"
    r"|(?:cn|ap|us|eu|me|na|sa|af|ca|rus)-[a-z0-9-]+\.oss|[a-z0-9-]+\.oss-data-acc)"
    r"\.aliyuncs\.com",
    re.IGNORECASE,
)
_LOCAL_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9-]+)\.(?:localhost|127\.0\.0\.1)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OssAddress:
    """Bucket and key, decoded; None for a call to the service, an empty key for one to the bucket."""

    bucket: str | None
    key: str
    virtual_hosted: bool = False

    @property
    def resource(self) -> str:
        """`/bucket/key`, `/bucket/`, or `/` for the service: the path that signatures are made over."""
        return "/" if self.bucket is None else f"/{self.bucket}/{self.key}"


def oss_address(request: WireRequest) -> OssAddress:
    """Read the address: virtual-hosted on the service's host names and under localhost, path style elsewhere.

    A raw `+` in the path is a blank, as the service reads it; a plus sign is sent as `%2B`.
    """
    host = (request.header("host") or "").partition(":")[0]
    path = request.path
    match = _SERVICE_HOST.fullmatch(host) or _LOCAL_HOST.fullmatch(host)
    if match and match["bucket"]:
        return OssAddress(match["bucket"], decode(path[1:], plus_is_space=True), virtual_hosted=True)
    bucket, _, key = path[1:].partition("/")
    return OssAddress(decode(bucket), decode(key, plus_is_space=True)) if bucket else OssAddress(None, "")
