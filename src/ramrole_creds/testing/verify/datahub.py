"""DataHub: `Authorization: DATAHUB <id>:<signature>`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    decode,
    header_lines,
    hmac_sha1_base64,
    query_pairs,
    sorted_query,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import DATAHUB
from ramrole_creds.testing.verify.registry import scheme

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.result import Accepted
    from ramrole_creds.testing.verify.verification import Verification


@scheme("datahub", DATAHUB, prefix="DATAHUB ")
def datahub(check: Verification) -> Accepted:
    """A DataHub request."""
    headers = check.headers
    claim = check.claim("DATAHUB")
    date = check.require_date("date")
    issued = check.issued(claim.access_key_id, headers.get("x-datahub-security-token"))
    resource = decode(check.request.path) + sorted_query(query_pairs(check.request.query_string))
    datahub_headers = header_lines(headers, (name for name in headers if name.startswith("x-datahub-")))
    string_to_sign = "\n".join(
        (check.request.method, headers.get("content-type", ""), date, datahub_headers + resource)
    )
    return check.conclude(claim, issued, partial(hmac_sha1_base64, to_bytes(issued.access_key_secret)), string_to_sign)
