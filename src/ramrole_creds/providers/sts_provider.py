"""The base class of providers that ask STS, and the options that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.provider import CredentialProvider, ProviderOptions
from ramrole_creds.sts.client import StsClient

if TYPE_CHECKING:
    from typing_extensions import Unpack


class StsOptions(ProviderOptions, total=False):
    """Keyword arguments that every provider on top of STS takes, beside those of every provider."""

    endpoint: str | None
    region: str | None
    vpc: bool | None
    connect_timeout: float
    read_timeout: float


class StsProvider(CredentialProvider):
    """Keeps the client of STS.

    Args:
        endpoint: host or URL of STS; else ALIBABA_CLOUD_STS_ENDPOINT, else the endpoint of the region.
        region: region ID; else ALIBABA_CLOUD_STS_REGION.
        vpc: use the region's endpoint inside a VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.
        connect_timeout: time limit for connecting, in seconds.
        read_timeout: time limit for each read, in seconds.
        options: `policy` (the refresh policy), `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: an argument or a variable is not valid.
    """

    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        vpc: bool | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        self._client = StsClient(
            endpoint,
            region=region,
            vpc=vpc,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            clock=self._clock or DEFAULT_CLOCK,
        )
