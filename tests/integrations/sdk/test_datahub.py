"""pydatahub takes the provider as it is: `DataHub("", "", endpoint, credential=provider)`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from datahub import DataHub
    from datahub.exceptions import DatahubException

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def client_of(stage: Stage) -> DataHub:
    # Without a user agent of one's own it opens a socket to 8.8.8.8 to learn this machine's address.
    return DataHub("", "", stage.url, credential=stage.provider, user_agent="tests")


def test_calls_are_signed_over_rotations(stage: Stage) -> None:
    client = client_of(stage)

    stage.assert_rotates("datahub", client.list_project)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = client_of(stage)
    client.list_project()
    stage.expire()

    with pytest.raises(DatahubException):
        client.list_project()
    retry_on_rejected(stage.provider)(client.list_project)()
