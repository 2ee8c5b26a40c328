# mypy: ignore-errors
# The peers are no dependencies of this project: a type checker rarely finds them.
"""The peers' caches with their fetches stubbed: what a cached get and a rotation cost without a network.

Each `Peer` has `get`, which a program would call, and knows how to put its cache into a state: `fresh`, `early` (where
it would refresh ahead), `expired`, `cold`. A stubbed fetch takes `FETCH.seconds` and is counted.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600.0


class Fetch:
    """The stub that all peers fetch by."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.count += 1
            number = self.count
        time.sleep(self.seconds)
        return number


class Peer:
    """A cache, how it is asked, and how long before the end it begins to refresh."""

    name = ""
    early_left = 0.0

    def __init__(self) -> None:
        self.fetch = Fetch()
        self.left = 6 * HOUR
        self.get: Callable[[], object] = self._make()

    def _make(self) -> Callable[[], object]:
        raise NotImplementedError

    def put(self, state: str) -> None:
        """Bring the cache into `state`; what is fetched from then on lives for six hours."""
        self.fetch.seconds = 0.0
        if state == "cold":
            return
        self.left = {"fresh": 6 * HOUR, "early": self.early_left, "expired": 2.0}[state]
        self.get()
        self.left = 6 * HOUR
        if state == "expired":
            time.sleep(2.1)
        self.fetch.count = 0

    def ends(self) -> datetime:
        """When credentials end that are fetched now."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.left)


class Ours(Peer):
    """This library's provider."""

    name = "ramrole-creds provider"

    def _make(self) -> Callable[[], object]:
        from ramrole_creds import Credentials, FunctionProvider
        from ramrole_creds.clock import SYSTEM_CLOCK

        self.ahead = 0.0
        outer = self

        class Ahead:
            """The system's clock, and what a test has let pass."""

            time = staticmethod(time.time)

            def monotonic(self) -> float:
                return SYSTEM_CLOCK.monotonic() + outer.ahead

        def mint() -> Credentials:
            number = self.fetch()
            return Credentials(f"STS.NT{number:012d}", "secret", "token", self.ends())

        self.clock = Ahead()
        self.provider = FunctionProvider(mint)
        self._mint = mint
        return self.provider.get_credentials

    def put(self, state: str) -> None:
        if state in ("early", "expired"):
            # Windows are parts of the life at fetch, so the life passes by a clock that jumps.
            from ramrole_creds import FunctionProvider

            self.provider = FunctionProvider(self._mint, clock=self.clock)
            self.get = self.provider.get_credentials
            self.get()
            self.ahead += 6 * HOUR - 1400 if state == "early" else 6 * HOUR + 1
            self.fetch.count = 0
        elif state == "fresh":
            self.get()


class OursChain(Peer):
    """This library's default provider."""

    name = "ramrole-creds default_provider()"

    def _make(self) -> Callable[[], object]:
        import os

        os.environ.setdefault("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tbenchmark00001")
        os.environ.setdefault("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
        from ramrole_creds import default_provider

        return default_provider().get_credentials


class GoogleAuth(Peer):
    """google-auth: `valid`, then `token`; `refresh` where it is not valid, as its transports do."""

    name = "google-auth valid + token"
    early_left = 200.0
    non_blocking = False

    def _make(self) -> Callable[[], object]:
        from google.auth import credentials

        peer = self

        class Stub(credentials.Credentials):
            def refresh(self, request: object) -> None:
                number = peer.fetch()
                self.expiry = peer.ends().replace(tzinfo=None)
                self.token = f"token{number}"

        stub: Any = Stub()
        if self.non_blocking:
            stub.with_non_blocking_refresh()
            headers: dict[str, str] = {}
            return lambda: stub.before_request(object(), "GET", "https://x/", headers)

        def get() -> object:
            if not stub.valid:
                stub.refresh(None)
            return stub.token

        return get


class GoogleAuthNonBlocking(GoogleAuth):
    """google-auth with its opt-in non-blocking refresh."""

    name = "google-auth non-blocking"
    non_blocking = True


class AzureCore(Peer):
    """azure-core's bearer token policy."""

    name = "azure-core policy on_request"
    early_left = 200.0

    def _make(self) -> Callable[[], object]:
        from azure.core.credentials import AccessToken
        from azure.core.pipeline import PipelineContext, PipelineRequest
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy
        from azure.core.rest import HttpRequest

        peer = self

        class Stub:
            def get_token(self, *scopes: str, **options: object) -> AccessToken:
                return AccessToken(f"token{peer.fetch()}", int(peer.ends().timestamp()))

        policy = BearerTokenCredentialPolicy(Stub(), "scope")
        request = PipelineRequest(HttpRequest("GET", "https://x/"), PipelineContext(None))
        return lambda: policy.on_request(request)


class AzureIdentity(Peer):
    """azure-identity's client secret, over the real msal, answered below its transport."""

    name = "azure-identity ClientSecretCredential"
    early_left = 200.0

    def _make(self) -> Callable[[], object]:
        import json

        from azure.core.pipeline.transport import HttpTransport
        from azure.identity import ClientSecretCredential

        peer = self

        class Answer:
            status_code = 200
            headers = {"Content-Type": "application/json"}  # noqa: RUF012  # as a response has it
            content_type = "application/json"
            reason = "OK"

            def __init__(self, request: Any, content: dict[str, object]) -> None:
                self.request = self.internal_response = request
                self._text = json.dumps(content)

            def text(self, encoding: str | None = None) -> str:
                return self._text

            def body(self) -> bytes:
                return self._text.encode()

        class Canned(HttpTransport):
            def open(self) -> None: ...
            def close(self) -> None: ...
            def __exit__(self, *error: object) -> None: ...
            def send(self, request: Any, **options: object) -> Any:
                if "openid-configuration" in request.url:
                    base = "https://login.microsoftonline.com/t"
                    return Answer(
                        request,
                        {
                            "authorization_endpoint": f"{base}/authorize",
                            "token_endpoint": f"{base}/token",
                            "issuer": f"{base}/v2.0",
                        },
                    )
                token = f"token{peer.fetch()}"
                return Answer(request, {"access_token": token, "expires_in": int(peer.left), "token_type": "Bearer"})

        credential = ClientSecretCredential(
            "t", "client", "secret", transport=Canned(), disable_instance_discovery=True
        )
        return lambda: credential.get_token("https://x/.default")


class Botocore(Peer):
    """botocore's refreshable credentials."""

    name = "botocore get_frozen_credentials"
    early_left = 800.0

    def _make(self) -> Callable[[], object]:
        from botocore.credentials import RefreshableCredentials

        def refresh() -> dict[str, str]:
            number = self.fetch()
            ends = self.ends().strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"access_key": f"key{number}", "secret_key": "s", "token": "t", "expiry_time": ends}

        held = RefreshableCredentials(None, None, None, datetime.now(timezone.utc), refresh, "stub")
        return held.get_frozen_credentials


class Official(Peer):
    """Alibaba's official client: its instance role provider and cache, the fetch replaced."""

    name = "alibabacloud-credentials get_credential"

    def _make(self) -> Callable[[], object]:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.provider import EcsRamRoleCredentialsProvider
        from alibabacloud_credentials.provider.refreshable import Credentials, RefreshResult

        provider = EcsRamRoleCredentialsProvider(role_name="web")

        def refresh() -> Any:
            number = self.fetch()
            now = int(time.mktime(time.localtime()))
            credentials = Credentials(
                access_key_id=f"key{number}",
                access_key_secret="s",
                security_token="t",
                expiration=now + int(self.left),
                provider_name="ecs_ram_role",
            )
            stale, prefetch = now + int(self.left) - 900, now + 3600
            if self.left < 6 * HOUR:
                prefetch = now - 1
                stale = now + 60 if self.left > HOUR else now - 1
            return RefreshResult(value=credentials, stale_time=stale, prefetch_time=prefetch)

        cache = provider._credentials_cache  # noqa: SLF001  # the seam below which the network begins
        cache._refresh_callable = refresh  # noqa: SLF001
        client = Client(provider=provider)
        return client.get_credential

    early_left = 2 * HOUR


CACHED = (OursChain, Ours, GoogleAuth, AzureCore, AzureIdentity, Botocore, Official)
ROTATING = (Ours, GoogleAuth, GoogleAuthNonBlocking, AzureCore, Botocore, Official)
