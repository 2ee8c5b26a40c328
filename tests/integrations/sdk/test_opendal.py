"""OpenDAL knows static keys only; a handle makes a new operator when the credentials are new."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from opendal.exceptions import PermissionDenied

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.integrations.refreshing_client import opendal_operator
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider
    from tests.integrations.sdk.conftest import Stage


def operator_of(stage: Stage, provider: CredentialProvider | None = None) -> Any:
    return opendal_operator(
        provider or stage.provider, bucket="bkt", endpoint=stage.url, addressing_style="path"
    )  # fmt: skip


def test_objects_are_written_and_read_over_rotations(stage: Stage) -> None:
    operator = operator_of(stage)

    def call() -> None:
        operator().write("key", b"body")
        assert bytes(operator().read("key")) == b"body"

    stage.assert_rotates("oss", call)


def test_one_operator_serves_until_the_credentials_are_new(stage: Stage) -> None:
    operator = operator_of(stage)
    first = operator()

    assert operator() is first
    stage.rotate()
    assert operator() is not first


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    operator = operator_of(stage)
    operator().write("key", b"body")
    stage.expire()

    with pytest.raises(PermissionDenied):
        operator().read("key")
    assert bytes(retry_on_rejected(stage.provider)(lambda: operator().read("key"))()) == b"body"


def test_a_pickled_handle_has_no_secret(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    operator = operator_of(stage, provider)
    operator().write("key", b"body")

    pickled = pickle.dumps(operator)

    assert provider.get_credentials().access_key_secret.encode() not in pickled
    assert bytes(pickle.loads(pickled)().read("key")) == b"body"
