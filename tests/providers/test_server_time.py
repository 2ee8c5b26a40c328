from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CloudSsoProvider,
    CredentialProvider,
    CredentialsUriProvider,
    FetchError,
    OAuthProvider,
    OAuthTokens,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing import FakeCloud


METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


class Ahead:
    """A local clock that is seven hours ahead."""

    def __init__(self, true: Clock) -> None:
        self.true = true

    def time(self) -> float:
        return self.true.time() + 7 * 3600

    def monotonic(self) -> float:
        return self.true.monotonic()


KINDS = ["credential_uri", "cloud_sso", "oauth"]


def opened(gate: FakeCloud, kind: str, clock: Clock) -> CredentialProvider:
    makers: dict[str, Callable[[], CredentialProvider]] = {
        "credential_uri": lambda: CredentialsUriProvider(gate.url + METADATA_PATH, clock=clock),
        "cloud_sso": lambda: CloudSsoProvider(gate.url, "123", "ac-1", access_token="sso-token", clock=clock),
        "oauth": lambda: OAuthProvider(OAuthTokens("access-0"), endpoint=gate.url, clock=clock),
    }
    return makers[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_is_reckoned_from_the_servers_time(gate: FakeCloud, kind: str) -> None:
    """A local clock that is hours ahead does not kill credentials as they arrive."""
    gate.attach_role("web")
    with opened(gate, kind, Ahead(gate.clock)) as provider:
        assert provider.get_credentials().provider_name == kind
        assert provider.status().state == "fresh"


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_reports_no_time_is_judged_by_the_local_clock(gate: FakeCloud, kind: str) -> None:
    gate.attach_role("web")
    gate.faults.add("*", "no-date", times=None)
    with opened(gate, kind, gate.clock) as provider:
        provider.get_credentials()
        assert provider.status().state == "fresh"
    with opened(gate, kind, Ahead(gate.clock)) as provider, suppress(FetchError):
        provider.get_credentials()
    assert provider.status().state != "fresh"
