"""Keeps secrets out of tracebacks that show local variables (`pytest -l`, cgitb, Sentry)."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def conceals_locals(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function whose variables, or those of its callees, hold secrets: an error leaves with none of them.

    Its traceback keeps files and lines. The arguments stay visible and must not show secrets in their `repr`.
    """

    @functools.wraps(function)
    def concealing(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            clear_locals(error)
            raise

    return concealing


def clear_locals(error: BaseException) -> None:
    """Delete the variables of all frames of an error that have ended, and those of the errors that led to it.

    Args:
        error: one that is being handled. Frames that still run, as the caller's does, keep their variables.
    """
    ended: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in ended:
        ended.add(id(current))
        _clear_from_ours(current.__traceback__)
        current = current.__cause__ or current.__context__


def _clear_from_ours(traceback: TracebackType | None) -> None:
    """Clear the first frame of this package and all below it: those above belong to the caller."""
    inside = False
    while traceback is not None:
        frame = traceback.tb_frame
        inside = inside or str(frame.f_globals.get("__name__", "")).startswith("ramrole_creds.")
        if inside:
            with contextlib.suppress(RuntimeError):  # it still runs
                frame.clear()
        traceback = traceback.tb_next
