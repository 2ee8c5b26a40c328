"""Text of a server is read in linear time: one error of a service must not stop an event loop for seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, Signer, signing
from ramrole_creds._formats.error_codes import is_about_keys, kind_of_answer
from ramrole_creds.integrations.retry import is_rejection

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 120_000
MAX_SECONDS = 0.5
SIGNED = Signer(Credentials("LTAI5tFake", "secret"), signing.ACS3()).sign(signing.Request("GET", "https://h/"))


class SdkError(Exception):
    """An error of an SDK."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


def explain(text: str) -> None:
    signing.explain_mismatch(signing.ACS3(), SIGNED, text.encode())


READERS: dict[str, Callable[[str], object]] = {
    "code": lambda text: is_rejection(SdkError(text, "")),
    "broad-code": lambda text: is_rejection(SdkError(text, "Unauthorized")),
    "message": is_about_keys,
    "answer": lambda text: kind_of_answer(text.encode()),
    "mismatch": explain,
}
PIECES = {
    "token": "token ",
    "head": "ACCESS_DENIED during Head",
    "duckdb": "HTTP Error: Unable to connect to URL a",
    "letters": "InvalidSecurityToken.a",
    "tablestore": "OTSAuthFailed ",
    "open-element": "<StringToSign>",
    "open-message": "<Message>",
    "empty-elements": "<StringToSign></StringToSign>",
    "nested-json": "[",
    "spaces": "string to sign is ",
    "entities": "&amp;",
    "lines": "a:b\n",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("piece", PIECES)
def test_a_long_answer_is_read_in_linear_time(reader: str, piece: str) -> None:
    """117 KiB took 25 s before, in a pattern with .* between two words."""
    text = (PIECES[piece] * (SIZE // len(PIECES[piece])))[:SIZE]
    started = time.process_time()

    READERS[reader](text)

    assert time.process_time() - started < MAX_SECONDS


def test_an_expired_token_is_still_found_next_to_a_broad_code() -> None:
    assert is_rejection(SdkError("the token abc is expired", "OTSAuthFailed"))
    assert not is_rejection(SdkError("expired, said the token ", "OTSAuthFailed"))
