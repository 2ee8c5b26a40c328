"""The endpoints without a server, and a key to sign with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from email.utils import formatdate
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.testing.account.credential_store import CredentialStore, Identity
from ramrole_creds.testing.account.ram_policy import ALLOW_ALL
from ramrole_creds.testing.clocks import VirtualClock
from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.services.defaults import default_services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing import FakeCloud
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireResponse
    from ramrole_creds.testing.services.service import Service
    from tests.testing.conftest import Answer

# Files that speak to the endpoints through an official client are collected where that client is installed.
CLIENTS = {"oss2": "oss2", "oss_v2": "alibabacloud_oss_v2", "boto3": "boto3"}
collect_ignore = [f"test_through_{name}.py" for name, module in CLIENTS.items() if find_spec(module) is None]

LIFETIME_SECONDS = 3600
HOST = "127.0.0.1:8080"


class Endpoints:
    """All services, and a role whose policies can be changed."""

    def __init__(self) -> None:
        self.clock = VirtualClock(1_767_225_600)
        self.issuer = CredentialStore(seed=1)
        self.policies: list[Mapping[str, object]] = [ALLOW_ALL]
        self.services = default_services(self.issuer)
        self.key = self.issue()

    def issue(self, lifetime: float | None = LIFETIME_SECONDS) -> IssuedCredentials:
        """New credentials of the role."""
        identity = Identity("acs:ram::1234567890123456:assumed-role/web/session", policies=lambda: self.policies)
        return self.issuer.issue(identity, now=self.clock.time(), lifetime=lifetime)

    def signer(self, scheme: signing.Scheme, key: IssuedCredentials | None = None) -> signing.Signer:
        """Signs with the key by the endpoints' clock."""
        key = key or self.key
        credentials = Credentials(key.access_key_id, key.access_key_secret, key.security_token)
        return signing.Signer(credentials, scheme, clock=self.clock)

    def sent(self, request: signing.Request) -> WireRequest:
        """A request as the server reads it."""
        headers = tuple((name, value.encode().decode("latin-1")) for name, value in request.headers)
        if not any(name.lower() == "host" for name, _ in headers):
            headers = (("Host", request.host), *headers)
        body = request.body or b""
        assert isinstance(body, bytes)
        target = request.path + (f"?{request.query}" if request.query else "")
        return WireRequest(request.method, target, headers, body, self.clock.time())

    def who(self, wire: WireRequest) -> list[str]:
        """The names of the services that take the request for theirs."""
        return [service.name for service in self.services if service.recognizes(wire)]

    def answer(self, wire: WireRequest) -> WireResponse:
        """What the first service that recognises the request answers."""
        return self.service(wire).handle(wire)

    def service(self, wire: WireRequest) -> Service:
        """The service that the request goes to."""
        return next(service for service in self.services if service.recognizes(wire))

    def ask(
        self,
        scheme: signing.Scheme,
        method: str,
        path: str,
        headers: Mapping[str, str] | tuple[()] = (),
        params: Mapping[str, str | int | None] | tuple[()] = (),
        body: bytes | None = None,
        *,
        key: IssuedCredentials | None = None,
        host: str = HOST,
    ) -> WireResponse:
        """Sign a request, send it, and get the answer."""
        request = signing.Request(method, f"http://{host}{path}", headers, params, body)
        return self.answer(self.sent(self.signer(scheme, key).sign(request)))

    def ask_datahub(self, method: str, path: str) -> WireResponse:
        """Sign a request to DataHub, for which this library has no scheme: the refusal shows the string to sign."""

        def wire(signature: str) -> WireRequest:
            headers = {
                "Host": HOST,
                "Content-Type": "application/json",
                "Date": formatdate(self.clock.time(), usegmt=True),
                "x-datahub-security-token": self.key.security_token or "",
                "Authorization": f"DATAHUB {self.key.access_key_id}:{signature}",
            }
            return WireRequest(method, path, tuple(headers.items()), b"", self.clock.time())

        refused = self.answer(wire("unsigned"))
        string_to_sign = json.loads(refused.body)["ErrorMessage"].partition("The string to sign is: ")[2]
        digest = hmac.digest(self.key.access_key_secret.encode(), string_to_sign.encode(), hashlib.sha1)
        return self.answer(wire(base64.b64encode(digest).decode()))

    def deny(self, action: str) -> None:
        """Take one action away from the role, from this moment on."""
        self.policies.append({"Version": "1", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]})


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints()


@pytest.fixture
def admin(cloud: FakeCloud) -> IssuedCredentials:
    """The key of a user who may do everything."""
    return cloud.access_key()


@pytest.fixture
def ram(call: Callable[..., Answer], admin: IssuedCredentials) -> Callable[..., Answer]:
    """Calls an API of RAM."""
    return lambda action, **parameters: call(admin, action, "2015-05-01", **parameters)
