"""What a task does: signed calls until the credentials have rotated twice. Workers of every engine import it."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, TypedDict

import requests

from ramrole_creds import Signer, signing
from ramrole_creds.integrations.requests import RequestsAuth

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider

ROTATIONS = 2
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.2


class Report(TypedDict):
    """What a task did."""

    process: int
    keys: list[str]
    refused: int
    identity: str | None
    source: str


def work(provider: CredentialProvider, url: str) -> Report:
    """Make signed calls until two rotations were seen.

    Args:
        provider: signs the calls.
        url: base URL of the fake cloud.

    Raises:
        TimeoutError: the credentials did not rotate.
    """
    headers = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
    keys: list[str] = []
    refused = 0
    ends = time.monotonic() + PATIENCE_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        session.auth = RequestsAuth(Signer(provider, signing.ACS3()))
        while len(keys) <= ROTATIONS:
            if time.monotonic() > ends:
                raise TimeoutError(f"only {len(keys)} generations of credentials in {PATIENCE_SECONDS:g} s")
            refused += session.post(url, headers=headers, timeout=10).status_code != 200
            key = provider.get_credentials().access_key_id
            if key not in keys:
                keys.append(key)
            threading.Event().wait(PAUSE_SECONDS)
    status = provider.status()
    return {
        "process": os.getpid(),
        "keys": keys,
        "refused": refused,
        "identity": status.identity,
        "source": status.provider_name,
    }
