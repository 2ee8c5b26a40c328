"""No library that writes objects out finds the secret or the token in a value that holds one."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import io
import json
import pickle
import pprint
import xmlrpc.client
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    BearerTokenProvider,
    CliProfileProvider,
    CloudSsoProvider,
    Credentials,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    FunctionProvider,
    IniProfileProvider,
    OidcRoleArnProvider,
    ProcessProvider,
    ProviderChain,
    PushProvider,
    Signer,
    StaticProvider,
    signing,
)
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.providers.sign_in.oauth import OAuthProvider, OAuthTokens
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker
from tests.libraries import library, logged_text

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from ramrole_creds import CredentialProvider

SECRET = "MarkerSecretMarkerSecretMarkerSecretMarkerSe"
TOKEN = "CAISMarkerTokenMarkerTokenMarkerTokenMarkerToken=="
END = datetime.now(timezone.utc) + timedelta(hours=6)
HELD = Credentials("STS.NTabcdefghijklmnopqrs1234", SECRET, TOKEN, END, "default/ecs_ram_role", "web")


def static_provider() -> StaticProvider:
    provider = StaticProvider(HELD.access_key_id, SECRET, TOKEN)
    provider.get_credentials()
    return provider


def push_provider() -> PushProvider:
    provider = PushProvider()
    provider.update(HELD)
    return provider


def used_signer() -> Signer:
    signer = Signer.fixed(HELD, signing.OSSV4("cn-hangzhou"))
    signer.sign(signing.Request("GET", "https://my-bucket.oss-cn-hangzhou.aliyuncs.com/key"))
    return signer


def fetched(provider: CredentialProvider) -> CredentialProvider:
    provider.get_credentials()
    return provider


def instance(cloud: FakeCloud) -> CredentialProvider:
    return fetched(EcsRamRoleProvider(endpoint=cloud.url))


def client_with_token(cloud: FakeCloud) -> MetadataClient:
    client = MetadataClient(cloud.url)
    client.role_names()
    return client


def signer_of_an_instance(cloud: FakeCloud) -> Signer:
    signer = Signer(instance(cloud), signing.ACS3())
    signer.sign(signing.Request("GET", "https://ecs.cn-hangzhou.aliyuncs.com/?Action=A&Version=V"))
    return signer


def cli_profile(folder: Path) -> CredentialProvider:
    keys = {"access_key_id": "STS.NTid", "access_key_secret": SECRET, "sts_token": TOKEN}
    path = folder / "config.json"
    path.write_text(json.dumps({"current": "x", "profiles": [{"name": "x", "mode": "StsToken", **keys}]}))
    path.chmod(0o600)
    return fetched(CliProfileProvider(path=path))


def ini_profile(folder: Path) -> CredentialProvider:
    path = folder / "credentials.ini"
    keys = f"access_key_id=STS.NTid\naccess_key_secret={SECRET}\nsecurity_token={TOKEN}\n"
    path.write_text(f"[default]\ntype=sts\n{keys}")
    path.chmod(0o600)
    return fetched(IniProfileProvider(path=path))


def ask(password: str, token: str) -> Credentials:
    return Credentials("STS.NTid", password, token)


def make_token(password: str) -> str:
    return password


def of_role(token: Callable[[], str]) -> CredentialProvider:
    return OidcRoleArnProvider("acs:ram::1:role/app", "acs:ram::1:oidc-provider/ack", token=token)


VALUES: dict[str, Callable[[], object]] = {
    "credentials": lambda: HELD,
    "tokens": lambda: OAuthTokens(SECRET, TOKEN, END.timestamp()),
    "static provider": static_provider,
    "push provider": push_provider,
    "sign-in": lambda: OAuthProvider(OAuthTokens(SECRET, TOKEN)),
    "signer": used_signer,
    "in a list": lambda: [HELD, {"held": HELD}],
    "bearer": lambda: BearerTokenProvider(TOKEN),
    "bearer callable": lambda: BearerTokenProvider(partial(make_token, TOKEN)),
    "bearer credential": lambda: BearerTokenProvider(TOKEN).get_credential(),
    "cloud sso": lambda: CloudSsoProvider("https://x/start/login", "1", "ac", access_token=TOKEN),
    "uri": lambda: CredentialsUriProvider(f"http://127.0.0.1:9/?token={TOKEN}"),
    "process": lambda: ProcessProvider(["vault", "--token", TOKEN]),
    "function": lambda: fetched(FunctionProvider(partial(ask, SECRET, TOKEN))),
    "oidc": lambda: of_role(partial(make_token, TOKEN)),
    "requests": lambda: RequestsAuth(used_signer()),
}
OF_A_CLOUD: dict[str, Callable[[FakeCloud], object]] = {
    "ecs": instance,
    "chain": lambda cloud: fetched(ProviderChain(EcsRamRoleProvider(endpoint=cloud.url))),
    "metadata client": client_with_token,
    "signer of an instance": signer_of_an_instance,
}
OF_A_FILE: dict[str, Callable[[Path], object]] = {"cli profile": cli_profile, "ini profile": ini_profile}


def everything(value: object) -> object:
    """What a generic encoder may look at."""
    kind = type(value)
    return [
        {name: getattr(value, name) for name in dir(value) if not name.startswith("__")},
        {name: getattr(value, name) for base in kind.__mro__ for name in getattr(base, "__slots__", ())},
        inspect.getmembers(value, lambda found: not callable(found)),
        getattr(value, "__dict__", None),
    ]


def properties(value: object) -> object:
    """What an encoder writes that looks for the properties of a class, as deepdiff does."""
    return {
        name: getattr(value, name, None)
        for base in type(value).__mro__
        for name, found in vars(base).items()
        if isinstance(found, property)
    }


def attributes(value: object, depth: int = 4) -> str:
    """What a debugger shows that opens every attribute of every attribute."""
    inner: list[object] = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, (list, tuple)):
        inner += value
    for name in [*getattr(value, "__dict__", ()), *_slots(value)]:
        inner.append(getattr(value, name, None))
    opened = [attributes(one, depth - 1) for one in inner if not callable(one)] if depth else []
    return f"{value!r} {' '.join(opened)}"


def _slots(value: object) -> list[str]:
    return [name for base in type(value).__mro__ for name in vars(base).get("__slots__", ()) if len(name) > 1]


def through_schema(value: object, marshmallow: ModuleType) -> object:
    fields = {name: marshmallow.fields.Raw() for name in dir(value) if not name.startswith("_")}
    return marshmallow.Schema.from_dict(fields)().dump(value)


def inspected(value: object, rich: ModuleType) -> str:
    text = io.StringIO()
    library("rich.console")
    rich.inspect(value, all=True, console=rich.console.Console(file=text, width=200))
    return text.getvalue()


def logged(value: object, formatter: logging.Formatter) -> str:
    extra = {"held": value, "nested": {"held": [value]}}
    return logged_text(formatter, lambda logger: logger.warning("held %s", value, extra=extra))


def dumped_by_jsons(value: object) -> object:
    jsons = library("jsons")
    try:
        return jsons.dump(value)
    except jsons.JsonsError as error:  # it cannot write objects such as threads
        return str(error)


def logged_by_loguru(value: object, loguru: ModuleType) -> str:
    text = io.StringIO()
    number = loguru.logger.add(text, serialize=True, diagnose=True)
    loguru.logger.bind(held=value).info("held {}", value)
    loguru.logger.remove(number)
    return text.getvalue()


def adapter(value: object, pydantic: ModuleType) -> Any:
    return pydantic.TypeAdapter(type(value), config={"arbitrary_types_allowed": True})


def model(value: object, pydantic: ModuleType) -> Any:
    fields: dict[str, Any] = {"held": (type(value), ...), "__config__": {"arbitrary_types_allowed": True}}
    return pydantic.create_model("Model", **fields)(held=value)


WRITERS: dict[str, Callable[[Any], object]] = {
    "asdict": dataclasses.asdict,
    "vars": vars,
    "json": lambda value: json.dumps(value, default=vars),
    "pprint": pprint.pformat,
    "walk": everything,
    "orjson": lambda value: library("orjson").dumps(value),
    "orjson-default": lambda value: library("orjson").dumps(value, default=str),
    "msgspec": lambda value: library("msgspec").json.encode(value),  # noqa: PLW0108  # imported when called
    "msgspec-builtins": lambda value: library("msgspec").to_builtins(value),
    "pydantic": lambda value: adapter(value, library("pydantic")).dump_json(value),
    "pydantic-model": lambda value: model(value, library("pydantic")).model_dump(),
    "pydantic-json": lambda value: model(value, library("pydantic")).model_dump_json(),
    "pydantic-unknown": lambda value: library("pydantic_core").to_json(value, serialize_unknown=True),
    "fastapi": lambda value: library("fastapi.encoders").jsonable_encoder(value),
    "cattrs": lambda value: library("cattrs").unstructure(value),
    "attrs": lambda value: library("attrs").asdict(value),
    "json-logger": lambda value: logged(value, library("pythonjsonlogger.json").JsonFormatter()),
    "structlog": lambda value: library("structlog").processors.JSONRenderer()(None, "info", {"held": value}),
    "loguru": lambda value: logged_by_loguru(value, library("loguru")),
    "jsonpickle": lambda value: library("jsonpickle").encode(value, keys=True),
    "jsons": dumped_by_jsons,
    "simplejson": lambda value: library("simplejson").dumps(value, for_json=True, default=vars),
    "yaml": lambda value: library("yaml").dump(value),
    "dill": lambda value: library("dill").dumps(value),
    "cloudpickle": lambda value: library("cloudpickle").dumps(value),
    "rich": lambda value: inspected(value, library("rich")),
    "format": lambda value: f"{value} {value!r} {value!s:>9}",
    "copy": lambda value: repr([copy.deepcopy(value), copy.copy(value)]),
    "pickle": pickle.dumps,
    "xmlrpc": lambda value: xmlrpc.client.dumps((value,), allow_none=True),
    "attributes": attributes,
    "properties": properties,
    "deepdiff": lambda value: library("deepdiff").DeepDiff([value], [1], verbose_level=2).to_json(),
    "jsonpickle-plain": lambda value: library("jsonpickle").encode(value, unpicklable=False),
    "dill-recurse": lambda value: library("dill").dumps(value, recurse=True),
    "devtools": lambda value: library("devtools").pformat(value),
    "marshmallow": lambda value: through_schema(value, library("marshmallow")),
    "sentry": lambda value: library("sentry_sdk.serializer").serialize({"extra": {"held": value}}),
    "structlog-console": lambda value: library("structlog").dev.ConsoleRenderer()(None, "info", {"event": value}),
}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    folder = tmp_path_factory.mktemp("profiles")
    with FakeCloud(role="web", clock=SYSTEM_CLOCK) as cloud:
        yield {
            **{kind: make() for kind, make in VALUES.items()},
            **{kind: make(cloud) for kind, make in OF_A_CLOUD.items()},
            **{kind: make(folder) for kind, make in OF_A_FILE.items()},
        }


@pytest.mark.parametrize("kind", [*VALUES, *OF_A_CLOUD, *OF_A_FILE])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_serializer_finds_neither_secret_nor_token(writer: str, kind: str, values: dict[str, object]) -> None:
    written: object = None
    with contextlib.suppress(Exception):  # a value that cannot be written is as good as one without secrets
        written = WRITERS[writer](values[kind])
    text = written.decode("utf-8", "replace") if isinstance(written, bytes) else str(written)
    assert "Marker" not in text
    assert leaked_marker(text) is None


@dataclasses.dataclass
class Open:
    secret: str = SECRET

    @property
    def token(self) -> str:
        return TOKEN


@pytest.mark.parametrize(
    "writer",
    [
        "asdict",
        "vars",
        "json",
        "walk",
        "orjson",
        "msgspec",
        "pydantic-model",
        "fastapi",
        "cattrs",
        "json-logger",
        "jsons",
        "properties",
    ],
)
def test_the_check_notices_a_value_that_is_open(writer: str) -> None:
    assert "Marker" in str(WRITERS[writer](Open()))
