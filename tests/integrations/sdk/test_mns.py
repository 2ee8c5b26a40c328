"""aliyun-mns-sdk takes the provider as it is while that gives tokens; long-term keys need an adapter."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import StaticProvider
from ramrole_creds.integrations.mns import MnsCredentials
from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mns.account import Account
    from mns.mns_exception import MNSServerException
    from mns.queue import Message, QueueMeta

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mns"),
    # It leaves its connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]


def queue_of(stage: Stage, provider: Any = None) -> Any:
    queue = Account(stage.url, credentials_provider=provider or stage.provider).get_queue("queue")
    queue.create(QueueMeta())
    return queue


@pytest.mark.parametrize("adapter", [lambda provider: provider, MnsCredentials])
def test_messages_are_sent_over_rotations(stage: Stage, adapter: Any) -> None:
    queue = queue_of(stage, adapter(stage.provider))

    stage.assert_rotates("mns", lambda: queue.send_message(Message("body")))


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    queue = queue_of(stage)
    stage.expire()

    with pytest.raises(MNSServerException) as refusal:
        queue.send_message(Message("body"))
    assert refusal.value.type == "SecurityTokenExpired"
    retry_on_rejected(stage.provider)(queue.send_message)(Message("body"))


def test_long_term_keys_are_sent_without_a_token(stage: Stage) -> None:
    key = stage.cloud.access_key()

    queue_of(stage, MnsCredentials(StaticProvider(key.access_key_id, key.access_key_secret)))

    assert stage.accepted("mns") == [key.access_key_id]
    assert stage.cloud.requests.to("mns")[0].header("security-token") is None
