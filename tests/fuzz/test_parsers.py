"""No bytes end a reader of foreign input in anything but a value or an error that it may raise, or take it long.

`corpus/` has a folder for each reader: what its tests know, and every input that once failed. A failing input is saved
there, so that the next run begins with it. Commit it together with its fix.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS

CORPUS = Path(__file__).with_name("corpus")
MAX_SECONDS = 2.0
USUAL_EXAMPLES = 60
PIECES = [
    *[
        b"",
        b"\x00",
        b"\n",
        b"\r\n",
        b'"',
        b"\\",
        b"{",
        b"[",
        b"}",
        b"]",
        b":",
        b",",
        b"=",
        b"%",
        b"@",
        b"//",
        b"*",
        b"<",
    ],
    *[
        "\ud7ff\uff0f\u0661".encode(),
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\\ud800",
        b"NaN",
        b"1e999",
        b"-1",
        b"null",
        b"[1]",
    ],
    *[b"9" * 5000, b"[" * 5000, b"a" * 5000, b" " * 5000, b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59"],
]


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@st.composite
def changed(draw: st.DrawFn, known: list[bytes]) -> bytes:
    """An input of the corpus with a few parts cut, repeated, replaced or taken from another."""
    content = draw(st.sampled_from(known))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 20)))
        put = draw(st.sampled_from(PIECES) | st.sampled_from(known) | st.binary(max_size=8))
        content = content[:start] + put + content[draw(st.sampled_from([start, end])) :]
    return content


def read(name: str, content: bytes) -> None:
    began = time.process_time()
    PARSERS[name](content)
    assert time.process_time() - began < MAX_SECONDS


@pytest.mark.may_leak  # the corpus holds tokens of nobody
@pytest.mark.parametrize("name", PARSERS)
def test_the_corpus_is_read(name: str) -> None:
    assert seeds(name)
    for content in seeds(name):
        read(name, content)


@pytest.mark.may_leak  # as above
@pytest.mark.parametrize("name", PARSERS)
def test_no_bytes_end_a_reader_in_another_error(name: str, request: pytest.FixtureRequest) -> None:
    known = seeds(name)
    last = [b""]

    @given(
        changed(known)
        | st.binary(max_size=200)
        | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
    )
    def check(content: bytes) -> None:
        last[0] = content
        read(name, content)

    if request.config.getoption("--hypothesis-profile") != "fuzz":
        check = settings(max_examples=USUAL_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))(check)
    try:
        check()
    except Exception:  # the smallest input that fails comes last
        (CORPUS / name / hashlib.sha256(last[0]).hexdigest()[:16]).write_bytes(last[0])
        raise


def test_every_folder_of_the_corpus_belongs_to_a_reader() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(PARSERS)
