"""OSS PostObject: the upload form of a browser, its policy signed with V1 or V4."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import hmac_sha1_base64, hmac_sha256, to_bytes, to_text
from ramrole_creds.testing.verify.error_catalogs import OSS, ErrorSpec
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v4 import ALGORITHM, parse_scope, signing_key
from ramrole_creds.testing.verify.verification import (
    Verification,
    VerificationFailed,
    compact_time,
    iso_time,
    run_verification,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult


@dataclass(frozen=True, slots=True)
class PostForm:
    """A form as it was posted: its fields by lower-case name, then the file."""

    fields: Mapping[str, str]
    file: bytes
    filename: str = ""
    content_type: str = "application/octet-stream"


def parse_post_form(request: WireRequest) -> PostForm | None:
    """Read a multipart form; None where the body is none, or has no `file` at its end."""
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


def verify_oss_post(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge an upload form: the signature over its policy, then whether the form keeps to the policy."""
    return run_verification(Verification("oss_post", OSS, request, issuer, now, nonces), _verify)


def _verify(check: Verification) -> Accepted:
    form = parse_post_form(check.request)
    if form is None:
        raise VerificationFailed(
            ErrorSpec(
                "MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data."
            )
        )
    fields = form.fields
    policy = fields.get("policy")
    if not policy:
        raise VerificationFailed(ErrorSpec("AccessDenied", 403, "Bucket POST requires a policy.", "0002-00000340"))
    v4 = fields.get("x-oss-signature-version") == ALGORITHM
    accepted = _verify_v4(check, fields, policy) if v4 else _verify_v1(check, fields, policy)
    _require_policy(check, form, policy, required=_V4_CONDITIONS if v4 else ())
    return accepted


def _verify_v1(check: Verification, fields: Mapping[str, str], policy: str) -> Accepted:
    access_key_id, signature = fields.get("ossaccesskeyid"), fields.get("signature")
    if not access_key_id or not signature:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "You have no right to access this object: the form is unsigned.")
        )
    issued = check.issued(access_key_id, fields.get("x-oss-security-token"))
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), policy)
    check.require_signature(ours, signature, access_key_id, policy)
    return check.accept(access_key_id, issued)


def _verify_v4(check: Verification, fields: Mapping[str, str], policy: str) -> Accepted:
    date = fields.get("x-oss-date", "")
    if compact_time(date) is None:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "The form field x-oss-date is not YYYYMMDDThhmmssZ.")
        )
    scope = parse_scope(fields.get("x-oss-credential", ""), date)
    issued = check.issued(scope.access_key_id, fields.get("x-oss-security-token"))
    ours = hmac_sha256(signing_key(scope, issued.access_key_secret), policy).hex()
    check.require_signature(ours, fields.get("x-oss-signature", ""), scope.access_key_id, policy)
    return check.accept(scope.access_key_id, issued, scope.region)


_V4_CONDITIONS = ("x-oss-signature-version", "x-oss-credential", "x-oss-date")


def _require_policy(check: Verification, form: PostForm, encoded: str, required: tuple[str, ...]) -> None:
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
        conditions, expiration = document["conditions"], iso_time(document["expiration"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        document = expiration = None
        conditions = []
    if expiration is None or not isinstance(conditions, list):
        raise VerificationFailed(ErrorSpec("InvalidPolicyDocument", 400, "Invalid Policy: the document is malformed."))
    if check.now > expiration:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "Invalid according to Policy: Policy expired.", "0002-00000348")
        )
    values = {**form.fields, "bucket": oss_address(check.request).bucket or ""}
    seen: set[str] = set()
    for condition in conditions:
        name = _hold(condition, values, len(form.file))
        seen.add(name)
    missing = [name for name in required if name not in seen]
    if missing:
        raise _denied(f"the policy has no condition on {', '.join(missing)}")


def _hold(condition: object, values: Mapping[str, str], file_bytes: int) -> str:
    """Refuse a form that breaks the condition; otherwise the name of the field it speaks of."""
    if isinstance(condition, dict) and len(condition) == 1:
        [(name, wanted)] = condition.items()
        if values.get(str(name).lower()) != wanted:
            raise _denied(f'["eq", "${name}", …]')
        return str(name).lower()
    if not isinstance(condition, list) or len(condition) != 3:
        raise VerificationFailed(ErrorSpec("InvalidPolicyDocument", 400, "Invalid Policy: a condition is malformed."))
    operator, field, wanted = condition
    if operator == "content-length-range":
        _require_size(field, wanted, file_bytes)
        return "content-length-range"
    name = str(field).removeprefix("$").lower()
    actual = values.get(name, "")
    if operator == "eq":
        held = actual == wanted
    elif operator == "starts-with":
        held = actual.startswith(str(wanted))
    elif operator in ("in", "not-in") and isinstance(wanted, list):
        held = (actual in wanted) == (operator == "in")
    else:
        raise VerificationFailed(
            ErrorSpec("InvalidPolicyDocument", 400, "Invalid Policy: a condition has an unknown operator.")
        )
    if not held:
        raise _denied(f'["{operator}", "${name}", ...]')
    return name


def _require_size(smallest: object, largest: object, file_bytes: int) -> None:
    if not isinstance(smallest, int) or not isinstance(largest, int):
        raise VerificationFailed(
            ErrorSpec("InvalidPolicyDocument", 400, "Invalid Policy: content-length-range is malformed.")
        )
    if file_bytes < smallest:
        raise VerificationFailed(
            ErrorSpec("EntityTooSmall", 400, "Your proposed upload is smaller than the allowed size.")
        )
    if file_bytes > largest:
        raise VerificationFailed(
            ErrorSpec("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size.")
        )


def _denied(what: str) -> VerificationFailed:
    return VerificationFailed(
        ErrorSpec("AccessDenied", 403, f"Invalid according to Policy: Policy Condition failed: {what}", "0002-00000349")
    )
