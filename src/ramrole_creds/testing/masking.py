"""Mask secrets, tokens and signatures in test reports."""

from __future__ import annotations

import re

MASK = "***"

_SECRET_HEADER = re.compile(r"authorization|cookie|x-fake-key|.*(?:token|signature)", re.IGNORECASE)
_PARAMETERS = re.compile(
    r"(?i)\b((?:security-?token|x-oss-security-token|x-amz-security-token|signature|x-oss-signature|x-amz-signature"
    r"|oidctoken|access_?key_?secret|refresh_token|access_token|policy|key)=)(?!=)[^&\s]+"
)
# Every secret that the fake cloud issues contains one of these; see credential_store.py.
_MARKS = ("FAKESECRET", "FAKETOKEN", "FAKEMETATOKEN")
_WORD = re.compile(r"[A-Za-z0-9+/=_.%-]+")
_KEY_ID = re.compile(
    r"(?:Credential=|AccessKeyId:|acs |OSS |LOG |MNS |FC |ODPS |DATAHUB |AWS )\s*([A-Za-z0-9][A-Za-z0-9._-]{3,127})"
)


def mask_text(text: str) -> str:
    """The text with marked secrets and the values of secret parameters replaced."""
    unmarked = _WORD.sub(lambda word: MASK if _is_marked(word.group()) else word.group(), text)
    return _PARAMETERS.sub(rf"\1{MASK}", unmarked)


def mask_header(name: str, value: str) -> str:
    """The value of a header as it may be shown; of Authorization, the scheme and the key id remain."""
    if name.lower() == "authorization":
        return " ".join(filter(None, (value.partition(" ")[0], mask_text(key_id_in(value) or ""), MASK)))
    return MASK if _SECRET_HEADER.fullmatch(name) else mask_text(value)


def key_id_in(authorization: str) -> str | None:
    """The AccessKey ID that an Authorization header names, in any of the services' forms; None where it names none."""
    found = _KEY_ID.search(authorization)
    return found[1] if found else None


def leaked_marker(text: str) -> str | None:
    """The first secret in the text, masked, with the text around it; None where there is no secret."""
    for found in _WORD.finditer(text):
        if _is_marked(found.group()):
            return mask_text(text[max(0, found.start() - 80) : found.end() + 20])
    return None


def _is_marked(word: str) -> bool:
    return any(mark in word for mark in _MARKS)
