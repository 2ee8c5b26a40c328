"""What the benchmarks behind the page "Costs" measure: each program does what the table says."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

MODULES = {"botocore": "botocore", "google-auth": "google.auth", "azure-identity": "azure.identity"}


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("peer_metadata")


@pytest.mark.slow
@pytest.mark.parametrize("peer", MODULES)
def test_a_peer_makes_its_first_signed_call_on_loopback(peers: ModuleType, peer: str) -> None:
    pytest.importorskip(MODULES[peer], reason=f"{peer} is not installed")
    assert set(peers.FIRST_CALLS) == set(MODULES)
    with peers.PeerMetadata() as metadata:
        command = [sys.executable, "-c", peers.FIRST_CALLS[peer]]
        done = subprocess.run(
            command, env=os.environ | metadata.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert [call for call in metadata.calls if call == "answered"] == ["answered"]


@pytest.mark.slow
def test_a_call_without_a_signature_or_token_is_refused(peers: ModuleType) -> None:
    requests = importlib.import_module("requests")
    with peers.PeerMetadata() as metadata, requests.Session() as session:
        session.trust_env = False
        address = f"http://127.0.0.1:{metadata.environment['PEER_PORT']}"
        assert session.get(f"{address}/call", timeout=10).status_code == 401
        assert session.post(address, data="Action=GetCallerIdentity", timeout=10).status_code == 403
        assert metadata.calls == ["refused", "refused"]
