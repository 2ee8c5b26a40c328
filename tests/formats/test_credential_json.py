"""JSON answers that contain credentials."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds._formats.credential_json import inner_object, json_object, require_success, safe_code, safe_message
from ramrole_creds.errors import FetchError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "nothing"),
        (b" \n", "nothing"),
        ("<!DOCTYPE html><p>", "an HTML page, not a JSON object"),
        (b"[1]", "3 bytes that are not a JSON object"),
        ('{"a": 1, "a": 2}', "16 characters that are not a JSON object"),
        ("[" * 9999, "9999 characters that are not a JSON object"),
    ],
    ids=["empty", "blank", "html", "list", "duplicate", "deep"],
)
def test_an_answer_that_is_not_one_object_is_described_and_not_shown(content: bytes | str, said: str) -> None:
    with pytest.raises(FetchError) as raised:
        json_object(content, FetchError)
    assert raised.value.message == said


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_an_object_is_read_as_it_was_written(document: dict[str, object]) -> None:
    assert json_object(json.dumps(document), FetchError) == document


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("NoPermission", "NoPermission"),
        ("AuthenticationFail.OIDCToken.IssuerNotMatch", "AuthenticationFail.OIDCToken.IssuerNotMatch"),
        ("Error404", "Error404"),
        ("Zq7Marker9Zq7Marker9Zq7Marker9", ""),
        ("a b", ""),
        (404, ""),
    ],
    ids=["word", "dotted", "digits", "secret", "blank", "number"],
)
def test_a_code_is_shown_unless_it_may_be_a_secret(code: object, shown: str) -> None:
    assert safe_code(code) == shown


def test_a_document_without_success_is_an_error_that_names_its_code() -> None:
    require_success({"Code": "Success"}, FetchError)
    with pytest.raises(FetchError, match="whose Code 'Failed' is not 'Success'"):
        require_success({"Code": "Failed"}, FetchError)


def test_an_answer_without_its_inner_object_is_named() -> None:
    with pytest.raises(FetchError, match="a document without Credentials"):
        inner_object({"Credentials": "none"}, "Credentials", FetchError)


def test_a_message_that_is_no_text_is_not_shown() -> None:
    assert safe_message({"a": 1}) == ""
