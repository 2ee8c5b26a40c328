"""How the metadata client uses session tokens."""

from __future__ import annotations

from typing import Final, Literal

TokenMode = Literal["prefer", "require", "off"]
"""`prefer` uses a token and falls back if there is no token service; `require` never falls back; `off` uses none."""

PREFER: Final = "prefer"
REQUIRE: Final = "require"
OFF: Final = "off"
