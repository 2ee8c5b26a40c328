"""The request is what goes on the wire."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import SigningError
from ramrole_creds.signing import Request
from ramrole_creds.signing._canonical import canonical_query


@pytest.mark.parametrize(
    ("url", "wire"),
    [
        ("https://h", "https://h/"),
        ("https://H.Example.com:443?a=1#fragment", "https://h.example.com/?a=1"),
        ("http://h:8080/a b/杭", "http://h:8080/a%20b/%E6%9D%AD"),
        ("https://h/a%2Fb/%e6%9d%ad", "https://h/a%2Fb/%e6%9d%ad"),
        ("https://h/100%/x%zz", "https://h/100%25/x%25zz"),
        ("https://h/a/../b//c/./", "https://h/a/../b//c/./"),
        ("https://h/?q=a+b&z=~*&bare&e=", "https://h/?q=a%20b&z=~*&bare&e="),
        ("https://h/a+b", "https://h/a+b"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("https://xn--r8jz45g.jp/", "https://xn--r8jz45g.jp/"),
        ("http://[::FFFF]/", "http://[::ffff]/"),
    ],
)
def test_url_is_brought_into_the_form_of_the_wire(url: str, wire: str) -> None:
    assert Request("GET", url).url == wire
    assert Request("GET", wire).url == wire


def test_params_are_added_to_the_query_encoded() -> None:
    request = Request("get", "https://h/p?x=1", params=[("a b", "c+d~*/"), ("a b", ""), ("n", None), ("i", 7)])
    assert request.url == "https://h/p?x=1&a%20b=c%2Bd~%2A%2F&a%20b=&n&i=7"
    assert request.method == "GET"
    assert Request("GET", "https://h/", params={"k": "v"}).query == "k=v"


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_any_text_survives_as_a_parameter(pairs: list[tuple[str, str]]) -> None:
    try:
        request = Request("GET", "https://h/", params=pairs)
    except SigningError:
        assert any("\ud800" <= char <= "\udfff" for pair in pairs for text in pair for char in text)
        return
    decoded = parse_qsl(request.query, keep_blank_values=True, errors="surrogateescape")
    assert decoded == pairs


@given(st.text(st.characters(exclude_characters="?#", exclude_categories=["Cs"])))
def test_any_path_survives_and_is_stable(path: str) -> None:
    request = Request("GET", f"https://h/{path}")
    assert Request("GET", request.url).url == request.url
    if "%" not in path:
        assert unquote_to_bytes(urlsplit(request.url).path) == f"/{path}".encode()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "/path",
            "ftp://h/",
            "https:///x",
            "https://user:pw@h/",
            "https://h o/",
            "https://h\n/",
            "",
            None,
            b"https://h/",
        ),
        *(
            "http://good\\@evil/",
            "http://good\\evil/",
            "https://h\\",
            "https://h\\?a=1",
            "https://例え.jp/",
            "https://h:/",
        ),
        *("https://h:0/", "https://h:65536/", "http://127.1/", "http://0x7f000001/", "http://[::1", "http://a..b/"),
    ],
)
def test_a_url_that_cannot_be_sent_is_refused(url: Any) -> None:
    with pytest.raises(SigningError) as refused:
        Request("GET", url)
    assert "pw" not in str(refused.value)


def test_header_values_are_trimmed_and_unfolded_and_lookup_ignores_case() -> None:
    request = Request("GET", "https://h/", {"X-A": "  two  blanks\t", "x-b": "a\r\n  b"})
    assert request.headers == (("X-A", "two  blanks"), ("x-b", "a b"))
    assert request.header("x-a") == "two  blanks"
    assert request.header("absent") is None
    assert Request("GET", "https://h/", [("a", "1"), ("A", "2")]).header("a") == "1, 2"


@pytest.mark.parametrize(
    "headers",
    [{"a": "x\r\ny: z"}, {"a": "x\0"}, {"a b": "x"}, {"": "x"}, {"a:": "x"}, {"a": 1}, {"a": b"x"}, {"a\n": "x"}],
)
def test_headers_that_would_break_out_are_refused(headers: Any) -> None:
    with pytest.raises(SigningError):
        Request("GET", "https://h/", headers)


def test_body_is_bytes_or_the_stream_itself() -> None:
    assert Request("PUT", "https://h/").body is None
    assert Request("PUT", "https://h/", body="杭").body == "杭".encode()
    assert Request("PUT", "https://h/", body=bytearray(b"x")).body == b"x"
    file = io.BytesIO(b"x")
    assert Request("PUT", "https://h/", body=file).body is file
    with pytest.raises(SigningError, match="encode JSON and forms first"):
        Request("PUT", "https://h/", body={b"a": 1})
    with pytest.raises(SigningError):
        Request("PUT", "https://h/", body=5)  # type: ignore[arg-type]


def test_a_request_cannot_be_changed() -> None:
    request = Request("GET", "https://h/")
    with pytest.raises(AttributeError):
        request.url = "https://other/"
    with pytest.raises(AttributeError):
        del request.method
    assert copy.copy(request) == request == pickle.loads(pickle.dumps(request))
    assert len({request, Request("GET", "https://h/")}) == 1


def test_repr_shows_names_and_no_values() -> None:
    request = Request("GET", "https://h/p?Signature=SECRET1", {"Authorization": "SECRET2"}, body=b"SECRET3")
    assert repr(request) == "Request('GET', 'https://h/p?Signature=…', headers=[Authorization], body=7 bytes)"
    assert "SECRET" not in repr(request)


def test_every_scheme_is_named_and_loaded_on_demand() -> None:
    for name in signing.__all__:
        assert getattr(signing, name).__name__ == name
    assert set(dir(signing)) == set(signing.__all__)
    with pytest.raises(AttributeError, match="OSSV9"):
        getattr(signing, "OSSV9")  # noqa: B009  # a literal attribute would be a type error


@pytest.mark.parametrize("query", ["a=1&&b=2", "&a=1&b=2", "a=1&b=2&", "&&a=1&b=2&&"])
def test_nothing_between_two_ampersands_is_no_parameter(query: str) -> None:
    assert canonical_query(query, equals_when_empty=True, sort_encoded=False) == "a=1&b=2"
    assert canonical_query(query, equals_when_empty=False, sort_encoded=True) == "a=1&b=2"
    signed = signing.Signer(Credentials("LTAIid", "secret"), signing.RPC()).sign(Request("GET", f"https://h/?{query}"))
    assert signed.query.startswith("a=1&b=2&Format=JSON&")
