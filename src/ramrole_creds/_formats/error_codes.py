"""The error codes of all services, by what they mean: one table for STS, HTTP clients and SDKs.

An HTTP client has the bytes of an answer: XML, JSON, protobuf or plain text. `kind_of_answer` finds a code in them as a
whole word. An SDK raises an error that has a code or a text: see `kind_of_code` and `kind_of_text`.
"""

from __future__ import annotations

import enum
import re
from typing import Final


class ErrorKind(enum.Enum):
    """What an error code means for the credentials or the request."""

    WRONG_CLOCK = "wrong clock"
    """The request was signed too early or too late."""
    EXPIRED_TOKEN = "expired token"  # noqa: S105  # a description
    """The security token has expired."""
    REJECTED_KEY = "rejected key"
    """The key or token is not valid. Some services also say this of temporary keys that expired long ago."""
    USED_NONCE = "used nonce"
    """The service has seen this nonce before: something on the way sent the request twice."""
    WRONG_SIGNATURE = "wrong signature"
    """The service computed another signature."""
    NO_PERMISSION = "no permission"
    """The identity may not do this."""
    THROTTLED = "throttled"
    """The account or the caller sends too many requests."""


# A trailing .* stands for one more part of any name, or none.
CODES: Final[dict[ErrorKind, tuple[str, ...]]] = {
    ErrorKind.WRONG_CLOCK: (
        "IllegalTimestamp",
        "InvalidTimeStamp.Expired",
        "RequestTimeTooSkewed",  # OSS, S3
        "RequestTimeExpired",  # SLS
        "TimeExpired",  # MNS
        "ODPS-0410031",  # MaxCompute
    ),
    ErrorKind.EXPIRED_TOKEN: (
        "InvalidSecurityToken.Expired",
        "SecurityTokenExpired",
        "SecurityToken.Expired",
        "ExpiredToken",  # S3
    ),
    ErrorKind.REJECTED_KEY: (
        "InvalidSecurityToken.*",
        "InvalidAccessKeyId",
        "InvalidAccessKeyID",  # Function Compute
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyID.NotFound",
        "ODPS-0410051",
    ),
    ErrorKind.USED_NONCE: ("SignatureNonceUsed",),
    ErrorKind.WRONG_SIGNATURE: (
        "SignatureDoesNotMatch.*",
        "SignatureNotMatch",
        "IncompleteSignature",
        "ODPS-0410042",
    ),
    ErrorKind.NO_PERMISSION: (
        "NoPermission",
        "AuthenticationFail.NoPermission",
        "AccessDenied",
        "Forbidden",
        "Forbidden.*",
        "ODPS-0420095",
        "OTSNoPermissionAccess",
    ),
    ErrorKind.THROTTLED: (
        "Throttling.*",
        "ServiceUnavailable.Throttling",
        "QpsLimitExceeded",
        "WriteQuotaExceed",
        "ReadQuotaExceed",
        "ShardWriteQuotaExceed",
        "ShardReadQuotaExceed",
        "OTSQuotaExhausted",
    ),
}
BROAD_CODES: Final = frozenset(("Unauthorized", "OTSAuthFailed"))
"""SLS and DataHub, and Tablestore, use one code for a rejected key and for other refusals: the message decides."""

MAX_TEXT_LENGTH: Final = 65536
"""How much of an answer or of an error's text is read. Codes stand near the beginning."""

# The code of an SDK's error may also be one of these. In the text of an answer they are too common to mean anything.
_REJECTED_IN_SDKS = (
    "InvalidToken",
    "InvalidAccessKeyId.Inactive",
    "InvalidAccessKeyID.Inactive",
    "MissingSecurityToken",
)
# What Tablestore writes instead of a code.
_IN_TABLESTORE = {
    ErrorKind.WRONG_CLOCK: "Mismatch between system time and x-ots-date",
    ErrorKind.REJECTED_KEY: r"OTSAuthFailed[\s\S]{0,80}(?:[Tt]oken|[Ee]xpired|AccessKey)",
    ErrorKind.WRONG_SIGNATURE: r"OTSAuthFailed[\s\S]{0,80}Signature mismatch",
}


def _pattern_of(codes: tuple[str, ...]) -> str:
    """A pattern of these codes as whole words."""
    words = [re.escape(code[:-2]) + r"(?:\.\w+)?" if code.endswith(".*") else re.escape(code) for code in codes]
    return rf"(?<![\w.])(?:{'|'.join(words)})(?![\w.])"


def _answer_pattern(kind: ErrorKind) -> re.Pattern[bytes]:
    codes = CODES[kind] + (("Unauthorized",) if kind is ErrorKind.REJECTED_KEY else ())
    tablestore = _IN_TABLESTORE.get(kind)
    return re.compile((_pattern_of(codes) + (f"|{tablestore}" if tablestore else "")).encode())


# Kinds about permission and load are left out: their codes are words that any answer may hold.
_IN_ANSWERS = [
    (kind, _answer_pattern(kind))
    for kind in (
        ErrorKind.WRONG_CLOCK,
        ErrorKind.EXPIRED_TOKEN,
        ErrorKind.REJECTED_KEY,
        ErrorKind.USED_NONCE,
        ErrorKind.WRONG_SIGNATURE,
    )
]
_AS_CODE = [(kind, re.compile(_pattern_of(codes))) for kind, codes in CODES.items()]
_REJECTED_CODE = re.compile(_pattern_of(_REJECTED_IN_SDKS))
_REJECTED_IN_TEXT = re.compile(
    _pattern_of(CODES[ErrorKind.EXPIRED_TOKEN] + CODES[ErrorKind.REJECTED_KEY] + _REJECTED_IN_SDKS)
)
_ABOUT_KEYS = re.compile(r"(?i)access\s?key|security[\s_]?token|credential")
_TOKEN = re.compile(r"(?i)token ")
_EXPIRED = re.compile(r"(?i)expired")


def kind_of_answer(answer: bytes) -> ErrorKind | None:
    """What the code in the body of an answer means; None for any other code."""
    answer = answer[:MAX_TEXT_LENGTH]
    return next((kind for kind, pattern in _IN_ANSWERS if pattern.search(answer)), None)


def kind_of_code(code: str) -> ErrorKind | None:
    """What a code means; None for any other code, and for the broad ones."""
    return next((kind for kind, pattern in _AS_CODE if pattern.fullmatch(code)), None)


def is_rejection_code(code: str) -> bool:
    """True for a code that rejects a token or a key, and nothing else."""
    kinds = (ErrorKind.EXPIRED_TOKEN, ErrorKind.REJECTED_KEY)
    return kind_of_code(code) in kinds or _REJECTED_CODE.fullmatch(code) is not None


def names_rejection(text: str) -> bool:
    """True where the text of an error contains such a code as a whole word."""
    return _REJECTED_IN_TEXT.search(text[:MAX_TEXT_LENGTH]) is not None


def is_about_keys(text: str) -> bool:
    """True where the message next to a broad code is about a key or a token."""
    text = text[:MAX_TEXT_LENGTH]
    if _ABOUT_KEYS.search(text):
        return True
    token = _TOKEN.search(text)
    # Two searches one after the other: a single pattern with .* between the words would take quadratic time.
    return token is not None and _EXPIRED.search(text, token.end()) is not None
