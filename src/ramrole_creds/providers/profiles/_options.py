"""What a profile provider passes on to the provider that it makes of a profile."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ramrole_creds.errors import FetchError, ProfileError, ProviderUnavailable
from ramrole_creds.providers.profiles.source_settings import SourceSettings

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider, FetchContext
    from ramrole_creds.providers.profiles.source_settings import ConfigurationFields, SettingNames

NO_PROCESS_VARIABLE: Final = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """Where the services are that a profile's source asks, and the clock.

    Args:
        endpoint: base URL of the metadata service.
        sts_endpoint: host or URL of STS; takes precedence over the profile.
        oauth_endpoint: base URL of the OAuth sign-in service.
        clock: the clock of the credentials.
    """

    endpoint: str | None = None
    sts_endpoint: str | None = None
    oauth_endpoint: str | None = None
    clock: Clock | None = None

    def settings(self, fields: ConfigurationFields, names: SettingNames) -> SourceSettings:
        """The settings of a profile's source."""
        forbidden = f"{NO_PROCESS_VARIABLE} forbids profiles that run a command or ask a URL"
        return SourceSettings(
            fields,
            names,
            {"clock": self.clock},
            endpoint=self.endpoint,
            sts_endpoint=self.sts_endpoint,
            external_forbidden=forbidden if _external_forbidden() else None,
        )


def fetch_from_profile(source: CredentialProvider, context: FetchContext, *, kind: str, profile: str) -> Credentials:
    """The credentials of a profile's source, under the name `kind/…`.

    Raises:
        ProfileError: the source does not apply here. The profile exists and says where its credentials are, so
            another source would be another identity.
        RamRoleError: any other error of the source.
    """
    try:
        credentials = source.fetch(context)
    except ProviderUnavailable as error:
        problem: FetchError = ProfileError(f"{profile}: {error}")
    except FetchError as error:
        problem = _with_profile(error, profile)
    else:
        context.recheck_after()  # the file may be edited
        return credentials.replace(provider_name=f"{kind}/{credentials.provider_name}")
    raise problem


def _with_profile(error: FetchError, profile: str) -> FetchError:
    """The same error, which also says which profile is meant."""
    if isinstance(error, ProfileError):
        return error
    named = copy(error)  # it may be an error that a cache keeps
    named.args = (f"{profile}: {error}",)
    return named


def _external_forbidden() -> bool:
    return os.environ.get(NO_PROCESS_VARIABLE, "").strip().lower() in ("1", "true")
