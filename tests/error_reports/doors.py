"""Ways to make the library raise while it holds secrets: each door is a call that raises."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import requests

from ramrole_creds import (
    BearerTokenProvider,
    CloudSsoProvider,
    CredentialProvider,
    Credentials,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    FetchContext,
    FunctionProvider,
    OAuthProvider,
    OAuthTokens,
    OidcRoleArnProvider,
    ProviderChain,
    PushProvider,
    RamRoleArnProvider,
    RefreshPolicy,
    RsaKeyPairProvider,
    Signer,
    StaticProvider,
    provider_from_config,
    signing,
)
from ramrole_creds.integrations.aiohttp import AiohttpAuth
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.integrations.urllib3 import SigningPool
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.signing import Request
from ramrole_creds.signing._signing_keys import SigningKeys
from ramrole_creds.sts import StsClient
from tests.failing_provider import provider_that_fails_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Door = Callable[[], object]

SECRET = "MarkerSecretMarkerSecret01Marker"
TOKEN = "MarkerToken02MarkerTokenMarkerToken"
KEYS = Credentials("STS.NTid", SECRET, TOKEN)
ROLE = "acs:ram::1:role/app"
ISSUER = "acs:ram::1:oidc-provider/ack"
URL = "https://bucket.oss-cn-hangzhou.aliyuncs.com/key?a=1"
CLOSED = "http://127.0.0.1:9"
PATIENT = RefreshPolicy(retry_initial=0.01, fetch_timeout=1)


class Echo(BaseHTTPRequestHandler):
    """Answers with everything that it was sent, in one of several wrong ways."""

    server: EchoServer
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Print nothing."""

    def do_GET(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        echo = f"{dict(self.headers)} {self.path} {body.decode('latin-1')} {SECRET} {TOKEN}"
        names = ("Code", "Message", "RequestId", "AccessKeyId", "error", "error_description", "access_token")
        status, answer = 200, json.dumps(dict.fromkeys(names, echo)).encode()
        if self.server.kind == "refusal":
            status = 403
        elif self.server.kind == "short refusal":
            status, answer = 403, json.dumps({"Code": SECRET, "Message": TOKEN, "RequestId": TOKEN}).encode()
        elif self.server.kind == "text":
            answer = b"\xff" + echo.encode()
        elif self.server.kind == "redirect":
            status = 302
        self.send_response(status)
        self.send_header("Location", f"http://other/{TOKEN}")
        self.send_header("Content-Length", str(len(answer) + (9 if self.server.kind == "cut" else 0)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815  # names of the base class
    do_PUT = do_GET  # noqa: N815  # as above


class EchoServer(ThreadingHTTPServer):
    """A server that answers in one way."""

    daemon_threads = True

    def __init__(self, kind: str) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.kind = kind
        threading.Thread(target=partial(self.serve_forever, poll_interval=0.01), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


ANSWERS = ("document", "refusal", "short refusal", "text", "redirect", "cut")


def fetch(provider: CredentialProvider) -> object:
    """Without the cache."""
    return provider.fetch(FetchContext.create(1.0))


def get(provider: CredentialProvider) -> object:
    """Through the cache."""
    return provider.get_credentials()


def get_later(provider: CredentialProvider) -> object:
    """Through the cache, in a coroutine."""
    return asyncio.run(provider.get_credentials_async())


def key_file() -> str:
    """An RSA private key whose file is kept until the process ends."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    with tempfile.NamedTemporaryFile(delete=False, suffix=".pem") as file:
        file.write(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    return file.name


def makers(key: str) -> dict[str, Callable[[str], CredentialProvider]]:
    """A provider of each kind that asks somebody, by the URL that it asks."""
    source, tokens = StaticProvider("LTAI", SECRET, TOKEN), OAuthTokens(SECRET, TOKEN, 1.0)
    return {
        "ecs": lambda url: EcsRamRoleProvider(endpoint=url, policy=PATIENT),
        "ecs require": lambda url: EcsRamRoleProvider("web", endpoint=url, token_mode="require", policy=PATIENT),
        "uri": lambda url: CredentialsUriProvider(f"{url}/x?token={TOKEN}", policy=PATIENT),
        "role": lambda url: RamRoleArnProvider(source, ROLE, endpoint=url, policy=PATIENT),
        "oidc": lambda url: OidcRoleArnProvider(ROLE, ISSUER, token=lambda: TOKEN, endpoint=url, policy=PATIENT),
        "rsa": lambda url: RsaKeyPairProvider("LTAIid", key, endpoint=url, policy=PATIENT),
        "renewal": lambda url: OAuthProvider(tokens, endpoint=url, policy=PATIENT),
        "exchange": lambda url: OAuthProvider(OAuthTokens(SECRET, TOKEN), endpoint=url, policy=PATIENT),
        "sso": lambda url: CloudSsoProvider(f"{url}/start/login", "1", "ac", access_token=TOKEN, policy=PATIENT),
        "chain": lambda url: ProviderChain(CredentialsUriProvider(f"{url}/x?token={TOKEN}")),
    }


def doors_of_providers(urls: dict[str, str], key: str) -> Iterator[tuple[str, Door]]:
    """Each provider fails by each answer."""
    for name, make in makers(key).items():
        for answer, url in urls.items():
            for how in (fetch, get, get_later) if answer in ("refusal", "closed") else (fetch,):
                yield f"{how.__name__} {name} {answer}", lambda make=make, how=how, url=url: how(make(url))  # type: ignore[misc]  # bound at once


def doors_of_clients(urls: dict[str, str]) -> Iterator[tuple[str, Door]]:
    """The clients of STS and the metadata service fail by each answer."""
    role: dict[str, Any] = {"role_arn": ROLE, "session_name": "session"}
    for answer, url in urls.items():
        sts, metadata = StsClient(url, sleep=lambda _: None), MetadataClient(url)
        yield f"assume {answer}", partial(sts.assume_role, KEYS, external_id=SECRET, **role)
        yield f"oidc {answer}", partial(sts.assume_role_with_oidc, TOKEN, oidc_provider_arn=ISSUER, **role)
        yield f"caller {answer}", partial(sts.get_caller_identity, KEYS)
        yield f"key {answer}", partial(sts.generate_session_access_key, "LTAI", lambda _: SECRET.encode())
        yield f"role {answer}", partial(metadata.role_credentials, "web")
        yield f"names {answer}", metadata.role_names
        yield f"document {answer}", metadata.identity_document


class Wrong:
    """An object with the names of credentials and values of wrong types."""

    access_key_id = "LTAI"

    def __init__(self) -> None:
        self.access_key_secret = [SECRET]
        self.security_token = TOKEN.encode()


WRONG: dict[str, Any] = {
    "tuple": ("LTAI", SECRET, TOKEN),
    "mapping": {"access_key_id": "LTAI", "access_key_secret": SECRET},
    "text": f"{SECRET}\ud800",
    "bytes": SECRET.encode(),
    "object": Wrong(),
}


def doors_of_arguments(url: str) -> Iterator[tuple[str, Door]]:
    """A secret where another type is expected."""
    signer = Signer(StaticProvider("LTAI", SECRET, TOKEN), signing.ACS3())
    request = Request("GET", URL)
    role: dict[str, Any] = {"role_arn": ROLE, "session_name": "session"}
    for kind, value in WRONG.items():
        calls: dict[str, Door] = {
            "Credentials": partial(Credentials, value, value, value),
            "expiration": partial(Credentials, "LTAI", SECRET, TOKEN, value),
            "replace": partial(KEYS.replace, security_token=TOKEN, expiration=value),
            "StaticProvider": partial(StaticProvider, "LTAI", SECRET, value, value),
            "rejected": partial(EcsRamRoleProvider(endpoint=CLOSED).refresh, value),
            "push": partial(PushProvider().update, value),
            "function": partial(get, FunctionProvider(lambda value=value: value)),
            "function fetch": partial(fetch, FunctionProvider(lambda value=value: value)),
            "oidc token": partial(
                fetch, OidcRoleArnProvider(ROLE, ISSUER, token=lambda value=value: value, endpoint=url)  # type: ignore[misc]  # as above
            ),
            "bearer": BearerTokenProvider(lambda value=value: [value]).get_credential,  # type: ignore[misc,arg-type]  # as above
            "config": partial(provider_from_config, {"type": "access_key", "access_key_secret": value}),
            "chain": partial(ProviderChain, value),
            "source": partial(RamRoleArnProvider, value, ROLE),
            "sts": partial(StsClient(url).assume_role, value, **role),
            "sts oidc": partial(StsClient(url).assume_role_with_oidc, value, oidc_provider_arn=ISSUER, **role),
            "sts caller": partial(StsClient(url).get_caller_identity, value),
            "sign": partial(signer.sign, value),
            "sign with": partial(signer.sign, request, credentials=[value]),  # type: ignore[arg-type]  # the case
            "presign": partial(Signer(KEYS, signing.OSSV4("r")).presign, request, value),
            "form": partial(Signer(KEYS, signing.OSSV4("r")).post_form, [value]),  # type: ignore[arg-type]  # the case
            "headers": partial(Request, "GET", URL, {"x-token": [value]}),  # type: ignore[arg-type]  # the case
            "params": partial(Request, "GET", URL, (), {"token": [value]}),  # type: ignore[arg-type]  # the case
            "set": partial(setattr, request, "headers", value),
            "set secret": partial(setattr, KEYS, "access_key_secret", value),
        }  # fmt: skip
        yield from ((f"{name} {kind}", call) for name, call in calls.items() if (name, kind) not in ACCEPTED)


ACCEPTED = {("function", "object"), ("function fetch", "object")}


def schemes() -> list[signing.Scheme]:
    """All of them."""
    region = "cn-hangzhou"
    return [
        signing.ACS3(), signing.RPC(), signing.ROA(), signing.OSSV1(), signing.OSSV2(), signing.OSSV4(region),
        signing.SLSV1(), signing.SLSV4(region), signing.OTSV2("i"), signing.OTSV4("i", region), signing.MNS(),
        signing.MNSV4(region), signing.ODPSV2("https://s/api"), signing.ODPSV4("https://s/api", region), signing.FCV2(),
        signing.FCV3Trigger(), signing.SigV4(region), signing.S3V1(),
    ]  # fmt: skip


def doors_of_schemes() -> Iterator[tuple[str, Door]]:
    """Each scheme, called directly with something wrong."""
    for scheme in schemes():
        request, keys = Request("PUT", URL), SigningKeys()
        wrong: dict[str, tuple[Any, Any, Any]] = {
            "credentials": (request, ("LTAI", SECRET, TOKEN), 0.0),
            "request": (f"{URL}&security-token={TOKEN}", KEYS, 0.0),
            "time": (request, KEYS, 1e30),
        }
        for name, (asked, held, now) in wrong.items():
            yield f"{scheme.name} {name}", partial(scheme.sign, asked, held, now, lambda: "n", keys)
        yield f"{scheme.name} text", partial(scheme.string_to_sign, TOKEN)  # type: ignore[arg-type]  # the case
        yield f"{scheme.name} presign", partial(scheme.presign, TOKEN, KEYS, 0.0, 9, keys)  # type: ignore[arg-type]  # the case
        yield f"{scheme.name} form", partial(scheme.post_form, [TOKEN], KEYS, 0.0, keys)  # type: ignore[arg-type]  # the case


def post_with_aiohttp(url: str, signer: Signer) -> object:
    """One call."""

    async def post() -> object:
        async with aiohttp.ClientSession(middlewares=(AiohttpAuth(signer),)) as session, session.post(url) as answer:
            return await answer.read()

    return asyncio.run(post())


def post_with_httpx(url: str, signer: Signer) -> object:
    """One call."""
    return httpx.post(url, auth=HttpxAuth(signer))


def post_with_requests(url: str, signer: Signer) -> object:
    """One call."""
    return requests.post(url, auth=RequestsAuth(signer), timeout=5)


def post_with_urllib3(url: str, signer: Signer) -> object:
    """One call."""
    return SigningPool(signer).request("POST", url, retries=0)


def doors_of_integrations(urls: dict[str, str]) -> Iterator[tuple[str, Door]]:
    """HTTP clients whose provider fails, or that find nobody. Frames of httpx and requests are not cut."""
    url = f"{CLOSED}/?Action=A&Version=V"
    for post in (post_with_aiohttp, post_with_httpx, post_with_requests, post_with_urllib3):
        yield f"{post.__name__} provider", partial(post, url, Signer(provider_that_fails_with(SECRET), signing.RPC()))
    for post in (post_with_aiohttp, post_with_urllib3):
        for scheme in (signing.ACS3(), signing.RPC()):
            signer = Signer(StaticProvider("LTAI", SECRET, TOKEN), scheme)
            yield f"{post.__name__} {scheme.name} closed", partial(post, url, signer)
    signer = Signer(StaticProvider("LTAI", SECRET, TOKEN), signing.ACS3())
    yield "aiohttp redirect", partial(post_with_aiohttp, f"{urls['redirect']}/?Action=A&Version=V", signer)


def doors(urls: dict[str, str], key: str) -> dict[str, Door]:
    """All of them, by name.

    Args:
        urls: an echoing server for each of ANSWERS.
        key: the file of an RSA private key.
    """
    everywhere = {**urls, "closed": CLOSED}
    return {
        **dict(doors_of_providers(everywhere, key)),
        **dict(doors_of_clients(everywhere)),
        **dict(doors_of_arguments(urls["document"])),
        **dict(doors_of_schemes()),
        **dict(doors_of_integrations(urls)),
    }
