"""What a traceback may show: frames of this library hold tokens and secrets, and those of users' code may too."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

from ramrole_creds.errors import RamRoleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import ParamSpec

    Arguments = ParamSpec("Arguments")

_OURS: Final = "ramrole_creds."
Error = TypeVar("Error", bound=BaseException)
Result = TypeVar("Result")


def without_frames(error: Error) -> Error:
    """The same error without traceback and context, and with no cause but errors of this library.

    The frames below the caller, and those of the errors that led to this one, have local variables with tokens,
    documents and secrets. Tools such as `pytest -l`, cgitb and Sentry print them.
    """
    error.__traceback__ = None
    error.__context__ = None
    cause = error.__cause__
    if isinstance(cause, RamRoleError):
        without_frames(cause)
    else:
        error.__cause__ = None
    return error


def hide_frames(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let errors leave a function without its arguments and without the local variables of the frames below it.

    The errors of this library lose these frames, since their text says what is wrong. Other errors keep the lines;
    where the function is somebody else's, its variables are kept too.
    """
    is_ours = function.__module__.startswith(_OURS)

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except RamRoleError as error:
            args, kwargs = (), {}  # type: ignore[assignment]  # the traceback shows this frame; an argument may be a token
            raise without_frames(error) from error.__cause__
        except BaseException as error:
            args, kwargs = (), {}  # type: ignore[assignment]  # as above
            if is_ours:
                clear_locals(error)
            raise

    return call


def hide_locals(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let every error leave a function without its arguments, and without the variables of the frames below it.

    Their lines stay. An argument of the wrong type may be a secret.
    """

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            args, kwargs = (), {}  # type: ignore[assignment]  # the traceback shows this frame
            clear_locals(error)
            raise

    return call


def clear_locals(error: BaseException) -> None:
    """Delete the variables of all ended frames of an error, and of the errors that led to it.

    Frames that still run, and those above the first one of this library, keep their variables. What Python notes
    of the value that it failed with is deleted too: the object without the attribute, the text with the character.
    """
    cleared: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        current = left.pop()
        if current is not None and id(current) not in cleared:
            cleared.add(id(current))
            _clear_from_ours(current.__traceback__)
            _clear_value(current)
            left += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]


def _clear_from_ours(traceback: TracebackType | None) -> None:
    inside = False
    while traceback is not None:
        frame = traceback.tb_frame
        inside = inside or str(frame.f_globals.get("__name__", "")).startswith(_OURS)
        if inside:
            with suppress(RuntimeError):  # it still runs
                frame.clear()
        traceback = traceback.tb_next


def _clear_value(error: BaseException) -> None:
    if isinstance(error, AttributeError):
        error.obj = None
    elif isinstance(error, UnicodeEncodeError):
        error.object = ""
        error.args = (error.encoding, "", error.start, error.end, error.reason)
    elif isinstance(error, UnicodeDecodeError):
        error.object = b""
        error.args = (error.encoding, b"", error.start, error.end, error.reason)


def describe_exception(error: BaseException) -> str:
    """Class, file and line of an exception of somebody else's code, for instance "KeyError at /app/vault.py:12".

    Neither its text nor a local variable is shown: both may be secret. The line is the last one outside of this
    library, the standard library and installed packages; without such a line, the last one.
    """
    lines = _lines_of(error.__traceback__)
    own = [line for line in lines if not line.startswith(_LIBRARIES) and not any(part in line for part in _PACKAGES)]
    where = (own or lines)[-1:]
    return f"{type(error).__name__} at {where[0]}" if where else type(error).__name__


_LIBRARIES = (os.path.dirname(os.__file__) + os.sep, os.path.dirname(__file__) + os.sep, "<frozen ")  # noqa: PTH120  # loading pathlib costs time
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def _lines_of(traceback: TracebackType | None) -> list[str]:
    lines = []
    while traceback is not None:
        lines.append(f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return lines
