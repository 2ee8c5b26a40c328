"""Credentials of a CloudSSO access configuration, for a token that the aliyun CLI's sign-in got."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, NoReturn
from urllib.parse import urlsplit

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._formats.credential_json import PASCAL_CASE, inner_object, read_credentials
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.sign_in._client import SignInClient
from ramrole_creds.sts.endpoints import base_url

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions


class CloudSsoProvider(CredentialProvider):
    """Exchanges a CloudSSO access token for credentials.

    The token cannot be renewed without the user: `CliProfileProvider` reads it from the CLI's file at each fetch, so
    that a new sign-in is seen. A provider made by hand cannot be pickled, since it holds the token.

    Args:
        sign_in_url: URL of the sign-in page; its host is asked.
        account_id: the account to enter.
        access_configuration: id of the access configuration.
        access_token: the token.
        access_token_expire: Unix seconds when it ends; None where that is not known.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        options: `policy`, `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: an argument is missing or makes no sense.
    """

    name: ClassVar[str] = "cloud_sso"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(  # the sign-in gives so many
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
                "CloudSSO needs sign_in_url, account_id, access_configuration and access_token: sign in with the "
                "aliyun CLI."
            )
        parts = urlsplit(sign_in_url)
        self._url = base_url(f"{parts.scheme}://{parts.netloc}", "sign_in_url") + "/cloud-credentials"
        self._body = json.dumps({"AccountId": account_id, "AccessConfigurationId": access_configuration}).encode()
        self._access_token = access_token
        self._expire = access_token_expire
        self._client = SignInClient(
            "CloudSSO",
            "Sign in again: aliyun configure --mode CloudSSO.",
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )

    def fetch(self, context: FetchContext) -> Credentials:
        """Exchange the token now.

        Raises:
            FetchError: the sign-in has expired, or the service refused or could not be asked.
        """
        if self._expire is not None and self._expire <= context.clock.time():
            raise self._client.expired("the sign-in has expired")
        document = self._client.post(
            self._url,
            {"Authorization": f"Bearer {self._access_token}", "Content-Type": "application/json"},
            self._body,
            context,
        )
        make_error = self._client.complaint(self._url)
        inner = inner_object(document, "CloudCredential", make_error)
        return read_credentials(inner, PASCAL_CASE, make_error, provider_name=self.name)

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would exchange the CloudSSO sign-in at {self._url}"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A CloudSsoProvider cannot be pickled: it holds the sign-in's token. Send a CliProfileProvider."
        )

    def __dask_tokenize__(self) -> NoReturn:
        self.__reduce__()
