"""DataHub: `Authorization: DATAHUB <id>:<signature>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import base64_mac, decode, query_pairs, sorted_query
from ramrole_creds.testing.verify.error_catalogs import DATAHUB
from ramrole_creds.testing.verify.registry import scheme

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.verification import Accepted, Verification


@scheme("datahub", DATAHUB, prefix="DATAHUB ")
def datahub(check: Verification) -> Accepted:
    """A DataHub request."""
    access_key_id, signature = check.claim("DATAHUB")
    date = check.require_date("date")
    issued = check.issued(access_key_id, check.headers.get("x-datahub-security-token"))
    resource = decode(check.request.path) + sorted_query(query_pairs(check.request.query_string))
    described = (check.request.method, check.headers.get("content-type", ""), date)
    string_to_sign = "\n".join((*described, check.header_lines("x-datahub-") + resource))
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret), string_to_sign)
