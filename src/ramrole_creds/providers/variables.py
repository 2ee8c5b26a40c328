"""Environment variables that several providers read, and how they are read."""

from __future__ import annotations

import os
from typing import Final

PROFILE_VARIABLE: Final = "ALIBABA_CLOUD_PROFILE"
ROLE_ARN_VARIABLE: Final = "ALIBABA_CLOUD_ROLE_ARN"
SESSION_NAME_VARIABLE: Final = "ALIBABA_CLOUD_ROLE_SESSION_NAME"
URI_VARIABLE: Final = "ALIBABA_CLOUD_CREDENTIALS_URI"


def env_flag(variable: str) -> bool:
    """A boolean variable as the official SDKs read it: only the word "true" counts, in any case."""
    return os.environ.get(variable, "").strip().lower() == "true"


def argument_or_variable(value: str | None, *variables: str) -> str | None:
    """The argument, else the first variable that is not empty, else None."""
    return value or next((text for name in variables if (text := os.environ.get(name))), None)
