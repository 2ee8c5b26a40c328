"""No tool that prints errors, with variables of all frames where it can, prints a secret of this library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.error_reports.doors import ANSWERS, SECRET, EchoServer, doors, key_file
from tests.error_reports.reporters import REPORTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("error reports")


@pytest.fixture(scope="module")
def errors() -> Iterator[dict[str, BaseException]]:
    """The error of each door, without the frames of its caller."""
    servers = [EchoServer(kind) for kind in ANSWERS]
    key = key_file()
    yield {name: _raised_by(door) for name, door in doors({one.kind: one.url for one in servers}, key).items()}
    os.unlink(key)  # noqa: PTH108  # loading pathlib is not worth it
    for server in servers:
        server.shutdown()
        server.server_close()


def _raised_by(door: object) -> BaseException:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # whatever error it is
        door()  # type: ignore[operator]  # a door is a call
    pending: list[BaseException | None] = [raised.value]
    while pending:
        error = pending.pop()
        if error is not None:
            _cut_callers(error)
            pending += [error.__cause__, error.__context__]
    return raised.value


def _cut_callers(error: BaseException) -> None:
    """Leave the frames from the first one of the library on: those before are the user's."""
    trace = error.__traceback__
    while trace is not None and "/ramrole_creds/" not in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    error.__traceback__ = trace


@pytest.mark.parametrize("reporter", REPORTERS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_report_of_an_error_shows_no_secret(reporter: str, errors: dict[str, BaseException]) -> None:
    leaks = [name for name, error in errors.items() if error.__traceback__ and _shows(reporter, error)]
    assert not leaks


def test_every_error_has_a_frame_of_the_library(errors: dict[str, BaseException]) -> None:
    assert len(errors) > 300
    assert [name for name, error in errors.items() if error.__traceback__ is None] == []


@pytest.mark.parametrize("reporter", REPORTERS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_check_notices_an_error_that_shows_a_secret(reporter: str) -> None:
    assert _shows(reporter, _open_error())


@pytest.mark.parametrize(
    "reporter",
    ["traceback", "pytest", "rich", "sentry", "loguru", "better-exceptions", "stackprinter", "ipython", "structlog"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_check_notices_a_variable(reporter: str) -> None:
    error = _open_error()
    error.args = ("without",)
    assert _shows(reporter, error)


def _shows(reporter: str, error: BaseException) -> bool:
    return "Marker" in REPORTERS[reporter](error)


def _open_error() -> BaseException:
    def fail(secret: str) -> NoReturn:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="Marker") as raised:
        fail(SECRET)
    return raised.value
