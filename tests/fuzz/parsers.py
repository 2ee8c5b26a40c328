"""Every reader of bytes that somebody else wrote, as a function that either returns or raises an error it may raise."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ramrole_creds import Credentials, RamRoleError, Signer, provider_from_url, signing
from ramrole_creds._formats import error_codes
from ramrole_creds._formats.credential_json import PASCAL_CASE, SNAKE_CASE, json_object, read_credentials
from ramrole_creds._formats.timestamps import parse_rfc3339
from ramrole_creds._http.transport import HttpResponse
from ramrole_creds._http.urls import InvalidUrlError, parse_base_url, parse_url, resolve_redirect
from ramrole_creds.errors import FetchError
from ramrole_creds.integrations.retry import is_rejection
from ramrole_creds.local_service._clients import parse_rule
from ramrole_creds.local_service._tokens import parse_ttl
from ramrole_creds.metadata._parsing import parse_credentials, parse_identity_document, parse_listing, parse_token
from ramrole_creds.providers._command_line import split_command
from ramrole_creds.providers.process import describe_stderr
from ramrole_creds.providers.profiles._ini_document import MalformedIni, parse_ini
from ramrole_creds.providers.profiles.cli_config import load_config
from ramrole_creds.providers.profiles.files import ProfilePath
from ramrole_creds.recorder import read_recording, replay
from ramrole_creds.signing import read_server_time
from ramrole_creds.sts.errors import Call, failure_of
from ramrole_creds.testing.account.policy_conditions import matches
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.masking import mask_text
from ramrole_creds.testing.server.http_parser import BadRequest, RequestReader

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNED = Signer.fixed(Credentials("LTAI5tFake", "secret"), signing.ACS3()).sign(signing.Request("GET", "https://h/"))
BASE = parse_url("http://127.0.0.1:8080/start?a=b")


def text_of(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def metadata(content: bytes) -> None:
    answer = HttpResponse(200, {}, content)
    for parse in (parse_token, parse_listing, lambda one, line: parse_credentials(one, "web", line)):
        with suppress(RamRoleError):
            parse(answer, "GET x")
    with suppress(RamRoleError):
        parse_identity_document(text_of(content), "GET x")


def sts(content: bytes) -> None:
    for status in (400, 403, 503):
        failure = failure_of(HttpResponse(status, {"content-type": "application/json"}, content), Call("A", "r"), "u")
        assert str(failure.error).isprintable()


def documents(content: bytes) -> None:
    """Answers of the credentials URI, of STS and of commands."""
    for names in (PASCAL_CASE, SNAKE_CASE):
        with suppress(RamRoleError):
            read_credentials(json_object(content, FetchError), names, FetchError, provider_name="x")


def cli_config(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_bytes(content)
        path.chmod(0o600)
        with suppress(RamRoleError):
            load_config(ProfilePath(path))


def ini(content: bytes) -> None:
    with suppress(MalformedIni):
        parse_ini(text_of(content))


def urls(content: bytes) -> None:
    text = text_of(content)
    for parse in (parse_url, parse_base_url, lambda location: resolve_redirect(BASE, location)):
        with suppress(InvalidUrlError):
            parse(text)
    with suppress(RamRoleError):
        signing.Request("GET", text)


def provider_urls(content: bytes) -> None:
    text = text_of(content)
    if "://" in text and not text.startswith(("external", "default")):
        with suppress(RamRoleError):
            provider_from_url(text)


def headers(content: bytes) -> None:
    date, _, rest = content.decode("latin-1").partition("\n")
    after, _, age = rest.partition("\n")
    answer = HttpResponse(429, {"date": date, "retry-after": after, "age": age}, b"")
    answer.server_time()
    wait = answer.retry_after()
    assert wait is None or wait >= 0
    read_server_time({"date": date, "x-oss-server-time": after}.get, content)


def timestamps(content: bytes) -> None:
    moment = parse_rfc3339(text_of(content))
    assert moment is None or moment.tzinfo is not None


def errors(content: bytes) -> None:
    text = text_of(content)
    error_codes.kind_of_answer(content)
    error_codes.kind_of_code(text)
    error_codes.is_about_keys(text)
    is_rejection(RuntimeError(text))
    signing.explain_mismatch(signing.ACS3(), SIGNED, content)


def commands(content: bytes) -> None:
    for windows in (False, True):
        with suppress(RamRoleError):
            split_command(text_of(content), windows=windows)
    describe_stderr(content, cut=True)
    mask_text(text_of(content))


def recordings(content: bytes) -> None:
    with suppress(RamRoleError):
        replay(*read_recording(text_of(content).splitlines()))


def policies(content: bytes) -> None:
    with suppress(ValueError):
        parse_policy(text_of(content))
    pattern, _, value = text_of(content).partition("\n")
    matches(pattern, value)


def requests(content: bytes) -> None:
    """Requests to the fake cloud."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(content[:65536])
        theirs.shutdown(socket.SHUT_WR)
        reader = RequestReader(ours)
        with suppress(BadRequest, OSError):
            while reader.next(lambda: 0.0) is not None:
                pass


def local_service(content: bytes) -> None:
    with suppress(RamRoleError):
        parse_rule(text_of(content))
    life = parse_ttl(content.decode("latin-1"))
    assert life is None or life > 0


PARSERS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (
        metadata, sts, documents, cli_config, ini, urls, provider_urls, headers, timestamps, errors, commands,
        recordings, policies, requests, local_service,
    )
}  # fmt: skip
