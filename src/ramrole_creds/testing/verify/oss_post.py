"""OSS PostObject: the upload form of a browser, its policy signed with V1 or V4."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import base64_mac, hex_mac, to_text
from ramrole_creds.testing.verify.error_catalogs import OSS
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v4 import ALGORITHM, parse_scope
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import compact_time, iso_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, VerificationFailed, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.server.messages import WireRequest


@dataclass(frozen=True, slots=True)
class PostForm:
    """A form as it was posted: its fields by lower-case name, then the file."""

    fields: Mapping[str, str]
    file: bytes
    filename: str = ""
    content_type: str = "application/octet-stream"


def parse_post_form(request: WireRequest) -> PostForm | None:
    """Read a multipart form; None where the body is not a form, or does not end with `file`."""
    content_type = request.header("content-type") or ""
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    fields: dict[str, str] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if name.lower() == "file":
            kind = str(part.get("content-type") or "application/octet-stream")
            return PostForm(fields, content, part.get_filename() or "", kind)
        fields[name.lower()] = to_text(content)
    return None


def _is_form(request: WireRequest) -> bool:
    kind = (request.header("content-type") or "").lower()
    return request.method == "POST" and kind.startswith("multipart/form-data")


@scheme("oss_post", OSS, when=_is_form)
def oss_post(check: Verification) -> Accepted:
    """An upload form: the signature over its policy, then whether the form keeps to the policy."""
    form = parse_post_form(check.request)
    if form is None:
        message = "The body of your POST request is not well-formed multipart/form-data."
        raise refused("MalformedPOSTRequest", 400, message)
    policy = form.fields.get("policy")
    if not policy:
        raise refused("AccessDenied", 403, "Bucket POST requires a policy.", "0002-00000340")
    v4 = form.fields.get("x-oss-signature-version") == ALGORITHM
    accepted = _verify_v4(check, form.fields, policy) if v4 else _verify_v1(check, form.fields, policy)
    _require_policy(check, form, policy, required=_V4_CONDITIONS if v4 else ())
    return accepted


def _verify_v1(check: Verification, fields: Mapping[str, str], policy: str) -> Accepted:
    access_key_id, signature = fields.get("ossaccesskeyid"), fields.get("signature")
    if not access_key_id or not signature:
        raise refused("AccessDenied", 403, "You have no right to access this object: the form is unsigned.")
    issued = check.issued(access_key_id, fields.get("x-oss-security-token"))
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret), policy)


def _verify_v4(check: Verification, fields: Mapping[str, str], policy: str) -> Accepted:
    date = fields.get("x-oss-date", "")
    if compact_time(date) is None:
        raise refused("InvalidArgument", 400, "The form field x-oss-date is not YYYYMMDDThhmmssZ.")
    scope = parse_scope(fields.get("x-oss-credential", ""), date[:8])
    issued = check.issued(scope.access_key_id, fields.get("x-oss-security-token"))
    mac = hex_mac(scope.key(issued.access_key_secret))
    return check.conclude(issued, fields.get("x-oss-signature", ""), mac, policy, scope.region)


_V4_CONDITIONS = ("x-oss-signature-version", "x-oss-credential", "x-oss-date")


def _require_policy(check: Verification, form: PostForm, encoded: str, required: tuple[str, ...]) -> None:
    conditions, expiration = _read_policy(encoded)
    if check.now > expiration:
        raise refused("AccessDenied", 403, "Invalid according to Policy: Policy expired.", "0002-00000348")
    values = {**form.fields, "bucket": oss_address(check.request).bucket or ""}
    seen = {_require_condition(condition, values, len(form.file)) for condition in conditions}
    missing = [name for name in required if name not in seen]
    if missing:
        raise _denied(f"the policy has no condition on {', '.join(missing)}")


def _read_policy(encoded: str) -> tuple[list[object], float]:
    """Conditions and expiration of a policy document."""
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
        conditions, expiration = document["conditions"], iso_time(document["expiration"])
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        conditions = expiration = None
    if expiration is None or not isinstance(conditions, list):
        raise _invalid("the document is malformed.")
    return conditions, expiration


def _require_condition(condition: object, values: Mapping[str, str], file_bytes: int) -> str:
    """Refuse a form that breaks the condition; otherwise the name of the field that it is about."""
    if isinstance(condition, dict) and len(condition) == 1:
        [(name, wanted)] = condition.items()
        if values.get(str(name).lower()) != wanted:
            raise _denied(f'["eq", "${name}", …]')
        return str(name).lower()
    if not isinstance(condition, list) or len(condition) != 3:
        raise _invalid("a condition is malformed.")
    operator, field, wanted = condition
    if operator == "content-length-range":
        _require_size(field, wanted, file_bytes)
        return "content-length-range"
    name = str(field).removeprefix("$").lower()
    if not _holds(operator, values.get(name, ""), wanted):
        raise _denied(f'["{operator}", "${name}", ...]')
    return name


def _holds(operator: object, actual: str, wanted: object) -> bool:
    if operator == "eq":
        return actual == wanted
    if operator == "starts-with":
        return actual.startswith(str(wanted))
    if operator in ("in", "not-in") and isinstance(wanted, list):
        return (actual in wanted) == (operator == "in")
    raise _invalid("a condition has an unknown operator.")


def _require_size(smallest: object, largest: object, file_bytes: int) -> None:
    if not isinstance(smallest, int) or not isinstance(largest, int):
        raise _invalid("content-length-range is malformed.")
    if file_bytes < smallest:
        raise refused("EntityTooSmall", 400, "Your proposed upload is smaller than the allowed size.")
    if file_bytes > largest:
        raise refused("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size.")


def _invalid(why: str) -> VerificationFailed:
    return refused("InvalidPolicyDocument", 400, f"Invalid Policy: {why}")


def _denied(what: str) -> VerificationFailed:
    message = f"Invalid according to Policy: Policy Condition failed: {what}"
    return refused("AccessDenied", 403, message, "0002-00000349")
