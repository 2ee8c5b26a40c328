"""What botocore, google-auth and azure-identity find on a machine of their own clouds, on loopback, for `startup.py`.

One server is the metadata service of all three and the service that they call. It checks nothing but that a call is
signed or has a token.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

LIFE_SECONDS = 21_600
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:sts::1:assumed-role/web/1</Arn><UserId>1</UserId><Account>1</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    "</GetCallerIdentityResponse>"
)
BOTOCORE = """
import os, botocore.session
client = botocore.session.get_session().create_client(
    "sts", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{os.environ['PEER_PORT']}"
)
assert client.get_caller_identity()["Arn"]
"""
GOOGLE = """
import os, google.auth
from google.auth.transport.requests import AuthorizedSession
credentials, _ = google.auth.default()
AuthorizedSession(credentials).get(f"http://127.0.0.1:{os.environ['PEER_PORT']}/call").raise_for_status()
"""
AZURE = """
import os
from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from azure.identity import ManagedIdentityCredential
address = f"http://127.0.0.1:{os.environ['PEER_PORT']}/call"
policy = BearerTokenCredentialPolicy(ManagedIdentityCredential(), "https://service/.default")
client = PipelineClient(address, policies=[policy])
client.send_request(HttpRequest("GET", address), enforce_https=False).raise_for_status()
"""
LOOPBACK_ONLY = """
import socket
def connect(sock, address, connect=socket.socket.connect):
    assert address[0] == "127.0.0.1", address
    return connect(sock, address)
socket.socket.connect = connect
"""
FIRST_CALLS = {
    name: LOOPBACK_ONLY + program
    for name, program in {"botocore": BOTOCORE, "google-auth": GOOGLE, "azure-identity": AZURE}.items()
}


def expiry() -> datetime:
    """When what is issued now expires."""
    return datetime.now(timezone.utc) + timedelta(seconds=LIFE_SECONDS)


class Handler(BaseHTTPRequestHandler):
    """Answers as the three metadata services do."""

    protocol_version = "HTTP/1.1"
    calls: ClassVar[list[str]]

    def do_GET(self) -> None:  # the name that http.server asks for
        """A document of a metadata service, or a call."""
        path = urlsplit(self.path).path
        answers: dict[str, Any] = {
            "/latest/meta-data/iam/security-credentials/": "web",
            "/latest/meta-data/iam/security-credentials/web": {
                "Code": "Success",
                "AccessKeyId": "ASIA0",
                "SecretAccessKey": "secret",
                "Token": "token",
                "Expiration": f"{expiry():%Y-%m-%dT%H:%M:%SZ}",
            },
            "/": "",
            "/computeMetadata/v1/project/project-id": "project",
            "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
            "/computeMetadata/v1/instance/service-accounts/default/": {"email": "web@project", "scopes": []},
            "/computeMetadata/v1/instance/service-accounts/default/token": self._token(),
            "/computeMetadata/v1/instance/service-accounts/web@project/token": self._token(),
            "/metadata/identity/oauth2/token": {**self._token(), "expires_on": str(int(expiry().timestamp()))},
        }
        if path == "/call":
            return self._answer_call(401, "", "Bearer token")
        return self._answer(200, answers[path]) if path in answers else self._answer(404, "")

    def do_PUT(self) -> None:  # as above
        """A session token of botocore's metadata service."""
        self._answer(200, "session-token")

    def do_POST(self) -> None:  # as above
        """A call that is signed."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer_call(403, IDENTITY, "AWS4-HMAC-SHA256 Credential=ASIA0/")

    def _answer_call(self, refusal: int, content: str, authorization: str) -> None:
        is_good = self.headers.get("Authorization", "").startswith(authorization)
        self.calls.append("answered" if is_good else "refused")
        self._answer(200 if is_good else refusal, content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    @staticmethod
    def _token() -> dict[str, object]:
        return {"access_token": "token", "expires_in": LIFE_SECONDS, "token_type": "Bearer"}

    def _answer(self, status: int, content: object) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class PeerMetadata:
    """The server, and the environment in which the peers find it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        handler = type("Handler", (Handler,), {"calls": self.calls})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the three libraries."""
        address = f"127.0.0.1:{self._server.server_port}"
        return {
            "PEER_PORT": str(self._server.server_port),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{address}/",
            "GCE_METADATA_HOST": address,
            "GCE_METADATA_IP": address,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://{address}",
        }
