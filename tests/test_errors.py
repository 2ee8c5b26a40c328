"""Errors: one family, two questions, nothing lost on the way to another process."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import ramrole_creds
from ramrole_creds import Credentials, FunctionProvider, errors, events
from ramrole_creds.errors import (
    ConfigurationError,
    FetchError,
    FetchTimeout,
    LifetimeTooShort,
    MetadataError,
    ProviderUnavailable,
    RamRoleError,
    StsError,
    WaitTimeout,
)

if TYPE_CHECKING:
    from typing_extensions import Self

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, RamRoleError) and kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_exported_documented_and_of_the_family(kind: type[RamRoleError]) -> None:
    assert getattr(ramrole_creds, kind.__name__) is kind
    assert kind.__doc__
    assert issubclass(kind, RamRoleError)


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_is_both_not_here_and_broken(kind: type[RamRoleError]) -> None:
    assert not (issubclass(kind, ProviderUnavailable) and issubclass(kind, FetchError))


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_pickling_and_copying(kind: type[RamRoleError]) -> None:
    error = kind("what was asked, what came, what to do")
    for name in ("status", "unrecoverable", "retry_after", "code", "request_id", "step", "available"):
        if hasattr(error, name):
            setattr(error, name, f"a {name}")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_errors_are_what_python_programs_expect_too() -> None:
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(WaitTimeout, TimeoutError)
    assert issubclass(FetchTimeout, TimeoutError)


def test_details_have_names() -> None:
    metadata = MetadataError("m", step="role", status=429, unrecoverable=False, retry_after=2.0)
    assert (metadata.step, metadata.status, metadata.retry_after, str(metadata)) == ("role", 429, 2.0, "m")
    sts = StsError("m", code="NoPermission", request_id="R-1", status=403, unrecoverable=True)
    assert (sts.code, sts.request_id, sts.status, sts.unrecoverable) == ("NoPermission", "R-1", 403, True)
    assert LifetimeTooShort("m", available=7.0).available == 7.0
    assert not FetchError().unrecoverable


@pytest.mark.parametrize("kind", [kind for _, kind in inspect.getmembers(events, dataclasses.is_dataclass)])
def test_events_are_frozen_values_without_room_for_more(kind: type[events.Event]) -> None:
    fields = dataclasses.fields(kind)
    values: list[Any] = [field.name for field in fields]
    one, same = kind(*values), kind(*values)
    assert one == same
    assert hash(one) == hash(same)
    assert not hasattr(one, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.provider = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(one)) == one
    assert kind.__doc__


def test_an_error_that_cannot_be_copied_is_raised_as_it_is() -> None:
    class LeaseError(FetchError):
        def __new__(cls, text: str, lease: str) -> Self:
            del lease
            return super().__new__(cls, text)

        def __init__(self, text: str, lease: str) -> None:
            super().__init__(text)
            self.lease = lease

    def fetch() -> Credentials:
        raise LeaseError("The lease has ended.", "l-1")

    with FunctionProvider(fetch) as provider, pytest.raises(LeaseError, match="The lease has ended") as raised:
        provider.get_credentials()
    assert raised.value.lease == "l-1"
