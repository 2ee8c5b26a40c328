"""Credentials from environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable, RamRoleError, describe_error
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.variables import KEY_ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE, rename_hint

if TYPE_CHECKING:
    from ramrole_creds.provider import FetchContext


class EnvironmentProvider(CredentialProvider):
    """Reads ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN.

    The variables are read at each fetch, and again every five minutes: the expiry of a token is unknown here, and a
    program may change the variables.

    Args:
        policy: when to refresh.
        clock: the time by which credentials expire.
        on_event: receives the events of the provider.
    """

    name: ClassVar[str] = "env"

    def fetch(self, context: FetchContext) -> Credentials:
        """The credentials in the variables now.

        Raises:
            ProviderUnavailable: neither ID nor secret is set. That is certain: nothing else is read.
            FetchError: only one of the two is set, or a value is not a key.
        """
        credentials = self._read()
        context.recheck_after()
        return credentials

    def explain(self) -> str:
        """What a fetch would do."""
        try:
            self._read()
        except RamRoleError as error:
            return describe_error(error)
        there = [name for name in (KEY_ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE) if os.environ.get(name)]
        return f"would use {', '.join(there)}"

    def _read(self) -> Credentials:
        key_id, secret = os.environ.get(KEY_ID_VARIABLE, ""), os.environ.get(SECRET_VARIABLE, "")
        if not key_id and not secret:
            hint = rename_hint(KEY_ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE)
            raise ProviderUnavailable(f"{KEY_ID_VARIABLE} and {SECRET_VARIABLE} are not set.{hint}")
        if not key_id or not secret:
            present, missing = (KEY_ID_VARIABLE, SECRET_VARIABLE) if key_id else (SECRET_VARIABLE, KEY_ID_VARIABLE)
            raise FetchError(
                f"{present} is set, but {missing} is not. Set both, or unset {present} to use another source."
                + rename_hint(missing),
                unrecoverable=True,
            )
        try:
            return Credentials(key_id, secret, os.environ.get(TOKEN_VARIABLE) or None, provider_name=self.name)
        except ConfigurationError as error:
            problem = str(error)
        raise FetchError(f"The key pair in the ALIBABA_CLOUD_… variables cannot be used: {problem}", unrecoverable=True)
