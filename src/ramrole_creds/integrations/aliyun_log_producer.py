"""What aliyun-log-producer, the producer written in Rust, needs.

    with RefreshingProducer(provider, endpoint=endpoint) as producer:
        producer.writer("project", "logstore").send({"key": "value"})

The producer accepts only credentials of its class and keeps a copy. It sends in the background, where no caller can
repeat a rejected call. `RefreshingProducer` refreshes a rejected token and sends the log again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.errors import RamRoleError
from ramrole_creds.integrations._refresh_pause import pause_of
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk, require_attribute
from ramrole_creds.integrations.retry import is_rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProducerCredentials", "RefreshingProducer"]

DISTRIBUTION = "aliyun-log-producer"
TESTED_VERSION = "0.1.2"
ASK_AGAIN_SECONDS = 300
"""How long the producer keeps a token at most. Asking a provider again costs nothing."""
MAX_ATTEMPTS = 3
"""How often a log is sent: it may be rejected with the token that was current when it was written, and with a later one
that the producer took before it sent."""

_log = logging.getLogger(__name__)


class ProducerCredentials:
    """Returns snapshots of `provider` in the producer's own class. Use it for a `ProducerConfig` of your own.

    A rejected token is replaced only when something else refreshes the provider; `RefreshingProducer` does that itself.

    Args:
        provider: a provider, or the URL of one.

    Raises:
        ConfigurationError: the SDK is not installed.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)
        self._credentials: SdkObject = load_sdk("aliyun_log_producer", "log-producer").Credentials

    def get_credentials(self) -> SdkObject:
        """One snapshot, with the time by which the producer must ask again."""
        snapshot = self._provider.get_credentials()
        expires_at = None
        if snapshot.security_token is not None or snapshot.expiration is not None:
            expires_at = int(time.time()) + ASK_AGAIN_SECONDS
            if snapshot.expiration is not None:
                expires_at = min(expires_at, int(snapshot.expiration.timestamp()))
        return self._credentials(
            access_key_id=snapshot.access_key_id,
            access_key_secret=snapshot.access_key_secret,
            security_token=snapshot.security_token,
            expires_at=expires_at,
        )


class RefreshingProducer:
    """A `Producer` that replaces a rejected token by itself and sends the log again.

    It has the methods of `Producer`. A log that is rejected while the producer closes is not sent again.

    Args:
        provider: a provider, or the URL of one.
        options: the arguments of `ProducerConfig`, but for keys: `endpoint`, `linger` and the others.

    Raises:
        ConfigurationError: the SDK is not installed, or its version is not supported.
    """

    def __init__(self, provider: CredentialProvider | str, **options: SdkObject) -> None:
        sdk = load_sdk("aliyun_log_producer", "log-producer")
        self._provider = as_provider(provider)
        config = sdk.ProducerConfig(credentials_provider=ProducerCredentials(self._provider), **options)
        self._producer: SdkObject = sdk.Producer(config)
        try:
            require_attribute(self._producer, "_credentials", DISTRIBUTION, TESTED_VERSION)
            self._manager: SdkObject = self._producer._credentials  # noqa: SLF001  # no public name exists
            for name in ("_next_refresh", "refresh_if_due"):
                require_attribute(self._manager, name, DISTRIBUTION, TESTED_VERSION)
        except BaseException:
            self._producer.close()
            raise

    def writer(self, project: str, logstore: str) -> RefreshingWriter:
        """A writer for one logstore."""
        return RefreshingWriter(self, self._producer.writer(project, logstore))

    def flush(self) -> None:
        """Wait until what was sent so far is delivered or has failed."""
        self._producer.flush()

    def close(self) -> None:
        """Wait as `flush` does, then stop."""
        self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def current(self) -> Credentials:
        """The credentials that the provider has now."""
        return self._provider.get_credentials()

    def replace(self, used: Credentials) -> bool:
        """Make the producer take other credentials than the rejected ones. False if there are none.

        The producer calls this through a callback, on the thread on which it asks for credentials too.
        """
        pause = pause_of(self._provider, DEFAULT_CLOCK)
        if not pause.allows(used):
            return False
        _log.info(
            "Simple Log Service rejected the credentials of %s: refreshing them", self._provider.get_provider_name()
        )
        if pause.refresh(self._provider, used, _log, "Simple Log Service") is None:
            return False
        self._manager._next_refresh = 0.0  # noqa: SLF001  # no public name exists
        self._manager.refresh_if_due()
        return True


class RefreshingWriter:
    """A `LogstoreWriter` whose logs are sent again after the token was rejected; see `RefreshingProducer.writer`."""

    def __init__(self, producer: RefreshingProducer, writer: SdkObject) -> None:
        self._producer = producer
        self._writer = writer

    def send(
        self, log: SdkObject, *, on_delivery: Callable[[SdkObject], object] | None = None, **options: SdkObject
    ) -> None:
        """Send a log in the background.

        Args:
            log: a mapping of text, or a `Log`.
            on_delivery: called with None when the log was delivered, with a `DeliveryError` when it finally failed.
            options: the other arguments of `LogstoreWriter.send`.
        """
        self._send(log, on_delivery, options, attempts=1)

    def _send(
        self, log: SdkObject, on_delivery: Callable[[SdkObject], object] | None, options: dict[str, Any], attempts: int
    ) -> None:
        used = self._producer.current()

        def delivered(error: SdkObject) -> None:
            if error is not None and attempts < MAX_ATTEMPTS and _is_rejected(error) and self._producer.replace(used):
                try:
                    self._send(log, on_delivery, options, attempts + 1)
                except (RuntimeError, RamRoleError):  # it is closed or full, or the provider failed meanwhile
                    _log.debug("A log that was rejected could not be sent again.", exc_info=True)
                else:
                    return
            if on_delivery is not None:
                on_delivery(error)

        self._writer.send(log, on_delivery=delivered, **options)


class _DeliveryFailed(Exception):
    """What a `DeliveryError`, which is not an exception, says."""

    def __init__(self, error: SdkObject) -> None:
        super().__init__(error.message)
        self.error_code = error.error_code


def _is_rejected(error: SdkObject) -> bool:
    return is_rejection(_DeliveryFailed(error))
