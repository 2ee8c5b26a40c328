"""aliyun-log-producer, in Rust, takes credentials of its own class from a provider."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from aliyun_log_producer import Producer, ProducerConfig

from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.integrations.aliyun_log_producer import ASK_AGAIN_SECONDS, ProducerCredentials

if TYPE_CHECKING:
    import pytest

    from tests.integrations.sdk.conftest import Stage


def config(stage: Stage) -> ProducerConfig:
    endpoint = stage.url.replace("127.0.0.1", "localhost")  # in front of which it writes the project
    return ProducerConfig(endpoint=endpoint, credentials_provider=ProducerCredentials(stage.provider), linger=0.05)


def send(producer: Producer) -> None:
    delivered = threading.Event()
    outcome: list[object] = []
    producer.writer("project", "store").send(
        {"k": "v"}, on_delivery=lambda error: (outcome.append(error), delivered.set())
    )
    assert delivered.wait(10)
    assert outcome == [None]


def test_logs_are_sent_with_the_token(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):  # `project.localhost` has no address: the cloud is reached as a proxy
        monkeypatch.setenv(name, stage.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    with Producer(config(stage)) as producer:
        send(producer)
    stage.rotate()
    with Producer(config(stage)) as producer:
        send(producer)

    assert len(set(stage.accepted("sls"))) == 2
    assert not stage.refused("sls")


def test_the_producer_learns_when_to_ask_again(stage: Stage) -> None:
    """It keeps credentials without an expiry for ever, so a token always has one."""
    held = stage.provider.get_credentials()
    assert held.expiration is not None
    given = ProducerCredentials(stage.provider).get_credentials()
    assert given.expires_at == int(held.expiration.timestamp())

    unknown = FunctionProvider(lambda: Credentials("STS.id", "secret", "token"))
    long_term = FunctionProvider(lambda: Credentials("id", "secret"))
    assert ProducerCredentials(unknown).get_credentials().expires_at > ASK_AGAIN_SECONDS
    assert ProducerCredentials(long_term).get_credentials().expires_at is None
