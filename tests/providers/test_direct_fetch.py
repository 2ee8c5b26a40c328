"""Errors of `fetch()` called without the cache: no frame of them has a secret or a token."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CredentialProvider,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    FetchContext,
    OidcRoleArnProvider,
    ProcessProvider,
    ProviderChain,
    RamRoleArnProvider,
    RamRoleError,
    StaticProvider,
)
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker
from tests.failing_provider import provider_that_fails_with

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "MarkerSecretMarkerSecret"


def of_the_instance(cloud: FakeCloud) -> CredentialProvider:
    cloud.faults.add("credentials", "document", set={"Expiration": 1})
    return EcsRamRoleProvider(endpoint=cloud.url)


def of_a_uri(cloud: FakeCloud) -> CredentialProvider:
    cloud.faults.add(
        "credentials", 200, body=json.dumps({"Code": "Success", "AccessKeyId": SECRET, "AccessKeySecret": ""})
    )
    return CredentialsUriProvider(f"{cloud.url}/latest/meta-data/ram/security-credentials/web?key={SECRET}")


def of_a_role(cloud: FakeCloud) -> CredentialProvider:
    cloud.faults.add("AssumeRole", 200, body=json.dumps({"Credentials": {"AccessKeyId": SECRET}}))
    return RamRoleArnProvider(StaticProvider("LTAI", SECRET), "acs:ram::1:role/app", endpoint=cloud.url)


def of_a_token(cloud: FakeCloud) -> CredentialProvider:
    return OidcRoleArnProvider(
        "acs:ram::1:role/app", "acs:ram::1:oidc-provider/ack", token=lambda: SECRET, endpoint=cloud.url
    )


def of_a_command(_cloud: FakeCloud) -> CredentialProvider:
    return ProcessProvider(["printf", json.dumps({"mode": "AK", "access_key_id": SECRET})])


def of_a_chain(cloud: FakeCloud) -> CredentialProvider:
    return ProviderChain(of_the_instance(cloud))


def of_a_plug_in(_cloud: FakeCloud) -> CredentialProvider:
    return provider_that_fails_with(SECRET)


@pytest.mark.parametrize(
    "make",
    [of_the_instance, of_a_uri, of_a_role, of_a_token, of_a_command, of_a_chain, of_a_plug_in],
    ids=["ecs", "uri", "role", "oidc", "process", "chain", "plug-in"],
)
def test_no_frame_of_a_failed_fetch_has_a_secret(make: Callable[[FakeCloud], CredentialProvider]) -> None:
    with FakeCloud(role="web", mode="normal") as cloud:
        provider = make(cloud)
        with pytest.raises(RamRoleError) as raised:
            provider.fetch(FetchContext.create(clock=cloud.clock))
    error: BaseException | None = raised.value
    while error is not None:
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
        texts = [repr(frames[1:] if error is raised.value else frames), str(error)]  # the first frame is this test's
        assert not [text for text in texts if SECRET in text or leaked_marker(text)]
        error = error.__cause__ or error.__context__
