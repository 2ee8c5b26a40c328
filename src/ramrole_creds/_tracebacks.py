"""Removes from errors what a debugger or a crash report would show: frames of ours hold tokens and secrets."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar

from ramrole_creds.errors import RamRoleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import ParamSpec

    Arguments = ParamSpec("Arguments")

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
    """Let the errors of this library leave a function without the frames below it; other errors pass unchanged."""

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except RamRoleError as error:
            del args, kwargs  # the traceback shows this frame, and an argument may be a token
            raise without_frames(error) from error.__cause__

    return call
