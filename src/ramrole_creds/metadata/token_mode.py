"""How the metadata client uses session tokens."""

from __future__ import annotations

from typing import Literal

TokenMode = Literal["prefer", "require", "off"]
"""`prefer` asks with a token and falls back where there is no token service; `require` never falls back."""
