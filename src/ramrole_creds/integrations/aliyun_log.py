"""What aliyun-log-python-sdk needs besides `LogClient(endpoint, credentials_provider=provider)`.

    logging.getLogger().addHandler(QueuedLogHandler(endpoint, provider, "project", "logstore"))
    worker = consumer_worker(provider, MyProcessor, LogHubConfig(endpoint, "", "", "project", …))

Its logging handlers accept a key without a token. Its consumers accept a callback that sleeps for minutes in the thread
of the caller. Both send in the background, where no caller can repeat a rejected call. They refresh a rejected token
and repeat the request themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds._pickling import BoundToProcess
from ramrole_creds._regions import scope_region
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import (
    SdkObject,
    as_provider,
    load_sdk,
    refuse_provider,
    require_attribute,
    require_text,
)
from ramrole_creds.integrations.retry import retry_on_rejected

load_sdk("aliyun.log", "log")

import aliyun.log as sdk  # noqa: E402  # a missing SDK gets a better error above
from aliyun.log.auth import make_auth  # noqa: E402  # as above
from aliyun.log.consumer import ConsumerWorker, LogHubConfig  # noqa: E402  # as above

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["QueuedLogHandler", "SimpleLogHandler", "UwsgiQueuedLogHandler", "consumer_worker"]

DISTRIBUTION = "aliyun-log-python-sdk"
TESTED_VERSION = "0.9.52"
FETCH_THREAD_PREFIX = "ramrole-creds"


if TYPE_CHECKING:

    class _LogHandler(SdkBase, logging.Handler):
        """A handler of the SDK."""

    _SimpleLogHandler = _LogHandler
    _QueuedLogHandler = _LogHandler
    _UwsgiQueuedLogHandler = _LogHandler
else:
    _SimpleLogHandler = sdk.SimpleLogHandler
    _QueuedLogHandler = sdk.QueuedLogHandler
    _UwsgiQueuedLogHandler = sdk.UwsgiQueuedLogHandler


class _ProviderHandler(BoundToProcess):
    """A handler whose client uses a provider.

    Args:
        end_point: endpoint of the log service.
        provider: a provider, or the URL of one (`logging.config` holds strings only).
        project: the project.
        log_store: the logstore.
        options: the other arguments of the SDK's handler.
    """

    _instead = "it holds a lock and a client of this process. Send the provider, and make the handler where it is used."

    if TYPE_CHECKING:
        end_point: str
        auth_version: str
        region: str
        addFilter: Callable[..., None]  # noqa: N815  # the name that logging uses

    def __init__(
        self,
        end_point: str,
        provider: CredentialProvider | str,
        project: str,
        log_store: str,
        **options: SdkObject,
    ) -> None:
        refuse_provider(end_point, f"{type(self).__name__}(end_point, provider, project, log_store)")
        require_text(end_point=end_point, project=project, log_store=log_store)
        self._provider = as_provider(provider)
        if options.get("region"):
            options["region"] = scope_region(options["region"])
        super().__init__(end_point, None, None, project, log_store, **options)  # type: ignore[call-arg]  # those of the other base class
        self.addFilter(_is_not_about_credentials)

    def create_client(self) -> None:
        """Create the client. The SDK's handler calls this before its first log."""
        client = sdk.LogClient(
            self.end_point,
            credentials_provider=self._provider,
            auth_version=self.auth_version,
            region=self.region,
        )
        self.client: SdkObject = _healing(client, self._provider)


class SimpleLogHandler(_ProviderHandler, _SimpleLogHandler):
    """Sends each record at once. Arguments: `end_point, provider, project, log_store, **options`."""


class QueuedLogHandler(_ProviderHandler, _QueuedLogHandler):
    """Sends records from a background thread. Arguments: `end_point, provider, project, log_store, **options`."""


class UwsgiQueuedLogHandler(_ProviderHandler, _UwsgiQueuedLogHandler):
    """The same under uWSGI. Arguments: `end_point, provider, project, log_store, **options`."""


def consumer_worker(
    provider: CredentialProvider | str,
    make_processor: type,
    config: SdkObject,
    args: tuple[object, ...] | None = None,
    kwargs: dict[str, object] | None = None,
) -> SdkObject:
    """A `ConsumerWorker` that signs each request with the current credentials.

    Args:
        provider: a provider, or the URL of one.
        make_processor: the class of the processor.
        config: a `LogHubConfig`. Its keys are ignored; pass "".
        args: positional arguments of the processor.
        kwargs: keyword arguments of the processor.

    Raises:
        ConfigurationError: this version of the SDK is not supported, or an argument is not valid.
    """
    provider = as_provider(provider)
    for argument in (make_processor, config):
        refuse_provider(argument, "consumer_worker(provider, make_processor, config)")
    if not callable(make_processor):
        raise ConfigurationError(
            f"make_processor must be the class of a processor, not {type(make_processor).__name__}."
        )
    if not isinstance(config, LogHubConfig):
        raise ConfigurationError(f"config must be a LogHubConfig, not {type(config).__name__}.")
    if config.region:
        config.region = scope_region(config.region)
    worker = retry_on_rejected(provider)(_make_worker)(provider, make_processor, config, args, kwargs)
    client = _healing(worker.consumer_client.mclient, provider)
    for name in ("_auth", "_securityToken", "_auth_version", "_region"):
        require_attribute(client, name, DISTRIBUTION, TESTED_VERSION)
    client._auth = make_auth(provider, client._auth_version, client._region)  # noqa: SLF001  # no public name exists
    client._securityToken = None  # noqa: SLF001  # it would be sent with other credentials
    client._accessKeyId = client._accessKey = None  # noqa: SLF001  # as above
    return worker


def _make_worker(
    provider: CredentialProvider,
    make_processor: type,
    config: SdkObject,
    args: tuple[object, ...] | None,
    kwargs: dict[str, object] | None,
) -> SdkObject:
    # The constructor creates the consumer group and needs keys for that. Later calls use the provider.
    snapshot = provider.get_credentials()
    config.accessKeyId, config.accessKey = snapshot.access_key_id, snapshot.access_key_secret
    config.securityToken = snapshot.security_token
    try:
        return ConsumerWorker(make_processor, config, args=args, kwargs=kwargs)
    finally:
        config.accessKeyId = config.accessKey = ""
        config.securityToken = None


def _healing(client: SdkObject, provider: CredentialProvider) -> SdkObject:
    """A client that repeats a request once with new credentials where the service rejected the old ones."""
    require_attribute(client, "_send", DISTRIBUTION, TESTED_VERSION)
    client._send = retry_on_rejected(provider)(client._send)  # noqa: SLF001  # every request passes through it
    return client


def _is_not_about_credentials(record: logging.LogRecord) -> bool:
    """Drop records that are logged while credentials are fetched.

    The handler may be waiting for this fetch, and it holds the lock that such a record would wait for.
    """
    thread = record.threadName or ""
    return not (record.name.startswith("ramrole_creds") or thread.startswith(FETCH_THREAD_PREFIX))
