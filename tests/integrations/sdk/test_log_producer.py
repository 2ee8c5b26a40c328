"""aliyun-log-producer, in Rust, takes credentials of its own class from a provider."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from aliyun_log_producer import Producer, ProducerConfig

from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations.aliyun_log_producer import (
    ASK_AGAIN_SECONDS,
    ProducerCredentials,
    RefreshingProducer,
)

if TYPE_CHECKING:
    from tests.integrations.sdk.conftest import Stage


@pytest.fixture(autouse=True)
def _proxy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """`project.localhost` has no address: the cloud is reached as a proxy."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, stage.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


def endpoint(stage: Stage) -> str:
    return stage.url.replace("127.0.0.1", "localhost")  # in front of which it writes the project


def config(stage: Stage) -> ProducerConfig:
    provider = ProducerCredentials(stage.provider)
    return ProducerConfig(endpoint=endpoint(stage), credentials_provider=provider, linger=0.05)


def refreshing(stage: Stage) -> RefreshingProducer:
    return RefreshingProducer(
        stage.provider, endpoint=endpoint(stage), linger=0.05, max_attempts=2, base_backoff=0.1, max_backoff=0.1
    )


def outcome_of_sending(producer: Producer | RefreshingProducer) -> Any:
    delivered = threading.Event()
    outcome: list[object] = []
    producer.writer("project", "store").send(
        {"k": "v"}, on_delivery=lambda error: (outcome.append(error), delivered.set())
    )
    assert delivered.wait(10)
    assert len(outcome) == 1
    return outcome[0]


def send(producer: Producer | RefreshingProducer) -> None:
    assert outcome_of_sending(producer) is None


def test_logs_are_sent_with_the_token(stage: Stage) -> None:
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

    for_hours = FunctionProvider(
        lambda: Credentials("STS.id", "secret", "token", datetime.now(timezone.utc) + timedelta(hours=6))
    )
    assert ProducerCredentials(for_hours).get_credentials().expires_at <= time.time() + ASK_AGAIN_SECONDS
    unknown = FunctionProvider(lambda: Credentials("STS.id", "secret", "token"))
    long_term = FunctionProvider(lambda: Credentials("id", "secret"))
    assert ProducerCredentials(unknown).get_credentials().expires_at > ASK_AGAIN_SECONDS
    assert ProducerCredentials(long_term).get_credentials().expires_at is None


@pytest.mark.parametrize("end", ["expire", "revoke"])
def test_a_refreshing_producer_replaces_a_rejected_token_by_itself(stage: Stage, end: str) -> None:
    with refreshing(stage) as producer:
        send(producer)
        getattr(stage, end)()
        send(producer)
        send(producer)
        producer.flush()

    assert len(set(stage.accepted("sls"))) == 2
    sent = [one for one in stage.cloud.requests.to("sls") if one.method == "POST" and one.status == 200]
    assert len(sent) == 3


def test_a_log_without_a_callback_is_sent_again_too(stage: Stage) -> None:
    with refreshing(stage) as producer:
        stage.revoke()
        producer.writer("project", "store").send({"k": "v"})
        deadline = time.monotonic() + 10
        while not stage.accepted("sls") and time.monotonic() < deadline:
            time.sleep(0.02)
    assert stage.accepted("sls")


def test_a_refreshing_producer_reports_what_a_refresh_does_not_help(stage: Stage) -> None:
    """Every token is rejected: each log is tried a bounded number of times, and the error reaches the callback."""
    with refreshing(stage) as producer:
        stage.cloud.credential_store.revoke(stage.provider.get_credentials().access_key_id)
        stage.cloud.detach_role()
        error = outcome_of_sending(producer)
    assert error is not None
    assert error.http_status == 401
    assert not stage.accepted("sls")


def test_a_producer_of_another_version_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Another:
        def __init__(self, config: object) -> None:
            """Keep nothing."""

        def close(self) -> None:
            closed.append(self)

    monkeypatch.setattr("aliyun_log_producer.Producer", Another)
    with pytest.raises(ConfigurationError, match="pin aliyun-log-producer=="):
        refreshing(stage)
    assert len(closed) == 1


def test_a_token_that_nothing_replaces_is_refreshed_once_and_then_paused(stage: Stage) -> None:
    held = stage.provider.get_credentials()
    stage.cloud.credential_store.revoke(held.access_key_id)
    fetched = []
    stage.provider = FunctionProvider(lambda: fetched.append(1) or held)  # type: ignore[assignment]  # as good here
    with refreshing(stage) as producer:
        for _ in range(2):
            error = outcome_of_sending(producer)
            assert error is not None
            assert error.http_status == 401
    assert len(fetched) == 2, "the first, and one more after the first rejection"


def test_a_log_that_is_rejected_while_the_producer_closes_is_reported(stage: Stage) -> None:
    outcome: list[Any] = []
    with refreshing(stage) as producer:
        stage.revoke()
        producer.writer("project", "store").send({"k": "v"}, on_delivery=outcome.append)
    assert [one.http_status for one in outcome] == [401]
