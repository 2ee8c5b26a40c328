"""No library that writes objects out finds the secret or the token in a value that holds one."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import io
import json
import logging
import os
import pprint
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import Credentials, PushProvider, Signer, StaticProvider, signing
from ramrole_creds.providers.sign_in.oauth import OAuthProvider, OAuthTokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

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


VALUES: dict[str, Callable[[], object]] = {
    "credentials": lambda: HELD,
    "tokens": lambda: OAuthTokens(SECRET, TOKEN, END.timestamp()),
    "static provider": static_provider,
    "push provider": push_provider,
    "sign-in": lambda: OAuthProvider(OAuthTokens(SECRET, TOKEN)),
    "signer": used_signer,
}


def library(name: str) -> Any:
    """The library, which must be there in the environment made for these tests."""
    return importlib.import_module(name) if os.environ.get("SERIALIZERS") == "required" else pytest.importorskip(name)


def everything(value: object) -> object:
    """What a generic encoder may look at."""
    kind = type(value)
    return [
        {name: getattr(value, name) for name in dir(value) if not name.startswith("__")},
        {name: getattr(value, name) for base in kind.__mro__ for name in getattr(base, "__slots__", ())},
        inspect.getmembers(value, lambda found: not callable(found)),
        getattr(value, "__dict__", None),
    ]


def inspected(value: object, rich: ModuleType) -> str:
    text = io.StringIO()
    library("rich.console")
    rich.inspect(value, all=True, console=rich.console.Console(file=text, width=200))
    return text.getvalue()


def logged(value: object, formatter: logging.Formatter) -> str:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter)
    logger = logging.Logger("separate")  # noqa: LOG001  # one that no other handler hears
    logger.addHandler(handler)
    logger.warning("held %s", value, extra={"held": value, "nested": {"held": [value]}})
    return text.getvalue()


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
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_serializer_finds_neither_secret_nor_token(writer: str, kind: str) -> None:
    written: object = None
    with contextlib.suppress(TypeError, ValueError):  # a value that cannot be written is as good as one without secrets
        written = WRITERS[writer](VALUES[kind]())
    assert "Marker" not in (written.decode("utf-8", "replace") if isinstance(written, bytes) else str(written))


@dataclasses.dataclass
class Open:
    secret: str = SECRET


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
    ],
)
def test_the_check_notices_a_value_that_is_open(writer: str) -> None:
    assert "Marker" in str(WRITERS[writer](Open()))
