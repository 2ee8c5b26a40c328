"""Credentials of a CloudSSO access configuration, for a token from the aliyun CLI's sign-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, NoReturn

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import checked_instant
from ramrole_creds._formats.credential_json import PASCAL_CASE, inner_object, read_credentials
from ramrole_creds._http.urls import InvalidUrlError, parse_url
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import ConfigurationError, cannot_be_pickled
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.sign_in._client import SignInClient
from ramrole_creds.sts.endpoints import base_url

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions


class CloudSsoProvider(CredentialProvider):
    """Exchanges a CloudSSO access token for credentials.

    The token cannot be renewed without the user. `CliProfileProvider` reads it from the CLI's file at each fetch, so a
    new sign-in takes effect. A CloudSsoProvider cannot be pickled, since it holds the token.

    Args:
        sign_in_url: URL of the sign-in page; its host is asked.
        account_id: the id of the account.
        access_configuration: id of the access configuration.
        access_token: the token.
        access_token_expire: Unix seconds when the token expires; None if unknown.
        connect_timeout: time limit for connecting, in seconds.
        read_timeout: time limit for each read, in seconds.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: an argument is missing or not valid.
    """

    name: ClassVar[str] = "cloud_sso"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(
        self,
        sign_in_url: str,
        account_id: str,
        access_configuration: str,
        *,
        access_token: str,
        access_token_expire: float | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if not (sign_in_url and account_id and access_configuration and access_token):
            raise ConfigurationError(
                "CloudSSO needs sign_in_url, account_id, access_configuration and access_token. Sign in with the "
                "aliyun CLI to get them."
            )
        self._url = _service_url(sign_in_url)
        self._body = json.dumps({"AccountId": account_id, "AccessConfigurationId": access_configuration}).encode()
        self._access_token = sealed(access_token)
        self._expire = checked_instant("access_token_expire", access_token_expire)
        self._client = SignInClient(
            "CloudSSO",
            "Sign in again: aliyun configure --mode CloudSSO.",
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )

    def fetch(self, context: FetchContext) -> Credentials:
        """Exchange the token now.

        Raises:
            FetchError: the sign-in has expired, or the service refused or could not be reached.
        """
        if self._expire is not None and self._expire <= context.clock.time():
            raise self._client.expired("the sign-in has expired")
        document = self._client.post(
            self._url,
            {"Authorization": f"Bearer {self._access_token()}", "Content-Type": "application/json"},
            self._body,
            context,
        )
        make_error = self._client.error_factory(self._url)
        inner = inner_object(document, "CloudCredential", make_error)
        return read_credentials(inner, PASCAL_CASE, make_error, provider_name=self.name)

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would exchange the CloudSSO sign-in at {self._url}"

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled(
            "A CloudSsoProvider cannot be pickled: it holds the token of the sign-in. Pickle a CliProfileProvider."
        )

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce__()


def _service_url(sign_in_url: str) -> str:
    """The URL of the credentials call on the host of the sign-in page."""
    try:
        url = parse_url(sign_in_url)
    except InvalidUrlError as error:
        raise ConfigurationError(f"sign_in_url must be the URL of the sign-in page, https://HOST/…; {error}.") from None
    return base_url(url.base, "sign_in_url") + "/cloud-credentials"
