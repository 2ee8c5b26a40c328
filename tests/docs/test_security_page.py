"""Each promise of the page on security names a test that exists."""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, EcsRamRoleProvider
from ramrole_creds.signing._signing_keys import MAX_KEYS

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud, VirtualClock

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`(tests/[\w/.]+)::(\w+)`", PAGE)


@pytest.mark.parametrize(("file", "name"), TESTS, ids=[name for _, name in TESTS])
def test_a_promise_names_a_test_that_exists(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_promise_has_a_test() -> None:
    table = PAGE.partition("| promise | test |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) > 10
    assert all("::" in row for row in rows)


def test_the_memory_holds_secrets_as_long_as_the_page_says(
    ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock
) -> None:
    assert "until a newer one replaces it, also after it has expired; `provider.close()` drops it" in PAGE
    others = held()  # of tests that ran before
    provider = EcsRamRoleProvider()
    first = provider.get_credentials().access_key_id
    assert held() - others == {first}
    ramrole_clock.advance(hours=5, minutes=50)
    second = provider.get_credentials().access_key_id
    assert held() - others == {second} != {first}
    ramrole_cloud.faults.add("metadata", "outage")
    ramrole_clock.advance(hours=8)
    assert (provider.status().usable, held() - others) == (False, {second})
    provider.close()
    assert held() <= others


def held() -> set[str]:
    """The keys of the fake cloud of which the process has the secret."""
    gc.collect()
    keys = {one.access_key_id for one in gc.get_objects() if type(one) is Credentials}
    return {key for key in keys if key.startswith("STS.NTFAKE")}


def test_a_signer_holds_as_many_keys_as_the_page_says() -> None:
    (most,) = re.findall(r"at most (\d+) derived signing keys", PAGE)
    assert int(most) == MAX_KEYS
