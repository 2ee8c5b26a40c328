"""The issuer of OpenID Connect tokens, as a test uses it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("as_argument", [str, lambda path: path], ids=["str", "Path"])
def test_a_token_file_is_replaced_and_only_its_owner_reads_it(as_argument: type[str], tmp_path: Path) -> None:
    path = tmp_path / "token"
    with FakeCloud() as cloud:
        assert cloud.oidc.write_token(as_argument(path)) == path
        first = path.read_text(encoding="ascii")
        assert cloud.oidc.write_token(as_argument(path), "system:serviceaccount:shop:web") == path
    assert path.read_text(encoding="ascii") != first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
