"""MaxCompute: `Authorization: ODPS …`, v2 and v4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import Scope
from ramrole_creds.testing.verify.canonical import base64_mac, decode, query_pairs, sorted_query
from ramrole_creds.testing.verify.error_catalogs import ODPS
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import compact_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, VerificationFailed, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


ENDPOINT_PATH = "/api"
DAY_TOLERANCE_SECONDS = 36 * 3600


@scheme("odps", ODPS, prefix="ODPS ")
def odps(check: Verification) -> Accepted:
    """A MaxCompute request of either signature; its token is sent outside the signature."""
    credential, signature = check.claim("ODPS")
    check.require_date("date")
    scope = Scope.parse(credential)
    if (scope is None and "/" in credential) or (scope is not None and scope.product != "odps"):
        raise refused("ODPS-0410011", 400, "Invalid authorization - the credential scope is malformed")
    access_key_id = credential if scope is None else scope.access_key_id
    issued = check.issued(access_key_id, check.headers.get("authorization-sts-token"))
    region = None
    if scope is None:
        mac = base64_mac(issued.access_key_secret)
    else:
        # The official SDK takes the day from its clock, not from Date: around midnight the two may differ.
        _require_day(check, scope.day)
        region = scope.region
        mac = base64_mac(scope.key(issued.access_key_secret))
    return check.conclude(issued, signature, mac, _strings_to_sign(check), region)


def _require_day(check: Verification, day: str) -> None:
    noon = compact_time(f"{day}T120000Z")
    if noon is None or abs(noon - check.now) > DAY_TOLERANCE_SECONDS:
        raise VerificationFailed(check.catalog.skewed)


def _strings_to_sign(check: Verification) -> Iterator[str]:
    """One string for each place where the endpoint's own path, which is not signed, may end."""
    request, headers = check.request, check.headers
    pairs = query_pairs(request.query_string)
    lines = {name: headers.get(name, "") for name in ("content-md5", "content-type", "date")}
    for name, value in (*headers.items(), *pairs):
        if name.startswith("x-odps-"):
            lines[name] = f"{name}:{value or ''}"
    query = sorted_query(pairs)
    path = decode(request.path)
    inner = [path.removeprefix(ENDPOINT_PATH)] if path.startswith(ENDPOINT_PATH + "/") else []
    for each in (*inner, path):
        yield "\n".join((request.method, *(lines[name] for name in sorted(lines)), each + query))
