"""Whoever adds a scheme is shown what it still needs: vectors, a verifier, a comparison, a line of the manual."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from ramrole_creds import signing
from tests.every_scheme import SCHEMES
from tests.signing.test_vectors import VECTORS, scheme_of
from tests.testing.verify.test_signer_and_verifier_agree import SCHEMES as VERIFIED

ROOT = Path(__file__).parents[2]
WITHOUT_SIGNER = {"FCV3Trigger", "MNSV4", "OSSV2"}
"""No official SDK for Python signs by them at a place that the comparison could call."""


def test_every_scheme_is_verified_by_other_code() -> None:
    assert {type(scheme).__name__ for scheme, *_ in VERIFIED.values()} == SCHEMES.keys()


def test_every_scheme_reproduces_vectors() -> None:
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in VECTORS.glob("*.json")}
    made = {
        type(scheme_of(name, vector["input"], vector["output"], vector["name"])).__name__
        for name, file in files.items()
        for vector in file["vectors"]
    }
    assert SCHEMES.keys() - made == {"MNSV4"}  # test_published_vectors.py


@pytest.mark.parametrize("name", sorted(SCHEMES.keys() - WITHOUT_SIGNER))
def test_every_scheme_is_compared_with_its_official_signer(name: str) -> None:
    comparison = ROOT / "tests" / "signing" / "differential" / "test_official_signers.py"
    assert f"signing.{name}(" in comparison.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_stands_in_the_manual_with_its_arguments(name: str) -> None:
    arguments = ", ".join(
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={json.dumps(parameter.default)}"
        for parameter in inspect.signature(getattr(signing, name)).parameters.values()
    )
    arguments = arguments.replace("=[]", "=()").replace("=null", "=None")
    assert f"`signing.{name}({arguments})`" in (ROOT / "docs" / "signing.md").read_text(encoding="utf-8")
