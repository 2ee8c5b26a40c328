"""What type checkers see of the public face. mypy and pyright read this file; nothing runs it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from typing_extensions import assert_type

from ramrole_creds import (
    CredentialProvider,
    Credentials,
    EcsRamRoleProvider,
    FetchContext,
    FunctionProvider,
    ProviderChain,
    ProviderStatus,
    RamRoleArnProvider,
    RefreshPolicy,
    Signer,
    StaticProvider,
    default_provider,
    provider_from_url,
    signing,
)
from ramrole_creds.metadata import MetadataClient, TokenMode
from ramrole_creds.sts import CallerIdentity, StsClient
from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.events import Event, EventListener


def reading() -> None:
    provider = default_provider(expect_role="web", policy=RefreshPolicy(advisory_window=600, mandatory_wait=1))
    assert_type(provider, ProviderChain)
    credentials = provider.get_credentials(valid_for=900, timeout=1.5)
    assert_type(credentials, Credentials)
    assert_type(credentials.access_key_id, str)
    assert_type(credentials.security_token, str | None)
    assert_type(credentials.expiration, datetime | None)
    assert_type(provider.refresh(rejected=credentials), Credentials)
    assert_type(provider.status(), ProviderStatus)
    assert_type(provider.get_credential(), Credentials)
    with EcsRamRoleProvider("web", token_mode="require") as instance:
        assert_type(instance, EcsRamRoleProvider)
    on_top: CredentialProvider = RamRoleArnProvider(provider, "acs:ram::1:role/deploy")
    provider = ProviderChain(on_top, StaticProvider("id", "secret"))
    assert_type(provider_from_url("ecs-ram-role://web"), CredentialProvider)


async def reading_in_a_coroutine(provider: CredentialProvider) -> None:
    assert_type(await provider.get_credentials_async(), Credentials)
    assert_type(await asyncio.wait_for(provider.get_credential_async(), 1), Credentials)


class Vault(CredentialProvider):
    """A provider outside of the package."""

    name = "vault"

    def fetch(self, context: FetchContext) -> Credentials:
        assert_type(context.remaining(), float)
        assert_type(context.rejected, Credentials | None)
        context.record_server_time(0.0)
        context.recheck_after(60.0)
        return Credentials("id", "secret")


def listening(clock: Clock) -> None:
    def show(event: Event) -> None:
        assert_type(event.provider, str)

    listener: EventListener = show
    Vault(on_event=listener, clock=clock)
    FunctionProvider(lambda: Credentials("id", "secret"), name="vault", on_event=show)


def refused_by_type_checkers() -> None:
    default_provider(policy=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    default_provider().get_credentials("900")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    EcsRamRoleProvider(token_mode="always")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Vault.fetch(Vault(), None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def signing_requests(provider: CredentialProvider) -> None:
    signer = Signer(provider, signing.OSSV4("cn-hangzhou", "bucket"))
    signed = signer.sign(signing.Request("GET", "https://bucket.oss-cn-hangzhou.aliyuncs.com/key"))
    assert_type(signed, signing.Request)
    assert_type(signed.url, str)
    assert_type(signed.header("Authorization"), str | None)
    assert_type(signer.presign(signed, 60.0), signing.PresignedUrl)


def asking_services(mode: TokenMode, signer_of_a_user: Credentials) -> None:
    client = MetadataClient(token_mode=mode)
    assert_type(client.role_names(), tuple[str, ...])
    assert_type(client.region_id, str)
    identity = StsClient().get_caller_identity(signer_of_a_user)
    assert_type(identity, CallerIdentity)


def testing_with_the_fake_cloud() -> None:
    with FakeCloud(role="web", mode="hardened") as cloud:
        assert_type(cloud.url, str)
        assert_type(cloud.clock, VirtualClock)
