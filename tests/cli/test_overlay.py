"""Overlay networks in the metadata service's range are recognised from the machine's own addresses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.cli.diagnosis.overlay import overlay_addresses

TAILSCALE = """Local:
  +-- 100.64.0.0/10 2 0 2
     |-- 100.101.7.12
        /32 host LOCAL
     |-- 192.168.1.7
        /32 host LOCAL
     |-- 100.100.100.200
        /32 universe UNICAST
"""


def test_an_own_address_of_the_range_is_an_overlay() -> None:
    assert overlay_addresses(TAILSCALE) == ["100.101.7.12"]


def test_a_machine_without_one_has_none() -> None:
    assert overlay_addresses(TAILSCALE.replace("100.101", "10.101")) == []


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    assert isinstance(overlay_addresses(text), list)


@given(st.tuples(*[st.integers(0, 999)] * 4))
def test_what_is_no_address_is_no_overlay(parts: tuple[int, ...]) -> None:
    address = ".".join(map(str, parts))
    found = overlay_addresses(f"|-- {address}\n   /32 host LOCAL\n")
    assert found == ([address] if parts[0] == 100 and 64 <= parts[1] < 128 and max(parts) < 256 else [])
