"""What aliyun-log-python-sdk needs beyond `LogClient(endpoint, credentials_provider=provider)`.

    logging.getLogger().addHandler(QueuedLogHandler(endpoint, provider, "project", "logstore"))
    worker = consumer_worker(provider, MyProcessor, LogHubConfig(endpoint, "", "", "project", …))

Its logging handlers take a key without a token, its consumers a callback that sleeps minutes in the caller's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ramrole_creds.integrations._sdk import as_provider, load_sdk, require_attribute

load_sdk("aliyun.log", "log")

import aliyun.log as sdk  # noqa: E402
from aliyun.log.auth import make_auth  # noqa: E402
from aliyun.log.consumer import ConsumerWorker  # noqa: E402

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from ramrole_creds.provider import CredentialProvider

__all__ = ["QueuedLogHandler", "SimpleLogHandler", "UwsgiQueuedLogHandler", "consumer_worker"]

DISTRIBUTION = "aliyun-log-python-sdk"
TESTED_VERSION = "0.9.52"
FETCH_THREAD_PREFIX = "ramrole-creds"


class _ProviderHandler:
    """A handler whose client asks a provider.

    Args:
        end_point: endpoint of the log service.
        provider: a provider, or the URL of one (in `logging.config` there are only strings).
        project: the project.
        log_store: the logstore.
        options: what else the SDK's handler takes.
    """

    if TYPE_CHECKING:
        end_point: str
        auth_version: str
        region: str
        addFilter: Callable[..., None]  # noqa: N815  # logging's name

    def __init__(
        self,
        end_point: str,
        provider: CredentialProvider | str,
        project: str,
        log_store: str,
        **options: Any,  # noqa: ANN401  # the SDK's own
    ) -> None:
        self._provider = as_provider(provider)
        super().__init__(end_point, None, None, project, log_store, **options)  # type: ignore[call-arg]
        self.addFilter(_is_not_about_credentials)

    def create_client(self) -> None:
        """Make the client; the SDK's handler calls it before its first log."""
        self.client = sdk.LogClient(
            self.end_point,
            credentials_provider=self._provider,
            auth_version=self.auth_version,
            region=self.region,
        )


class SimpleLogHandler(_ProviderHandler, sdk.SimpleLogHandler):  # type: ignore[misc]  # without types
    """Sends each record at once; takes (end_point, provider, project, log_store, **options)."""


class QueuedLogHandler(_ProviderHandler, sdk.QueuedLogHandler):  # type: ignore[misc]  # without types
    """Sends records from a thread of its own; takes (end_point, provider, project, log_store, **options)."""


class UwsgiQueuedLogHandler(_ProviderHandler, sdk.UwsgiQueuedLogHandler):  # type: ignore[misc]  # without types
    """The same under uWSGI; takes (end_point, provider, project, log_store, **options)."""


def consumer_worker(
    provider: CredentialProvider,
    make_processor: type,
    config: Any,  # noqa: ANN401  # the SDK's
    args: tuple[object, ...] | None = None,
    kwargs: dict[str, object] | None = None,
) -> Any:  # noqa: ANN401  # the SDK's
    """A `ConsumerWorker` whose every request is signed with the credentials of its moment.

    Args:
        provider: where credentials come from.
        make_processor: the processor's class.
        config: a `LogHubConfig`; the keys in it do not count, give "".
        args: positional arguments of the processor.
        kwargs: keyword arguments of the processor.

    Raises:
        ConfigurationError: the SDK's version is one that this cannot work with.
    """
    snapshot = provider.get_credentials()
    # The constructor makes the consumer group and so needs keys; from then on the client asks the provider.
    config.accessKeyId, config.accessKey = snapshot.access_key_id, snapshot.access_key_secret
    config.securityToken = snapshot.security_token
    try:
        worker = ConsumerWorker(make_processor, config, args=args, kwargs=kwargs)
    finally:
        config.accessKeyId = config.accessKey = ""
        config.securityToken = None
    client = worker.consumer_client.mclient
    for name in ("_auth", "_securityToken", "_auth_version", "_region"):
        require_attribute(client, name, DISTRIBUTION, TESTED_VERSION)
    client._auth = make_auth(provider, client._auth_version, client._region)  # noqa: SLF001  # no other way in
    client._securityToken = None  # noqa: SLF001  # it would be sent beside any other credentials
    client._accessKeyId = client._accessKey = None  # noqa: SLF001
    return worker


def _is_not_about_credentials(record: logging.LogRecord) -> bool:
    """Leave out what is logged while credentials are fetched.

    The handler may be waiting for that very fetch, and holds the lock that another of its records would wait for.
    """
    thread = record.threadName or ""
    return not (record.name.startswith("ramrole_creds") or thread.startswith(FETCH_THREAD_PREFIX))
