"""No door that takes secrets, or calls code that has them, leaves one in an error or in the variables of its frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ramrole_creds import (
    BearerTokenProvider,
    CliProfileProvider,
    CredentialProvider,
    Credentials,
    CredentialsUriProvider,
    FetchContext,
    FetchError,
    FunctionProvider,
    IniProfileProvider,
    OidcRoleArnProvider,
    ProcessProvider,
    ProviderChain,
    PushProvider,
    RamRoleArnProvider,
    RamRoleError,
    Signer,
    StaticProvider,
    provider_from_config,
    provider_from_url,
    signing,
)
from ramrole_creds._tracebacks import without_frames
from ramrole_creds.integrations.duckdb import duckdb_connection
from ramrole_creds.integrations.function_compute import PushingAsgi, PushingWsgi, push_from_headers
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.urllib3 import SigningPool
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.sts import StsClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "MarkerSecretMarkerSecretMarker"
TOKEN = "MarkerTokenMarkerTokenMarkerTokenMarker"
WRAPPED = f"{SECRET}\n"
KEYS = Credentials("STS.NTid", SECRET, TOKEN)
CLOSED = "http://127.0.0.1:9"
ROLE = "acs:ram::1:role/app"
ISSUER = "acs:ram::1:oidc-provider/ack"


class Refused(Exception):
    """An error of somebody else's code."""


def fail(*_: object, **__: object) -> NoReturn:
    raise Refused(SECRET)


async def fail_later() -> NoReturn:
    raise Refused(SECRET)


class Vault(CredentialProvider):
    """Somebody else's provider, which fails with or without a cause."""

    name = "vault"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def fetch(self, context: FetchContext) -> Credentials:
        try:
            fail()
        except Refused as error:
            if self._kind == "foreign":
                raise
            if self._kind == "cause":
                raise FetchError("no answer") from error
            raise FetchError("no answer")  # noqa: B904  # the implicit context is the case


class FailingConnection:
    """Fails where the keys are handed over."""

    def cursor(self) -> contextlib.AbstractContextManager[FailingConnection]:
        return contextlib.nullcontext(self)

    def execute(self, statement: str, *_: object) -> FailingConnection:
        if statement.startswith("CREATE"):
            fail()
        return self

    def fetchall(self) -> list[object]:
        return []


def oidc(token: Any) -> CredentialProvider:
    return OidcRoleArnProvider(ROLE, ISSUER, token=token, endpoint=CLOSED)


def fetch(provider: CredentialProvider) -> Credentials:
    return provider.fetch(FetchContext.create(5.0))


async def call_asgi() -> None:
    headers = [(b"x-fc-access-key-id", b"LTAI"), (b"x-fc-access-key-secret", SECRET.encode())]
    await PushingAsgi(lambda *_: fail_in_app_later(), PushProvider())({"headers": headers}, None, None)


def fail_in_app(*_: object) -> NoReturn:
    raise Refused("in the application")


async def fail_in_app_later() -> NoReturn:
    raise Refused("in the application")


def call_wsgi() -> object:
    environ = {"HTTP_X_FC_ACCESS_KEY_ID": "LTAI", "HTTP_X_FC_ACCESS_KEY_SECRET": SECRET}
    return PushingWsgi(fail_in_app, PushProvider())(environ, lambda *_: None)


def send_to_a_closed_port() -> object:
    return SigningPool(Signer.fixed(KEYS, signing.ACS3())).request("GET", f"{CLOSED}/?Action=A&Version=V", retries=0)


ACTS: dict[str, Callable[[], object]] = {
    "Credentials": lambda: Credentials("LTAI", WRAPPED, TOKEN),
    "Credentials.replace": lambda: KEYS.replace(security_token=f"{TOKEN} x"),
    "StaticProvider": lambda: StaticProvider("LTAI", WRAPPED, TOKEN),
    "StaticProvider option": lambda: StaticProvider("LTAI", SECRET, TOKEN, polcy=None),  # type: ignore[call-arg]
    "StaticProvider expiration": lambda: StaticProvider("LTAI", SECRET, TOKEN, "soon"),  # type: ignore[arg-type]
    "StaticProvider arguments": lambda: StaticProvider("LTAI", SECRET, TOKEN, None, None),  # type: ignore[call-arg]
    "push": lambda: PushProvider().update(access_key_id="LTAI", access_key_secret=WRAPPED, security_token=TOKEN),
    "push twice": lambda: PushProvider().update(KEYS, access_key_secret=SECRET),
    "push text": lambda: PushProvider().update(SECRET),  # type: ignore[arg-type]
    "push without id": lambda: PushProvider().update(access_key_secret=SECRET),
    "bearer": lambda: BearerTokenProvider(f"{TOKEN} x").get_bearer_token(),
    "bearer credential": lambda: BearerTokenProvider(f"{TOKEN}\x01").get_credential(),
    "bearer callable": lambda: BearerTokenProvider(fail).get_bearer_token(),
    "bearer list": lambda: BearerTokenProvider(lambda: [TOKEN]).get_credential(),  # type: ignore[arg-type,return-value]
    "bearer type": lambda: BearerTokenProvider([TOKEN]),  # type: ignore[arg-type]
    "function": lambda: FunctionProvider(fail).get_credentials(),
    "function fetch": lambda: fetch(FunctionProvider(fail)),
    "function refresh": lambda: FunctionProvider(fail).refresh(),
    "function ready": lambda: FunctionProvider(fail).wait_ready(0.01),
    "function async": lambda: asyncio.run(FunctionProvider(fail_later).get_credentials_async()),
    "function sdk": lambda: FunctionProvider(fail).get_credential(),
    "provider": lambda: Vault("foreign").get_credentials(),
    "provider cause": lambda: Vault("cause").get_credentials(),
    "provider cause fetch": lambda: fetch(Vault("cause")),
    "provider context": lambda: Vault("context").get_credentials(),
    "provider context fetch": lambda: fetch(Vault("context")),
    "chain": lambda: ProviderChain(Vault("foreign")).get_credentials(),
    "chain fetch": lambda: fetch(ProviderChain(Vault("cause"))),
    "source of a role": lambda: fetch(RamRoleArnProvider(Vault("foreign"), ROLE, endpoint=CLOSED)),
    "source of a role, cause": lambda: RamRoleArnProvider(Vault("cause"), ROLE, endpoint=CLOSED).get_credentials(),
    "oidc callable": lambda: fetch(oidc(fail)),
    "oidc list": lambda: fetch(oidc(lambda: [TOKEN])),
    "oidc line break": lambda: fetch(oidc(lambda: f"{TOKEN} {SECRET}\x01")),
    "oidc text": lambda: oidc(TOKEN),
    "uri with a user": lambda: CredentialsUriProvider(f"http://user:{SECRET}@127.0.0.1:9/").get_credentials(),
    "uri with a token": lambda: fetch(CredentialsUriProvider(f"{CLOSED}/?token={TOKEN}")),
    "url with keys": lambda: provider_from_url(f"static://LTAI:{SECRET}@x"),
    "url with a secret": lambda: provider_from_url(f"ecs-ram-role://web?security_token={TOKEN}"),
    "url of no provider": lambda: provider_from_url(f"vault://{TOKEN}"),
    "config": lambda: provider_from_config(
        {"type": "sts", "access_key_id": "LTAI", "access_key_secret": WRAPPED, "security_token": TOKEN}
    ),
    "config type": lambda: provider_from_config({"type": "key", "access_key_id": "LTAI", "access_key_secret": SECRET}),
    "command": lambda: ProcessProvider(f"vault --token '{TOKEN}"),
    "command's output": lambda: fetch(ProcessProvider(["printf", json.dumps({"access_key_id": SECRET, "x": TOKEN})])),
    "command's stderr": lambda: fetch(ProcessProvider(["sh", "-c", f"echo key={SECRET} >&2; exit 1"])),
    "sts endpoint": lambda: StsClient(f"https://user:{SECRET}@sts.aliyuncs.com"),
    "sts type": lambda: StsClient(CLOSED).get_caller_identity(SECRET),  # type: ignore[arg-type]
    "sts arguments": lambda: StsClient(CLOSED).assume_role_with_oidc(TOKEN, ROLE),  # type: ignore[call-arg]
    "sts without an answer": lambda: StsClient(CLOSED).get_caller_identity(KEYS),
    "metadata endpoint": lambda: MetadataClient(f"http://user:{SECRET}@127.0.0.1"),
    "signer of a text": lambda: Signer(SECRET, signing.ACS3()),  # type: ignore[arg-type]
    "fixed signer of a text": lambda: Signer.fixed(SECRET, signing.ACS3()),  # type: ignore[arg-type]
    "runtime's headers": lambda: push_from_headers(None, {"x-fc-access-key-secret": SECRET}),  # type: ignore[arg-type]
    "application under WSGI": call_wsgi,
    "application under ASGI": lambda: asyncio.run(call_asgi()),
    "maker of a client": RefreshingClient(StaticProvider("LTAI", SECRET, TOKEN), fail_in_app),
    "urllib3": send_to_a_closed_port,
}  # fmt: skip


def shown(error: BaseException) -> str:
    """The error as tools print it that show the variables of frames; frames of this file are the user's."""
    text = traceback.TracebackException.from_exception(error, capture_locals=True)
    pending: list[traceback.TracebackException | None] = [text]
    while pending:
        one = pending.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if frame.filename != __file__]
            pending += [one.__cause__, one.__context__]
    return "".join(text.format())


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_no_frame_of_an_error_has_a_secret(act: Callable[[], object]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # whatever error it is
        act()
    assert "Marker" not in shown(raised.value)


@pytest.mark.parametrize(
    ("make", "content"),
    [
        (CliProfileProvider, {"current": "x", "profiles": [{"name": "x", "mode": "StsToken", "access_key_id": "LTAI",
                                                           "access_key_secret": SECRET, "sts_token": f"{TOKEN} x"}]}),
        (CliProfileProvider, {"current": "x", "profiles": [{"name": "x", "mode": "OAuth", "oauth_site_type": "CN",
                                                           "oauth_access_token": f"{TOKEN} x",
                                                           "oauth_refresh_token": TOKEN}]}),
        (CliProfileProvider, json.dumps({"access_key_secret": SECRET})[:-1]),
        (IniProfileProvider, f"[default]\ntype=sts\naccess_key_id=L\naccess_key_secret={SECRET}\nsecurity_token=x y\n"),
        (IniProfileProvider, f"[default]\naccess_key_secret={SECRET}\naccess_key_secret={SECRET}\n"),
    ],
    ids=["blank", "oauth", "json", "ini", "twice"],
)  # fmt: skip
def test_no_frame_of_an_error_has_a_secret_of_a_file(
    make: Callable[..., CredentialProvider], content: object, tmp_path: Path
) -> None:
    path = tmp_path / "profile"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(FetchError) as raised:
        fetch(make(path=str(path)))
    assert "Marker" not in shown(raised.value)


def test_no_frame_of_an_interrupted_call_has_a_secret() -> None:
    def interrupt(_: float) -> NoReturn:
        raise KeyboardInterrupt

    client = StsClient(CLOSED, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        client.assume_role_with_oidc(TOKEN, role_arn=ROLE, oidc_provider_arn=ISSUER, session_name="s")
    assert "Marker" not in shown(raised.value)


def test_a_failed_secret_of_duckdb_shows_no_key() -> None:
    database = duckdb_connection(Signer.fixed(KEYS, signing.ACS3()).provider, FailingConnection())  # type: ignore[arg-type]
    with pytest.raises(Refused) as raised:
        database()
    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    ours = [frame.f_locals for frame in frames if "/ramrole_creds/" in frame.f_code.co_filename]
    assert ours
    assert "Marker" not in repr(ours)


def test_the_lines_of_a_foreign_error_stay() -> None:
    with pytest.raises(Refused) as raised:
        call_wsgi()
    assert [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)][-1] == "fail_in_app"


def test_an_unfinished_provider_can_be_shown() -> None:
    assert repr(StaticProvider.__new__(StaticProvider)) == "<StaticProvider without arguments>"


def test_the_text_of_a_provider_is_its_own_and_stays() -> None:
    """What keeps objects by the texts of their arguments, as fsspec does, mixes up no two providers."""
    one, other = (FunctionProvider(lambda: Credentials("LTAI", "s", "t")) for _ in range(2))
    before = repr(one)
    one.get_credentials()
    assert repr(one) == before != repr(other)


def test_the_causes_of_an_error_lose_their_frames_too() -> None:
    def fail() -> None:
        secret = "FAKESECRET"
        raise FetchError(f"{len(secret)}")

    try:
        try:
            fail()
        except FetchError as cause:
            raise RamRoleError("outer") from cause
    except RamRoleError as error:
        shown: BaseException = without_frames(error)
    else:
        pytest.fail("nothing was raised")
    assert isinstance(shown.__cause__, FetchError)
    assert (shown.__traceback__, shown.__cause__.__traceback__, shown.__cause__.__context__) == (None, None, None)


@pytest.mark.parametrize(
    "convert",
    [f"{SECRET}\udc80".encode, (SECRET.encode() + b"\xff").decode],
    ids=["encode", "decode"],
)
def test_what_a_scheme_could_not_convert_is_not_kept_in_its_error(convert: Callable[[], object]) -> None:
    class Own(signing.ACS3):
        def string_to_sign(self, request: signing.Request) -> str:
            return f"{request.method}{convert()!r}"

    with pytest.raises(UnicodeError) as raised:
        Own().string_to_sign(signing.Request("GET", "https://ecs.example/"))
    assert isinstance(raised.value, (UnicodeEncodeError, UnicodeDecodeError))
    assert "Marker" not in repr((raised.value.object, raised.value.args))
