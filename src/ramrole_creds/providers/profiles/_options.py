"""What a profile provider hands on to the provider that it makes of a profile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.errors import ProfileError, ProviderUnavailable

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider, FetchContext

NO_PROCESS_VARIABLE = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """Where the services are that a profile's source asks, and the clock.

    Args:
        endpoint: base URL of the metadata service.
        sts_endpoint: host or URL of STS; before that of the profile.
        oauth_endpoint: base URL of the OAuth sign-in service.
        clock: by which credentials live.
    """

    endpoint: str | None = None
    sts_endpoint: str | None = None
    oauth_endpoint: str | None = None
    clock: Clock | None = None


def external_forbidden() -> bool:
    """True where profiles may neither run commands nor ask URLs, by ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS."""
    return os.environ.get(NO_PROCESS_VARIABLE, "").strip().lower() in ("1", "true")


def fetch_from_profile(source: CredentialProvider, context: FetchContext, *, kind: str, profile: str) -> Credentials:
    """What a profile's own source gives, under the name `kind/…`.

    Raises:
        ProfileError: the source does not apply here. The profile is here and says where its credentials are: to go
            on elsewhere would be another identity.
        RamRoleError: what else the source raised.
    """
    try:
        credentials = source.fetch(context)
    except ProviderUnavailable as error:
        problem = str(error)
    else:
        context.recheck_after()  # the file may be edited
        return credentials.replace(provider_name=f"{kind}/{credentials.provider_name}")
    raise ProfileError(f"{profile}: {problem}")
