"""pyodps takes a provider through an account of ours, and through its own with two faults."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import Credentials, EcsRamRoleProvider, FetchError, FunctionProvider
from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import odps
    from odps.accounts import CredentialProviderAccount

    from ramrole_creds.integrations.odps import ProviderAccount
from tests.integrations.sdk.conftest import used_elsewhere

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:odps")


ITS_OWN = pytest.param(
    CredentialProviderAccount,
    marks=pytest.mark.skipif(odps.__version__ == "0.12.4", reason="this release signs with the first key for a day"),
)


def client_of(stage: Stage, account: Any, region: str | None = None) -> odps.ODPS:
    return odps.ODPS(account=account, project="project", endpoint=f"{stage.url}/api", region_name=region)


def read(client: odps.ODPS) -> None:
    assert list(client.list_tables()) == []


@pytest.mark.parametrize("region", [None, "cn-hangzhou"])
@pytest.mark.parametrize("kind", [ProviderAccount, ITS_OWN])
def test_calls_are_signed_over_rotations(stage: Stage, kind: Any, region: str | None) -> None:
    client = client_of(stage, kind(stage.provider), region)

    stage.assert_rotates("odps", lambda: read(client))


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = client_of(stage, ProviderAccount(stage.provider))
    read(client)
    stage.expire()

    with pytest.raises(odps.errors.ODPSError, match="expired"):
        read(client)
    retry_on_rejected(stage.provider)(read)(client)


class Signed:
    """A request as far as an account looks at it."""

    def __init__(self) -> None:
        self.url = "http://127.0.0.1/api/projects/project"
        self.method = "GET"
        self.headers: dict[str, str] = {}


def signed_with(account: Any, region: str | None, provider: CredentialProvider) -> list[tuple[str, str]]:
    found = []
    for _ in range(2):
        request = Signed()
        account.sign_request(request, "http://127.0.0.1/api", region_name=region)
        found.append((request.headers["Authorization"], request.headers.get("authorization-sts-token", "")))
        provider.refresh()
    return found


@pytest.mark.parametrize("region", [None, "cn-hangzhou"])
def test_a_changed_secret_under_the_same_id_is_taken(region: str | None) -> None:
    first, second = Credentials("id", "secret1", "token1"), Credentials("id", "secret2", "token2")
    kinds = iter([first, second, second, second])
    provider = FunctionProvider(lambda: next(kinds))

    (one, token1), (two, token2) = signed_with(ProviderAccount(provider), region, provider)

    assert (token1, token2) == ("token1", "token2")
    assert one != two


def test_no_token_is_left_over_when_long_term_keys_follow() -> None:
    request = Signed()

    ProviderAccount(FunctionProvider(lambda: Credentials("STS.id", "secret", "token"))).sign_request(
        request, "http://h"
    )
    ProviderAccount(FunctionProvider(lambda: Credentials("id", "secret"))).sign_request(request, "http://h")

    assert "authorization-sts-token" not in request.headers


def test_a_failing_provider_is_reported_as_such(stage: Stage) -> None:
    def fail() -> Credentials:
        raise FetchError("metadata down")

    with pytest.raises(FetchError, match="metadata down"):
        read(client_of(stage, ProviderAccount(FunctionProvider(fail))))


def test_a_pickled_account_has_no_secret(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    secret = provider.get_credentials().access_key_secret

    pickled = pickle.dumps(ProviderAccount(provider))

    assert secret.encode() not in pickled
    assert pickle.loads(pickled).provider is provider


def test_a_client_carries_its_account_where_pyodps_is_asked_to(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYODPS_PICKLE_ACCOUNT", "true")
    client = client_of(stage, ProviderAccount(EcsRamRoleProvider(endpoint=stage.url)))

    assert used_elsewhere(client, "print(list(value.list_tables()))") == "[]"
