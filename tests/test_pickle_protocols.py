"""Every public object that can be pickled can be with each protocol, and no pickle holds a secret that was fetched."""

from __future__ import annotations

import copy
import json
import operator
import pickle
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    EcsRamRoleProvider,
    FetchContext,
    ProviderChain,
    RamRoleArnProvider,
    RefreshPolicy,
    Signer,
    StaticProvider,
    default_provider,
    errors,
    events,
    provider_from_config,
    provider_from_url,
    signing,
)
from ramrole_creds.local_service import History, LocalService
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.sts import StsClient
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker
from tests.every_scheme import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
ROLE_ARN = "acs:ram::1234567890123456:role/etl"
REQUEST = signing.Request("PUT", "https://my-bucket.oss-cn-hangzhou.aliyuncs.com/k", {"x-a": "b"}, {"q": "1"}, b"body")
EVENTS = [
    events.Fetched("p", 1.0, 1, "STS.NTab…", "web", None, 0.1),
    events.FetchedUnchanged("p", 1.0, 60.0, 0.1),
    events.FetchFailed("p", 1.0, "FetchError", "what failed", 1, 2.0, None, 0.1),
    events.IdentityChanged("p", 1.0, "web", "db", "env", "ecs_ram_role"),
    events.RefreshForced("p", 1.0, rejected=True),
    events.StateChanged("p", 1.0, "fresh", "advisory"),
]


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web") as cloud:
        yield cloud


def used(cloud: FakeCloud) -> EcsRamRoleProvider:
    provider = EcsRamRoleProvider(endpoint=cloud.url)
    provider.get_credentials()
    return provider


def used_client(cloud: FakeCloud) -> MetadataClient:
    client = MetadataClient(cloud.url)
    assert client.role_names() == ("web",)
    return client


def used_signer(cloud: FakeCloud) -> Signer:
    signer = Signer(used(cloud), signing.OSSV4("cn-hangzhou"))
    signer.sign(REQUEST)
    signer.learn_server_time("my-bucket.oss-cn-hangzhou.aliyuncs.com", cloud.clock.time() + 600)
    return signer


def given(value: object, _: FakeCloud) -> object:
    return value


OBJECTS: dict[str, Callable[[FakeCloud], object]] = {
    "provider": used,
    "chain": lambda cloud: ProviderChain(used(cloud)),
    "default": lambda _: default_provider(expect_role="web"),
    "provider of a URL": lambda cloud: provider_from_url(f"ecs-ram-role://web?endpoint={cloud.url}"),
    "provider of a configuration": lambda _: provider_from_config({"type": "ecs_ram_role", "role_name": "web"}),
    "assumed role": lambda cloud: RamRoleArnProvider(used(cloud), role_arn=ROLE_ARN, endpoint=cloud.url),
    "status": lambda cloud: used(cloud).status(),
    "policy": lambda _: RefreshPolicy(),
    "request": lambda _: REQUEST,
    "signer": used_signer,
    "metadata client": used_client,
    "sts client": lambda cloud: StsClient(cloud.url),
    "caller": lambda cloud: StsClient(cloud.url).get_caller_identity(used(cloud).get_credentials()),
    **{f"scheme {name}": partial(given, scheme) for name, scheme in SCHEMES.items()},
    **{type(event).__name__: partial(given, event) for event in EVENTS},
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_every_protocol_carries_the_object_and_no_secret(cloud: FakeCloud, make: Callable[[FakeCloud], object]) -> None:
    value = make(cloud)
    for protocol in PROTOCOLS:
        sent = pickle.dumps(value, protocol)
        assert leaked_marker(sent.decode("latin-1")) is None
        arrived = pickle.loads(sent)
        assert type(arrived) is type(value)
        if type(value).__eq__ is not object.__eq__:
            assert arrived == value


@pytest.mark.parametrize("library", ["cloudpickle", "dill"])
@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_other_picklers_carry_the_object_and_no_secret(
    cloud: FakeCloud, make: Callable[[FakeCloud], object], library: str
) -> None:
    pickler: Any = pytest.importorskip(library)
    value = make(cloud)
    sent = pickler.dumps(value)
    assert leaked_marker(sent.decode("latin-1")) is None
    assert type(pickle.loads(sent)) is type(value)
    assert type(copy.deepcopy(copy.copy(value))) is type(value)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_keeps_its_text_with_each_protocol(name: str) -> None:
    error = getattr(errors, name)("what failed. What to do.")
    for protocol in PROTOCOLS:
        assert str(pickle.loads(pickle.dumps(error, protocol))) == str(error)


@pytest.mark.parametrize("trip", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one, 0))])
def test_a_signer_signs_as_before_with_the_same_provider(cloud: FakeCloud, trip: Callable[[Any], Any]) -> None:
    signer = Signer(used(cloud), signing.ACS3(), nonce=constant)
    arrived = trip(signer)
    assert arrived.provider is signer.provider
    request = signing.Request("POST", f"{cloud.url}/", {"x-acs-action": "A", "x-acs-version": "1"})
    names = [name for name, _ in signer.sign(request).headers]
    assert [name for name, _ in arrived.sign(request).headers] == names
    assert arrived.sign(request).header("x-acs-signature-nonce") == "constant"


def constant() -> str:
    return "constant"


def test_what_a_signer_learnt_of_a_clock_stays_in_its_process(cloud: FakeCloud) -> None:
    signer = used_signer(cloud)
    assert signer.knows_skew()
    assert not pickle.loads(pickle.dumps(signer)).knows_skew()


def test_a_signer_of_a_secret_says_what_to_send_instead(cloud: FakeCloud) -> None:
    fixed = [
        Signer.fixed(used(cloud).get_credentials(), signing.ACS3()),
        Signer(StaticProvider("LTAIid", "MarkerSecret"), signing.ACS3()),
    ]
    for signer in fixed:
        for protocol in PROTOCOLS:
            with pytest.raises(TypeError, match=r"Pickle (the|a) provider"):
                pickle.dumps(signer, protocol)
        arrived = copy.deepcopy(signer).sign(REQUEST)
        assert arrived.header("x-acs-security-token") == signer.sign(REQUEST).header("x-acs-security-token")


def test_a_metadata_client_arrives_without_its_session_token(cloud: FakeCloud) -> None:
    client = used_client(cloud)
    before = len(cloud.requests.to("token"))
    assert pickle.loads(pickle.dumps(client)).role_names() == ("web",)
    assert len(cloud.requests.to("token")) == before + 1
    assert client.role_names() == ("web",)
    assert len(cloud.requests.to("token")) == before + 1


BOUND: dict[str, tuple[Callable[[FakeCloud], Any], str]] = {
    "fake cloud": (lambda cloud: cloud, "Send its address"),
    "local service": (lambda cloud: LocalService(used(cloud)), "Send the provider"),
    "virtual clock": (lambda cloud: cloud.clock, "made without it"),
    "provider with a virtual clock": (lambda cloud: EcsRamRoleProvider(clock=cloud.clock), "made without it"),
    "fetch context": (lambda _: FetchContext.create(), r"Send the number that remaining\(\) returns"),
    "history": (lambda _: History(), "Send a provider without it"),
    "listener of a provider": (lambda _: EcsRamRoleProvider(on_event=History()), "Send a provider without it"),
}


@pytest.mark.parametrize(("make", "says"), BOUND.values(), ids=BOUND)
def test_what_belongs_to_a_process_says_what_to_send_instead(
    cloud: FakeCloud, make: Callable[[FakeCloud], Any], says: str
) -> None:
    value = make(cloud)
    for protocol in PROTOCOLS:
        with pytest.raises(TypeError, match=says):
            pickle.dumps(value, protocol)
    assert copy.copy(value) is value
    assert copy.deepcopy(value) is value


@pytest.mark.parametrize("kind", ["credentials", "provider", "static provider"])
def test_messages_of_json_are_refused_with_what_to_do(cloud: FakeCloud, kind: str) -> None:
    """Celery's messages, among others, ask an object for `__json__`."""
    held = used(cloud).get_credentials()
    value = {
        "credentials": held,
        "provider": used(cloud),
        "static provider": StaticProvider(held.access_key_id, held.access_key_secret, held.security_token),
    }[kind]
    with pytest.raises(TypeError, match=r"cannot be sent as JSON.* at module level") as raised:
        json.dumps([value], default=operator.methodcaller("__json__"))
    assert leaked_marker(str(raised.value)) is None
