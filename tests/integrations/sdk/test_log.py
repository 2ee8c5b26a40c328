"""aliyun-log-python-sdk: its client takes the provider as it is, its consumers and handlers take it through ours."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import ConfigurationError, Credentials, FunctionProvider
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing.account.ram_policy import allow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aliyun import log
    from aliyun.log.consumer import ConsumerProcessorBase, LogHubConfig
    from aliyun.log.util import Util

    from ramrole_creds.integrations import aliyun_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integrations.sdk.conftest import Stage

pytestmark = [
    pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own test for an address as endpoint fails where there is a port, and it would look up `project.127.0.0.1`."""
    monkeypatch.setattr(Util, "is_row_ip", staticmethod(lambda _: True))
    monkeypatch.setattr(Util, "get_host_ip", staticmethod(lambda _: "127.0.0.1"))


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_the_policy_of_the_moment_refuses_and_allows_a_call(stage: Stage, version: str) -> None:
    held = stage.provider.get_credentials()
    client = log.LogClient(
        stage.url,
        held.access_key_id,
        held.access_key_secret,
        held.security_token,
        auth_version=version,
        region="cn-hangzhou",
    )
    lines = log.PutLogsRequest("project", "store", "topic", "", [log.LogItem(contents=[("k", "v")])])
    stage.cloud.set_policies("web", [allow("log:PostLogStoreLogs", resource="acs:log:*:*:project/project/logstore/*")])
    client.put_logs(lines)
    with pytest.raises(log.LogException) as refused:
        client.list_logstore("project")
    assert refused.value.get_error_code() == "Unauthorized"
    stage.cloud.set_policies("web", [stage.cloud.least_privilege("web")])
    client.list_logstore("project")
    with pytest.raises(log.LogException):
        client.delete_logstore("project", "store")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_calls_are_signed_over_rotations(stage: Stage, version: str) -> None:
    client = log.LogClient(
        stage.url, credentials_provider=stage.provider, auth_version=version, region="cn-hangzhou"
    )  # fmt: skip

    def call() -> None:
        client.list_logstore("project")
        client.put_logs(log.PutLogsRequest("project", "store", "topic", "", [log.LogItem(contents=[("k", "v")])]))

    stage.assert_rotates("sls", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    client = log.LogClient(stage.url, credentials_provider=stage.provider)
    stage.expire()

    with pytest.raises(log.LogException) as refusal:
        client.list_logstore("project")
    assert refusal.value.get_error_code() == "SecurityTokenExpired"
    retry_on_rejected(stage.provider)(client.list_logstore)("project")


def test_a_revoked_key_is_replaced_too(stage: Stage) -> None:
    client = log.LogClient(stage.url, credentials_provider=stage.provider)
    stage.revoke()

    retry_on_rejected(stage.provider)(client.list_logstore)("project")

    assert len(stage.refused("sls")) == 1


def test_a_missing_permission_is_no_refused_token(stage: Stage) -> None:
    """The log service has one code for both. Its message distinguishes them."""
    client = log.LogClient(stage.url, credentials_provider=stage.provider)
    stage.cloud.set_policies("web", ["AliyunOSSFullAccess"])

    with pytest.raises(log.LogException, match="denied"):
        retry_on_rejected(stage.provider)(client.list_logstore)("project")
    assert len(stage.refused("sls")) == 1


class Processor(ConsumerProcessorBase):  # type: ignore[misc]  # the SDK has no types
    def process(self, log_groups: Any, check_point_tracker: Any) -> None:
        pass


def worker_of(stage: Stage) -> Any:
    config = LogHubConfig(stage.url, "", "", "project", "store", "group", "consumer")
    return aliyun_log.consumer_worker(stage.provider, Processor, config)


def test_a_consumer_group_goes_on_over_rotations(stage: Stage) -> None:
    client = worker_of(stage).consumer_client

    stage.assert_rotates("sls", lambda: client.heartbeat([]))


def test_a_consumer_group_signs_for_the_region_of_its_endpoint(stage: Stage) -> None:
    options = {"auth_version": "v4", "region": "cn-hangzhou-internal"}
    config = LogHubConfig(stage.url, "", "", "project", "store", "group", "consumer", **options)
    client = aliyun_log.consumer_worker(stage.provider, Processor, config).consumer_client
    client.heartbeat([])
    assert config.region == "cn-hangzhou"
    assert not stage.refused("sls")


def test_a_consumer_keeps_no_keys(stage: Stage) -> None:
    secret = stage.provider.get_credentials().access_key_secret

    worker = worker_of(stage)

    held = {**vars(worker.option), **vars(worker.consumer_client.mclient)}
    assert secret not in held.values()


def test_no_token_of_a_consumer_is_left_over_when_long_term_keys_follow(stage: Stage) -> None:
    key = stage.cloud.access_key()
    kinds = iter([stage.provider.get_credentials(), Credentials(key.access_key_id, key.access_key_secret)])
    provider = FunctionProvider(lambda: next(kinds))
    config = LogHubConfig(stage.url, "", "", "project", "store", "group", "consumer")
    worker = aliyun_log.consumer_worker(provider, Processor, config)
    provider.refresh(rejected=provider.get_credentials())

    worker.consumer_client.heartbeat([])

    assert not stage.refused("sls")


def test_a_client_that_has_changed_inside_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = log.LogClient.__init__

    def make(client: Any, *args: Any, **kwargs: Any) -> None:
        made(client, *args, **kwargs)
        del client._auth_version  # noqa: SLF001  # as a later version may

    monkeypatch.setattr(log.LogClient, "__init__", make)

    with pytest.raises(ConfigurationError, match=r"LogClient has no attribute _auth_version"):
        worker_of(stage)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    one = logging.getLogger("application")
    yield one
    for handler in list(one.handlers):
        one.removeHandler(handler)
        handler.close()


def test_a_simple_handler_logs_over_rotations(stage: Stage, logger: logging.Logger) -> None:
    logger.addHandler(aliyun_log.SimpleLogHandler(stage.url, stage.provider, "project", "store"))

    stage.assert_rotates("sls", lambda: logger.warning("message"))


def test_a_queued_handler_sends_with_the_token(stage: Stage, logger: logging.Logger) -> None:
    handler = aliyun_log.QueuedLogHandler(stage.url, stage.provider, "project", "store")
    logger.addHandler(handler)

    logger.warning("message")
    handler.flush()

    assert stage.accepted("sls") == [stage.provider.get_credentials().access_key_id]


def test_a_handler_under_uwsgi_makes_the_same_client(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    decorators = types.SimpleNamespace(postfork=lambda call: call, thread=lambda call: call)
    monkeypatch.setitem(sys.modules, "uwsgidecorators", decorators)
    handler = aliyun_log.UwsgiQueuedLogHandler(stage.url, stage.provider, "project", "store")

    handler.send(log.PutLogsRequest("project", "store", "topic", "", []))

    assert stage.accepted("sls") == [stage.provider.get_credentials().access_key_id]


def test_a_simple_handler_replaces_a_rejected_token_by_itself(stage: Stage, logger: logging.Logger) -> None:
    """Nobody can wrap the call that a handler makes."""
    logger.addHandler(aliyun_log.SimpleLogHandler(stage.url, stage.provider, "project", "store"))
    logger.warning("accepted")
    stage.expire()

    logger.warning("rejected, then accepted")

    assert len(stage.refused("sls")) == 1
    assert stage.accepted("sls")[-1] == stage.provider.get_credentials().access_key_id
    assert len(stage.accepted("sls")) == 2


@pytest.mark.parametrize("end", ["expire", "revoke"])
def test_a_queued_handler_replaces_a_rejected_token_by_itself(stage: Stage, logger: logging.Logger, end: str) -> None:
    handler = aliyun_log.QueuedLogHandler(stage.url, stage.provider, "project", "store")
    logger.addHandler(handler)
    getattr(stage, end)()

    logger.warning("message")
    handler.flush()

    assert len(stage.refused("sls")) == 1
    assert stage.accepted("sls") == [stage.provider.get_credentials().access_key_id]


def test_a_handler_under_uwsgi_replaces_a_rejected_token_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    decorators = types.SimpleNamespace(postfork=lambda call: call, thread=lambda call: call)
    monkeypatch.setitem(sys.modules, "uwsgidecorators", decorators)
    handler = aliyun_log.UwsgiQueuedLogHandler(stage.url, stage.provider, "project", "store")
    stage.expire()

    handler.send(log.PutLogsRequest("project", "store", "topic", "", []))

    assert stage.accepted("sls") == [stage.provider.get_credentials().access_key_id]


def test_a_consumer_replaces_a_rejected_token_by_itself(stage: Stage) -> None:
    client = worker_of(stage).consumer_client
    stage.expire()

    client.heartbeat([])

    assert len(stage.refused("sls")) == 1
    assert stage.accepted("sls")[-1] == stage.provider.get_credentials().access_key_id


def test_a_consumer_is_created_although_the_token_at_hand_is_rejected(stage: Stage) -> None:
    stage.expire()

    worker_of(stage).consumer_client.heartbeat([])

    assert stage.accepted("sls")[-1] == stage.provider.get_credentials().access_key_id


def test_a_handler_of_everything_does_not_wait_for_the_fetch_that_waits_for_it(stage: Stage) -> None:
    """The handler holds its lock while it waits for credentials; what their fetch logs must not ask for that lock."""
    root = logging.getLogger()
    handler = aliyun_log.SimpleLogHandler(stage.url, stage.provider, "project", "store", level=logging.WARNING)
    root.addHandler(handler)
    try:
        handler.setLevel(logging.DEBUG)
        logging.getLogger("application").warning("first message, before any credentials are held")
    finally:
        root.removeHandler(handler)

    assert stage.cloud.requests.counts()["credentials"] == 1
    assert len(stage.accepted("sls")) >= 1


@pytest.mark.parametrize("kind", [aliyun_log.SimpleLogHandler, aliyun_log.QueuedLogHandler])
def test_a_handler_says_what_to_send_instead(stage: Stage, kind: Any) -> None:
    handler = kind(stage.url, stage.provider, "project", "logstore")
    with pytest.raises(TypeError, match=r"LogHandler cannot be pickled: .* Send the provider"):
        pickle.dumps(handler)
    assert copy.deepcopy(handler) is handler


@pytest.mark.parametrize(
    "make", [aliyun_log.SimpleLogHandler, aliyun_log.QueuedLogHandler], ids=lambda make: make.__name__
)
def test_a_region_of_a_handler_is_that_of_an_endpoint_or_refused(stage: Stage, make: Any) -> None:
    handler = make(stage.url, stage.provider, "project", "store", auth_version="v4", region="oss-cn-hongkong")
    handler.close()
    assert handler.region == "cn-hongkong"
    with pytest.raises(ConfigurationError, match=r'region must be a region id.*Write "cn-hangzhou"'):
        make(stage.url, stage.provider, "project", "store", auth_version="v4", region="cn-hangzhou.log.aliyuncs.com")


HANDLERS = (aliyun_log.SimpleLogHandler, aliyun_log.QueuedLogHandler, aliyun_log.UwsgiQueuedLogHandler)


@pytest.mark.parametrize("make", HANDLERS, ids=lambda make: make.__name__)
def test_wrong_arguments_of_a_handler_are_reported_when_they_are_given(stage: Stage, make: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"swapped: write {make.__name__}\(end_point, provider, project"):
        make(stage.provider, stage.url, "project", "store")
    with pytest.raises(ConfigurationError, match="project must be a text, not NoneType"):
        make(stage.url, stage.provider, None, "store")
    with pytest.raises(ConfigurationError, match="log_store must be a text, not an empty text"):
        make(stage.url, stage.provider, "project", "")


def test_wrong_arguments_of_a_consumer_are_reported_when_they_are_given(stage: Stage) -> None:
    config = LogHubConfig(stage.url, "", "", "project", "store", "group", "consumer")
    wrong: list[tuple[Any, Any, str]] = [
        (ConsumerProcessorBase(), config, "make_processor must be the class of a processor, not ConsumerProcessorBase"),
        (ConsumerProcessorBase, "project", "config must be a LogHubConfig, not str"),
        (stage.provider, config, r"swapped: write consumer_worker\(provider, make_processor, config\)"),
    ]
    for make_processor, given, says in wrong:
        with pytest.raises(ConfigurationError, match=says):
            aliyun_log.consumer_worker(stage.provider, make_processor, given)
    assert not stage.cloud.requests
