"""The services' words for a refusal: of a token, a key, a time, a signature. The one place that has their codes.

Helpers for HTTP clients have the bytes of an answer, be it XML, JSON, protobuf or plain text: codes are found in it as
whole words. Wrappers of SDKs have an error, with a code where the SDK keeps it, else with a text.
"""

from __future__ import annotations

import re

BROAD_CODES = frozenset(("Unauthorized", "OTSAuthFailed"))
"""SLS and DataHub, and Tablestore, use one code for a refused key and for more: the message tells."""

# OpenAPI, OSS, its S3 face, SLS, MNS and FC.
_ENDED = r"InvalidSecurityToken\.Expired|SecurityToken\.?Expired|ExpiredToken"
# Also of a key that is simply wrong; some services say so of temporary keys that are long gone. The last is MaxCompute.
_REFUSED = r"InvalidSecurityToken(?:\.\w+)?|InvalidAccessKeyI[dD](?:\.NotFound)?|ODPS-0410051"
# Taken for a refusal only where they are the code of an SDK's error.
_REFUSED_TO_SDKS = r"InvalidToken|InvalidAccessKeyI[dD]\.Inactive"
_TIME = r"RequestTimeTooSkewed|InvalidTimeStamp\.Expired|RequestTimeExpired|TimeExpired|ODPS-0410031"
_SIGNATURE = r"SignatureDoesNotMatch|SignatureNotMatch|IncompleteSignature|ODPS-0410042"


def _whole_words(codes: str) -> str:
    return rf"(?<![\w.])(?:{codes})(?![\w.])"


def _in_answers(codes: str, tablestore: str = "") -> re.Pattern[bytes]:
    """A pattern for these codes, and for what Tablestore says in the place of a code."""
    return re.compile((_whole_words(codes) + (f"|{tablestore}" if tablestore else "")).encode())


_ENDED_ANSWER = _in_answers(_ENDED)
_REFUSED_ANSWER = _in_answers(f"{_REFUSED}|Unauthorized", r"OTSAuthFailed[\s\S]{0,80}(?:[Tt]oken|[Ee]xpired|AccessKey)")
_TIME_ANSWER = _in_answers(_TIME, "Mismatch between system time and x-ots-date")
_SIGNATURE_ANSWER = _in_answers(_SIGNATURE, r"OTSAuthFailed[\s\S]{0,80}Signature mismatch")

_CODE = re.compile(f"{_ENDED}|{_REFUSED}|{_REFUSED_TO_SDKS}")
_CODE_IN_TEXT = re.compile(_whole_words(_CODE.pattern))
_ABOUT_KEYS = re.compile(r"(?i)access\s?key|security[\s_]?token|token .*expired|credential")


def is_token_ended(answer: bytes) -> bool:
    """True where an answer says that the token has expired."""
    return _ENDED_ANSWER.search(answer) is not None


def is_key_refused(answer: bytes) -> bool:
    """True where an answer refuses the key or the token, for whatever reason; a key that is wrong is among them."""
    return _REFUSED_ANSWER.search(answer) is not None


def is_time_refused(answer: bytes) -> bool:
    """True where an answer says that the request was signed too early or too late."""
    return _TIME_ANSWER.search(answer) is not None


def is_signature_refused(answer: bytes) -> bool:
    """True where an answer says that the signature is another than the service's own."""
    return _SIGNATURE_ANSWER.search(answer) is not None


def is_code(code: str) -> bool:
    """True for a code by which a service refuses a token or a key, and nothing else; not for the broad ones."""
    return _CODE.fullmatch(code) is not None


def names_code(text: str) -> bool:
    """True where such a code stands in an error's text, as a whole word."""
    return _CODE_IN_TEXT.search(text) is not None


def is_about_keys(text: str) -> bool:
    """True where the message beside a broad code speaks of a key or a token."""
    return _ABOUT_KEYS.search(text) is not None
