from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CloudSsoProvider,
    CredentialProvider,
    CredentialsUriProvider,
    OAuthProvider,
    OAuthTokens,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing import FakeCloud


METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


@pytest.mark.parametrize("kind", ["credential_uri", "cloud_sso", "oauth"])
def test_a_life_is_reckoned_from_the_servers_time(gate: FakeCloud, kind: str) -> None:
    """A local clock that is hours ahead does not kill credentials as they arrive."""

    class Ahead:
        def time(self) -> float:
            return gate.clock.time() + 7 * 3600

        def monotonic(self) -> float:
            return gate.clock.monotonic()

    gate.attach_role("web")
    makers: dict[str, Callable[[], CredentialProvider]] = {
        "credential_uri": lambda: CredentialsUriProvider(gate.url + METADATA_PATH, clock=Ahead()),
        "cloud_sso": lambda: CloudSsoProvider(gate.url, "123", "ac-1", access_token="sso-token", clock=Ahead()),
        "oauth": lambda: OAuthProvider(OAuthTokens("access-0"), endpoint=gate.url, clock=Ahead()),
    }
    with makers[kind]() as provider:
        assert provider.get_credentials().provider_name == kind
        assert provider.status().state == "fresh"
