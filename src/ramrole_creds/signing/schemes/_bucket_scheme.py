"""What the schemes of OSS share: the bucket, and the headers with which signing begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import without
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme
from ramrole_creds.signing.schemes._oss_resource import checked_bucket, without_plus

if TYPE_CHECKING:
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable
    from ramrole_creds.signing.schemes._oss_resource import Addressing


class BucketScheme(Scheme):
    """A scheme that signs the name of a bucket.

    Args:
        bucket: the bucket; None to read it from the URL. A custom domain needs it.
        addressing: "path", "virtual" or "cname", if the host alone does not show where the URL names the bucket.

    Raises:
        SigningError: an argument is not valid.
    """

    __slots__ = ("addressing", "bucket")

    token_header: ClassVar[str] = "x-oss-security-token"  # noqa: S105  # a name
    """The header of the security token."""

    def __init__(self, bucket: str | None = None, *, addressing: Addressing | None = None) -> None:
        self.bucket: str | None = checked_bucket(bucket, addressing)
        self.addressing: Addressing | None = addressing

    def _begin(self, request: Request, credentials: Signable, now: float) -> tuple[Request, list[tuple[str, str]], str]:
        """The request as it is sent, its headers with a new date and token, and the date."""
        request = without_plus(request)
        headers = without(request, self.owned_headers)
        date = Instant.at(now).http
        headers.append(("Date", date))
        if credentials.security_token:
            headers.append((self.token_header, credentials.security_token))
        return request, headers, date
