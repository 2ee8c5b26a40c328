"""Times as the services write them."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds._formats.timestamps import parse_rfc3339

UTC = timezone.utc
MOMENT = datetime(2017, 11, 1, 5, 20, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017-11-01T05:20:01Z", MOMENT),
        ("2017-11-01t05:20:01z", MOMENT),
        (" 2017-11-01T05:20:01Z\n", MOMENT),
        ("2017-11-01T13:20:01+08:00", MOMENT),
        ("2017-10-31T23:50:01-05:30", MOMENT),
        ("2017-11-01T05:20:01+00:00", MOMENT),
        ("2017-11-01T05:20:01-00:00", MOMENT),
        ("2017-11-01T05:20:01.5Z", MOMENT + timedelta(seconds=0.5)),
        ("2017-11-01T05:20:01.123456789Z", MOMENT + timedelta(microseconds=123456)),
        ("2017-11-01T05:20:01.000+00:00", MOMENT),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_rfc_3339_is_read_with_any_offset_and_fraction(text: str, moment: datetime) -> None:
    found = parse_rfc3339(text)
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2017-11-01",
        "2017-11-01T05:20:01",
        "2017-11-01 05:20:01Z",
        "2017-11-01T05:20Z",
        "20171101T052001Z",
        "2017-11-01T05:20:01+0800",
        "2017-11-01T05:20:01+08",
        "2017-11-01T05:20:01.Z",
        "2017-11-01T05:20:01,5Z",
        "2017-11-01T24:00:00Z",
        "2017-11-01T05:60:00Z",
        "2017-11-01T05:20:61Z",
        "2017-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2017-11-01T05:20:01+24:00",
        "2017-11-01T05:20:01+08:60",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "\u0662\u0660\u0661\u0667-11-01T05:20:01Z",
        "2017-11-01T05:20:01Z\x00",
        "2017-11-01T05:20:01ZZ",
        "-2017-11-01T05:20:01Z",
        "1509513601",
    ],
)
def test_anything_else_is_not_a_time(text: str) -> None:
    assert parse_rfc3339(text) is None


# Two days from the ends of Python's calendar, since an offset moves a time by up to one.
EDGES = tuple(datetime(year, 1, 2) for year in (2, 9999))  # noqa: DTZ001  # as hypothesis wants them
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(*EDGES, timezones=offsets | st.just(UTC)))
def test_what_python_writes_is_read_back(moment: datetime) -> None:
    assert parse_rfc3339(moment.isoformat()) == moment
    assert parse_rfc3339(moment.astimezone(UTC).isoformat().replace("+00:00", "Z")) == moment


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,9})?(Z|[+-][0-9:]{5})"))
def test_no_text_makes_it_fail(text: str) -> None:
    found = parse_rfc3339(text)
    assert found is None or found.tzinfo is UTC


def test_the_form_that_services_write_is_read_without_dateutil() -> None:
    program = (
        "import sys; from ramrole_creds._formats.timestamps import parse_rfc3339; "
        "assert parse_rfc3339('2017-11-01T05:20:01Z'); assert 'dateutil' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
