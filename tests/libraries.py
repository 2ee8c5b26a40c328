"""The libraries that print or write objects, for the tests that look for secrets in what they write."""

from __future__ import annotations

import importlib
import io
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def library(name: str) -> Any:
    """The library, which must be there in the environment made for these tests."""
    return importlib.import_module(name) if os.environ.get("SERIALIZERS") == "required" else pytest.importorskip(name)


def logged_text(formatter: logging.Formatter, log: Callable[[logging.Logger], None]) -> str:
    """What a formatter makes of the lines that are logged."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter)
    logger = logging.Logger("separate")  # noqa: LOG001  # one that no other handler hears
    logger.addHandler(handler)
    log(logger)
    return text.getvalue()
