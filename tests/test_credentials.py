"""One set of credentials: what it is, what it shows, and where it does not go."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import logging
import pickle
import traceback
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import Credentials
from ramrole_creds.credentials import shorten_id
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "MarkerSecretMarkerSecretMarkerSecretMarkerSe"
TOKEN = "CAISMarkerTokenMarkerTokenMarkerTokenMarkerToken=="
KEY_ID = "STS.NTabcdefghijklmnopqrs1234"
SOON = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=6)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(KEY_ID, SECRET, TOKEN, SOON, provider_name="default/ecs_ram_role", identity="web")


def test_neither_secret_nor_token_shows_however_they_are_printed(
    credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("ramrole_creds.test").warning("got %s and %r", credentials, {"all": [credentials]})
    texts = [
        repr(credentials),
        str(credentials),
        f"{credentials}",
        f"{credentials!r:>200}",
        "%s" % credentials,  # noqa: UP031  # each way to format is one way to leak
        repr([credentials]),
        repr(credentials.replace(identity="db")),
        caplog.text,
    ]
    for text in texts:
        assert "MarkerSecret" not in text
        assert "MarkerToken" not in text
        assert KEY_ID not in text
        assert "STS.NTab…1234" in text


def test_a_traceback_with_variables_shows_neither(credentials: Credentials) -> None:
    def fail() -> None:
        held = credentials
        raise RuntimeError(f"with {held}")

    with pytest.raises(RuntimeError) as raised:
        fail()
    text = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert "held = Credentials(" in text
    assert "MarkerSecret" not in text


def test_the_representation_says_what_one_needs_to_find_it(credentials: Credentials) -> None:
    fresh = credentials.replace(expiration=datetime.now(timezone.utc) + timedelta(hours=6))
    shown = "access_key_id='STS.NTab…1234', provider_name='default/ecs_ram_role', identity='web', expires in 5:59:"
    assert repr(fresh).startswith(f"Credentials({shown}")
    assert repr(Credentials("id", "s")) == "Credentials(access_key_id='id', never expires)"
    assert repr(Credentials("id", "s", "t")) == "Credentials(access_key_id='id', expiry unknown)"
    gone = datetime.now(timezone.utc) - timedelta(hours=1)
    assert "expired 1:00:0" in repr(Credentials("id", "s", "t", gone))


def test_they_cannot_be_pickled_nor_written_as_json(credentials: Credentials) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="Pickle the provider instead"):
            pickle.dumps(credentials, protocol)
    with pytest.raises(TypeError):
        json.dumps(credentials)


def test_a_copy_is_the_object_itself(credentials: Credentials) -> None:
    assert copy.copy(credentials) is credentials
    assert copy.deepcopy({"a": [credentials]})["a"][0] is credentials


def test_they_are_frozen_and_take_no_more_attributes(credentials: Credentials) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        credentials.access_key_id = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        credentials.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="immutable"):
        del credentials.access_key_id
    assert not hasattr(credentials, "__dict__")


def test_they_compare_and_hash_by_value(credentials: Credentials) -> None:
    same = Credentials(KEY_ID, SECRET, TOKEN, SOON, provider_name="default/ecs_ram_role", identity="web")
    assert credentials == same
    assert hash(credentials) == hash(same)
    assert credentials != same.replace(access_key_secret="other")
    other: object = KEY_ID
    assert credentials != other


def test_they_answer_what_every_sdk_asks(credentials: Credentials) -> None:
    assert credentials.get_access_key_id() == credentials.access_key_id == KEY_ID
    assert credentials.get_access_key_secret() == credentials.access_key_secret == SECRET
    assert credentials.get_security_token() == credentials.security_token == TOKEN
    assert credentials.get_provider_name() == credentials.provider_name == "default/ecs_ram_role"
    assert credentials.type == "sts"
    assert credentials.has_keys()
    assert not credentials.is_expired()
    long_term = Credentials("id", "s", "")
    assert long_term.type == "access_key"
    assert long_term.security_token is None
    assert not long_term.is_expired()


def test_replace_changes_the_named_fields_only(credentials: Credentials) -> None:
    changed = credentials.replace(identity="db", security_token=None)
    assert changed == Credentials(KEY_ID, SECRET, None, SOON, provider_name="default/ecs_ram_role", identity="db")
    with pytest.raises(TypeError, match="acess_key_id"):
        credentials.replace(acess_key_id="x")  # type: ignore[call-arg]


def test_no_walk_over_attributes_finds_secret_or_token(credentials: Credentials) -> None:
    named = {name: getattr(credentials, name) for name in dir(credentials)}
    named |= {name: getattr(credentials, name) for name in type(credentials).__slots__}
    named |= dict(inspect.getmembers(credentials))
    for value in named.values():
        assert value not in (SECRET, TOKEN)
        assert "Marker" not in repr(value)
    assert not dataclasses.is_dataclass(credentials)
    with pytest.raises(TypeError):
        vars(credentials)


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda _: Credentials(KEY_ID + " ", SECRET, TOKEN), ConfigurationError),
        (lambda _: Credentials(KEY_ID, SECRET + "\n", TOKEN), ConfigurationError),
        (lambda _: Credentials(KEY_ID, SECRET, TOKEN, "soon"), ConfigurationError),  # type: ignore[arg-type]
        (lambda good: good.replace(security_token=TOKEN + "\n"), ConfigurationError),
        (lambda good: good.replace(access_key_secret=SECRET, color="red"), TypeError),
        (lambda good: good.__getstate__(), TypeError),
    ],
    ids=["id", "secret", "expiration", "replace", "unknown field", "state"],
)
def test_a_refused_value_is_not_a_variable_of_the_traceback(
    credentials: Credentials, build: Callable[[Credentials], object], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        build(credentials)
    assert raised.value.__traceback__ is not None
    ours = raised.value.__traceback__.tb_next
    assert ours is not None
    text = "".join(traceback.TracebackException(error, raised.value, ours, capture_locals=True).format())
    assert "Marker" not in text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\nCAIS"], ids=["LF", "CRLF", "wrapped"])
def test_a_token_with_a_line_break_is_reported_as_that(end: str) -> None:
    with pytest.raises(ConfigurationError, match="security_token contains a line break") as raised:
        Credentials("id", SECRET, TOKEN + end)
    assert "Marker" not in str(raised.value)


def test_an_expiration_is_kept_in_utc() -> None:
    beijing = SOON.astimezone(timezone(timedelta(hours=8)))
    kept = Credentials("id", "s", "t", beijing).expiration
    assert kept == SOON
    assert kept is not None
    assert kept.tzinfo is timezone.utc


def test_they_are_expired_from_their_expiration_on() -> None:
    now = datetime.now(timezone.utc)
    assert Credentials("id", "s", "t", now).is_expired()
    assert not Credentials("id", "s", "t", now + timedelta(minutes=1)).is_expired()


@pytest.mark.parametrize(
    "bad", ["", None, 1, b"bytes", ["x"], " ", "a b", "a\n", "\ta", "a\x00", "é", "\ud800", "\u2028"]
)
@pytest.mark.parametrize("field", ["access_key_id", "access_key_secret", "security_token"])
def test_what_is_no_key_is_refused_without_being_shown(field: str, bad: object) -> None:
    if field == "security_token" and bad in ("", None):
        return
    good = {"access_key_id": "id", "access_key_secret": SECRET, "security_token": TOKEN}
    with pytest.raises(ConfigurationError, match=field) as raised:
        Credentials(**{**good, field: bad})  # type: ignore[arg-type]
    assert "MarkerSecret" not in str(raised.value)


def test_a_secret_with_a_stray_line_end_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError, match="access_key_secret contains a line break") as raised:
        Credentials("id", SECRET + "\n")
    assert "MarkerSecret" not in str(raised.value)


@pytest.mark.parametrize(
    "expiration",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-8))),
    ],
)
def test_an_expiration_that_no_datetime_can_hold_in_utc_is_refused(expiration: datetime) -> None:
    with pytest.raises(ConfigurationError, match="years 1 to 9999"):
        Credentials("id", "secret", "token", expiration)


@pytest.mark.parametrize("expiration", [datetime(2030, 1, 1), "2030-01-01T00:00:00Z", 1893456000])  # noqa: DTZ001
def test_an_expiration_without_a_zone_is_refused(expiration: object) -> None:
    with pytest.raises(ConfigurationError, match="expiration"):
        Credentials("id", "s", "t", expiration)  # type: ignore[arg-type]


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_an_id_is_shown_by_its_ends(key_id: str) -> None:
    shown = shorten_id(key_id)
    assert len(shown) <= 13
    assert shown == key_id or (key_id.startswith(shown[:8]) and key_id.endswith(shown[-4:]))


@given(
    st.text(min_size=1),
    st.text(min_size=1),
    st.none() | st.text(),
    st.none() | st.datetimes(timezones=st.just(timezone.utc)),
)
def test_any_texts_give_credentials_or_a_configuration_error(
    key_id: str, secret: str, token: str | None, expiration: datetime | None
) -> None:
    try:
        made = Credentials(key_id, secret, token, expiration)
    except ConfigurationError:
        return
    assert "\n" not in made.access_key_id + made.access_key_secret + (made.security_token or "")
    assert secret not in repr(made) or len(secret) < 24
