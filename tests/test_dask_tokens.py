"""What holds a secret gets no name from Dask, which would hash it, and says what to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, OAuthProvider, PushProvider, StaticProvider
from ramrole_creds.providers.sign_in.cloud_sso import CloudSsoProvider
from ramrole_creds.providers.sign_in.oauth import OAuthTokens

if TYPE_CHECKING:
    from collections.abc import Callable

HOLDERS: dict[str, Callable[[], object]] = {
    "static": lambda: StaticProvider("LTAI", "secret"),
    "push": PushProvider,
    "oauth": lambda: OAuthProvider(OAuthTokens("access", "refresh", 0)),
    "cloud sso": lambda: CloudSsoProvider("https://sso.example.com/login", "1", "ac-1", access_token="token"),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_holds_a_secret_is_not_named_by_dask(name: str) -> None:
    holder = HOLDERS[name]()
    with pytest.raises(TypeError, match="cannot be pickled"):
        holder.__dask_tokenize__()  # type: ignore[attr-defined]


def test_credentials_themselves_are_not_named_either() -> None:
    with pytest.raises(TypeError):
        Credentials("LTAI", "secret").__reduce__()
