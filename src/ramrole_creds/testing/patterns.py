"""The one way to say which requests a fault or an assertion is about."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from ramrole_creds.testing.server.messages import WireRequest

ANY_REQUEST = "*"
STEPS = ("token", "role", "credentials", "item", "metadata")
# A request to OSS does not name an action: it is a method and a path.
OSS_CALLS: frozenset[str] = frozenset(
    {
        *("PutObject", "GetObject", "HeadObject", "GetObjectMeta", "DeleteObject", "DeleteMultipleObjects"),
        *("DeleteObjects", "CopyObject", "AppendObject", "PostObject", "ListObjects", "ListObjectsV2"),
        *("ListObjectVersions", "PutObjectACL", "GetObjectACL", "PutObjectAcl", "GetObjectAcl", "PutObjectTagging"),
        *("GetObjectTagging", "DeleteObjectTagging", "PutSymlink", "GetSymlink", "RestoreObject", "PutBucket"),
        *("GetBucket", "DeleteBucket", "GetBucketInfo", "GetBucketLocation", "GetBucketAcl", "PutBucketAcl"),
        *("ListBuckets", "CreateBucket", "InitiateMultipartUpload", "CreateMultipartUpload", "UploadPart"),
        *("UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListMultipartUploads", "ListParts"),
    }
)


def require_place(where: str) -> None:
    """Refuse a name that matches no request: a fault would strike none, and `assert_not_called` would always hold.

    Raises:
        ValueError: it is a misspelt step of a metadata client, or a call of OSS.
    """
    if where in OSS_CALLS:
        raise ValueError(
            f"Requests to OSS do not name an action, so {where!r} matches nothing. Name them by method and path: "
            "'PUT /bucket/*', or name the service: 'oss', 's3'."
        )
    if where.isidentifier() and where.islower() and where not in STEPS:
        import difflib  # only names of services get here

        close = difflib.get_close_matches(where, STEPS, n=1, cutoff=0.8)
        if close:
            raise ValueError(f"{where!r} is not a step of a metadata client; did you mean {close[0]!r}?")


def matches(where: str, request: WireRequest, names: Collection[str]) -> bool:
    """True where a pattern fits a request.

    Args:
        where: a name, "*" for every request, or a pattern of the path or of the whole target ("/latest/*",
            "/?Action=*"). A method and a space may stand before it: "PUT /latest/api/token".
        request: the request.
        names: the names of the request: its service, step and action. Empty names never match.
    """
    if where == ANY_REQUEST or (where and where in names):
        return True
    method, space, pattern = where.partition(" ")
    if not space:
        pattern = where
    elif method != request.method:
        return False
    return pattern.startswith("/") and (
        fnmatch.fnmatchcase(request.path, pattern) or fnmatch.fnmatchcase(request.target, pattern)
    )
