"""Checks of arguments that several packages share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite int or float; a bool does not count as a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float can hold
        return False


def checked_seconds(name: str, value: object) -> float:
    """The seconds of a time limit.

    Raises:
        ConfigurationError: the value is not a number above 0.
    """
    if not is_number(value) or value <= 0:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}.")
    return value
