"""A pickled provider: it carries its configuration and nothing that was fetched, and is one object per process."""

from __future__ import annotations

import copy
import gc
import marshal
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CredentialProvider,
    Credentials,
    EcsRamRoleProvider,
    EnvironmentProvider,
    FunctionProvider,
    ProviderChain,
    RefreshPolicy,
    StaticProvider,
)
from ramrole_creds._pickling import MAX_RECENT, restore
from ramrole_creds.clock import SYSTEM_CLOCK, SystemClock
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_provider_that_comes_back_is_the_one_that_left() -> None:
    provider = EcsRamRoleProvider("web", endpoint="http://127.0.0.1:9")
    assert pickle.loads(pickle.dumps(provider)) is provider


def test_tasks_that_were_sent_the_same_provider_share_one() -> None:
    sent = pickle.dumps(EcsRamRoleProvider("travels", endpoint="http://127.0.0.1:9"))
    gc.collect()
    gate = threading.Barrier(8)

    def unpickle(_: int) -> Any:
        gate.wait(10)
        return pickle.loads(sent)

    with ThreadPoolExecutor(8) as pool:
        arrived = list(pool.map(unpickle, range(8)))
    assert len({id(one) for one in arrived}) == 1


def test_different_configurations_become_different_providers() -> None:
    sent = [
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:9"),
        EcsRamRoleProvider("b", endpoint="http://127.0.0.1:9"),
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:8"),
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:9", connect_timeout=1),
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:9", connect_timeout=1.0, policy=RefreshPolicy(jitter=0.2)),
    ]
    arrived = [pickle.loads(pickle.dumps(one)) for one in sent]
    assert len({id(one) for one in arrived}) == len(sent)


def test_one_that_is_unpickled_in_another_environment_is_made_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "first")
    sent = pickle.dumps(ProviderChain(EcsRamRoleProvider(endpoint="http://127.0.0.1:9")))
    first = pickle.loads(sent)
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "second")
    second = pickle.loads(sent)
    assert ("'first'" in first.explain(), "'second'" in second.explain()) == (True, True)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "of no account: it is read at each fetch")
    assert pickle.loads(sent) is second


def test_one_that_was_pickled_in_another_environment_does_not_replace_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "second")
    sent = pickle.dumps(CliProfileProvider(path="/nonexistent"))
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "first")
    first = CliProfileProvider(path="/nonexistent")
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "second")
    pickle.dumps(first)
    assert pickle.loads(sent) is not first
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "first")
    assert pickle.loads(sent) is first


def test_nothing_that_was_fetched_is_pickled() -> None:
    with FakeCloud(role="web", clock=SYSTEM_CLOCK) as cloud:
        provider = EcsRamRoleProvider(endpoint=cloud.url)
        credentials = provider.get_credentials()
        sent = pickle.dumps(provider).decode("latin-1")
        provider.close()
    assert leaked_marker(sent) is None
    assert credentials.access_key_id not in sent


def test_in_another_process_it_fetches_by_itself_and_only_once() -> None:
    program = (
        "import pickle, sys; sent = bytes.fromhex(sys.argv[1]); "
        "ids = {pickle.loads(sent).get_credentials().access_key_id for _ in range(3)}; "
        "one = pickle.loads(sent); ids.add(one.get_credentials().access_key_id); print(*ids)"
    )
    with FakeCloud(role="web", clock=SYSTEM_CLOCK) as cloud:
        chain = ProviderChain(EcsRamRoleProvider(endpoint=cloud.url), name="mine")
        sent = pickle.dumps(chain).hex()
        done = subprocess.run([sys.executable, "-c", program, sent], capture_output=True, text=True, check=True)
        assert len(done.stdout.split()) == 1
        chain.close()


def test_a_provider_of_secrets_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(StaticProvider("LTAIid", "MarkerSecret"))


def test_a_copy_is_the_provider_itself() -> None:
    provider = EcsRamRoleProvider(endpoint="http://127.0.0.1:9")
    assert copy.copy(provider) is provider
    assert copy.deepcopy([provider])[0] is provider


def test_one_without_references_is_not_kept_alive() -> None:
    pickle.dumps(EcsRamRoleProvider("forgotten", endpoint="http://127.0.0.1:9"))
    first = restore(EcsRamRoleProvider, ("forgotten",), {"endpoint": "http://127.0.0.1:9"})
    address = id(first)
    del first
    gc.collect()
    again = restore(EcsRamRoleProvider, ("forgotten",), {"endpoint": "http://127.0.0.1:9"})
    assert again.status().fetches == 0
    assert isinstance(address, int)


def test_the_token_of_a_configuration_is_the_same_everywhere_and_shows_no_argument() -> None:
    program = (
        "from ramrole_creds import EcsRamRoleProvider; "
        "print(*EcsRamRoleProvider('web', endpoint='http://127.0.0.1:9').__dask_tokenize__())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = EcsRamRoleProvider("web", endpoint="http://127.0.0.1:9").__dask_tokenize__()
    assert tuple(done.stdout.split()) == here
    assert "127.0.0.1" not in "".join(here)
    assert EcsRamRoleProvider("db", endpoint="http://127.0.0.1:9").__dask_tokenize__() != here


def test_a_chain_comes_back_as_itself_though_an_equal_one_left_before() -> None:
    earlier, later = (ProviderChain(EnvironmentProvider(), EcsRamRoleProvider("web")) for _ in range(2))
    assert pickle.loads(pickle.dumps(earlier)) is earlier
    assert pickle.loads(pickle.dumps(later)) is later


def test_chains_of_equal_providers_become_one() -> None:
    contents = [pickle.dumps(ProviderChain(EnvironmentProvider(), EcsRamRoleProvider("api"))) for _ in range(8)]
    arrived = [pickle.loads(content) for content in contents]
    assert len({id(chain) for chain in arrived}) == 1


TOKEN_URL = "https://vault.example"


def make_fetch(suffix: str, calls: dict[str, int] | None = None) -> Callable[[], Credentials]:
    def fetch() -> Credentials:
        return Credentials(f"LTAI{len(TOKEN_URL)}{suffix}", "secret", provider_name=str(calls))

    return fetch


def unpickled(function: Callable[..., Any], **changed: object) -> Callable[..., Any]:
    """The function as a library such as cloudpickle makes it anew: same code, copies of everything around it."""
    assert isinstance(function, FunctionType)
    code = marshal.loads(marshal.dumps(function.__code__))
    cells = tuple(CellType(copy.deepcopy(cell.cell_contents)) for cell in function.__closure__ or ())
    return FunctionType(code, {**function.__globals__, **changed}, function.__name__, function.__defaults__, cells)


def shared(function: Callable[..., Any], **options: Any) -> CredentialProvider:
    return restore(FunctionProvider, (function,), options)


def test_tasks_that_receive_a_function_with_its_code_share_one_provider() -> None:
    fetch = make_fetch("a", {"b": 1})
    first = shared(unpickled(fetch))
    assert all(shared(unpickled(fetch)) is first for _ in range(200))


def test_a_function_of_other_code_closure_or_globals_is_another_provider() -> None:
    first = shared(unpickled(make_fetch("a")))
    assert shared(unpickled(make_fetch("b"))) is not first
    assert shared(unpickled(make_fetch("a"), TOKEN_URL="https://other.example")) is not first
    assert shared(unpickled(lambda: Credentials("LTAI", "s"))) is not first
    assert shared(unpickled(make_fetch("a"))) is first


def test_the_closure_is_compared_by_position() -> None:
    def fetch_of(one: str | None, other: str | None) -> Callable[[], object]:
        return lambda: (one, other)

    assert shared(unpickled(fetch_of(None, "a"))) is not shared(unpickled(fetch_of("a", None)))


def test_a_listener_is_known_by_its_code_too() -> None:
    def listen(event: object) -> None:
        pass

    first = shared(unpickled(make_fetch("c")), on_event=unpickled(listen))
    assert shared(unpickled(make_fetch("c")), on_event=unpickled(listen)) is first
    assert shared(unpickled(make_fetch("c")), on_event=partial(unpickled(listen))) is not first
    assert shared(unpickled(make_fetch("c"))) is not first


def test_a_function_that_calls_itself_is_known_too() -> None:
    def again(depth: int = 0) -> object:
        return again(depth - 1) if depth else Credentials("LTAI", "s")

    assert shared(again) is shared(again)


def test_functions_pickled_by_cloudpickle_share_one_provider() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    sent = cloudpickle.dumps(FunctionProvider(make_fetch("cloudpickle")))
    received = {id(cloudpickle.loads(sent)) for _ in range(20)}
    assert len(received) == 1


def test_a_function_of_a_module_is_itself() -> None:
    assert shared(Credentials) is shared(Credentials)
    assert pickle.loads(pickle.dumps(FunctionProvider(everyday))) is shared(everyday)


def everyday() -> Credentials:
    return Credentials("LTAI", "s")


class Vault:
    """An object with a method that fetches."""

    def fetch(self) -> Credentials:
        return Credentials("LTAI", "secret")


VAULT = Vault()


@pytest.mark.parametrize(
    "argument",
    [
        pytest.param({"a": {1, 2}}, id="set"),
        pytest.param(VAULT.fetch, id="method"),
        pytest.param(partial(len, b"x"), id="C function"),
    ],
)
def test_arguments_of_any_kind_are_part_of_the_configuration(argument: object) -> None:
    first = restore(FunctionProvider, (partial(bound, argument),), {})
    again = restore(FunctionProvider, (partial(bound, copy.copy(argument)),), {})
    other = restore(FunctionProvider, (partial(bound, "another"),), {})
    assert first is again
    assert first is not other


def bound(_: object) -> Credentials:
    return Credentials("LTAI", "secret")


def test_a_process_does_not_keep_every_provider_that_it_ever_unpickled() -> None:
    first = weakref.ref(restore(EcsRamRoleProvider, ("kept-0",), {"endpoint": "http://127.0.0.1:9"}))
    assert first() is not None
    for number in range(1, MAX_RECENT + 1):
        restore(EcsRamRoleProvider, (f"kept-{number}",), {"endpoint": "http://127.0.0.1:9"})
    gc.collect()
    assert first() is None


def test_a_function_may_use_a_name_that_is_not_assigned_yet() -> None:
    def make() -> FunctionProvider:
        def fetch() -> Credentials:
            return Credentials("LTAI", value)

        provider = restore(FunctionProvider, (fetch,), {})
        value = "secret"
        return provider

    assert make() is make()


def test_what_a_provider_keeps_is_not_pickled_without_it() -> None:
    with pytest.raises(TypeError, match="Pickle the provider itself"):
        pickle.dumps(vars(StaticProvider("LTAI5tExample", "secret"))["_recipe"])


class Unhashable:
    """An argument with an equality and no hash."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    __hash__ = None  # type: ignore[assignment]  # as Python sets it where a class defines an equality only

    def __call__(self) -> Credentials:
        return Credentials("LTAIkey", "secret")


def test_a_function_without_a_hash_becomes_another_provider_at_each_trip() -> None:
    sent = pickle.dumps(FunctionProvider(Unhashable()))
    one, two = pickle.loads(sent), pickle.loads(sent)
    assert one is not two
    assert one.get_credentials() == two.get_credentials()


def test_a_partial_of_a_function_in_c_is_sent() -> None:
    provider = FunctionProvider(partial(max, "a", "b"))
    assert pickle.loads(pickle.dumps(provider)) is provider


def read_vault(options: dict[str, Any]) -> Credentials:
    """Never called."""
    raise NotImplementedError(options)


def test_a_value_that_holds_itself_is_searched_to_an_end() -> None:
    options: dict[str, Any] = {}
    options["options"] = options
    provider = FunctionProvider(partial(read_vault, options))
    assert pickle.loads(pickle.dumps(provider)) is provider


def test_the_clock_of_the_machine_is_the_same_after_each_trip() -> None:
    assert pickle.loads(pickle.dumps(SYSTEM_CLOCK)) == SYSTEM_CLOCK
    assert {SYSTEM_CLOCK: 1}[SystemClock()] == 1
    assert SystemClock() != object()
