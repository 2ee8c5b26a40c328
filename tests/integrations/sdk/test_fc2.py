"""aliyun-fc2 knows static keys only; a subclass of its client takes a provider."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import ConfigurationError
from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import fc2 as sdk

    from ramrole_creds.integrations import fc2

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.may_leak,  # the SDK prints token and signature at DEBUG, on the root logger
]


def test_calls_are_signed_over_rotations(stage: Stage) -> None:
    client = fc2.Client(stage.provider, endpoint=stage.url)

    stage.assert_rotates("fc", client.list_services)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = fc2.Client(stage.provider, endpoint=stage.url)
    stage.expire()

    with pytest.raises(sdk.FcError):
        client.list_services()
    retry_on_rejected(stage.provider)(client.list_services)()


def test_no_request_of_many_threads_is_torn_by_a_rotation(stage: Stage) -> None:
    client = fc2.Client(stage.provider, endpoint=stage.url)

    stage.assert_untorn("fc", client.list_services)


def test_a_client_that_has_changed_inside_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sdk.Client, "_build_common_headers")

    with pytest.raises(ConfigurationError, match=r"Client has no attribute _build_common_headers"):
        fc2.Client(stage.provider, endpoint=stage.url)
