"""The time of a server is read from where it is most likely to be right."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import Credentials, Signer
from ramrole_creds.signing import ACS3, Request, read_server_time
from ramrole_creds.testing import VirtualClock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp()
DATE = "Fri, 02 Jan 2026 03:04:05 GMT"
SKEWED = (
    b"<Error><Code>RequestTimeTooSkewed</Code><RequestTime>2025-01-01T00:00:00.000Z</RequestTime>"
    b"<ServerTime>2026-01-02T03:04:05.000Z</ServerTime></Error>"
)


@pytest.mark.parametrize(
    ("headers", "body", "time"),
    [
        ({"Date": DATE}, b"", NOW),
        ({"Date": DATE, "Age": "30"}, b"", NOW + 30),
        ({"Date": DATE, "Age": "-30"}, b"", NOW),
        ({"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, b"", None),
        ({"Date": "yesterday"}, b"", None),
        ({}, b"", None),
        ({}, SKEWED, NOW),
        ({"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, SKEWED, NOW),
        ({"Date": "Thu, 01 Jan 2026 03:04:05 GMT", "Age": "7"}, SKEWED, NOW),
        ({"Date": DATE}, b"<ServerTime>soon</ServerTime>", NOW),
        ({"Date": DATE}, b"<ServerTime>2026-01-02T03:04:05</ServerTime>", NOW),
        ({"Date": DATE}, b"<ServerTime>2027", NOW),
    ],
    ids=[
        "date", "cached", "odd age", "epoch", "unreadable", "nothing", "body", "body, not epoch", "body, not cache",
        "unreadable body", "body without zone", "cut body",
    ],
)  # fmt: skip
def test_the_body_comes_before_the_date(headers: dict[str, str], body: bytes, time: float | None) -> None:
    assert read_server_time(headers.get, body) == time


def test_a_server_whose_clock_was_corrected_is_asked_with_the_own_time_again() -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=timezone.utc))
    keys = Credentials("LTAI5tExample", "secret")
    signer = Signer(keys, ACS3(), clock=clock)

    def dates() -> str | None:
        return signer.sign(Request("GET", "https://ecs.example/")).header("x-acs-date")

    assert signer.learn_server_time("ecs.example", clock.time() + 1800, credentials=keys)
    assert dates() == "2026-01-01T00:30:00Z"
    assert signer.learn_server_time("ecs.example", clock.time(), credentials=keys)
    assert dates() == "2026-01-01T00:00:00Z"


@given(st.binary(), st.text())
def test_any_answer_is_read_without_an_error(body: bytes, date: str) -> None:
    read_server_time({"Date": date}.get, b"<ServerTime>" + body + b"</ServerTime>")
