"""No secret and no token in anything that an error carries: texts, causes, contexts, frames with their variables."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds import Credentials, EcsRamRoleProvider, RefreshPolicy
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._http.transport import HttpResponse, HttpTransport
from ramrole_creds.errors import MetadataError, RamRoleError
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.metadata._parsing import parse_credentials, parse_listing, parse_token
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BROKEN: dict[str, tuple[str, str | int, dict[str, Any]]] = {
    "refused with a token": ("role", 403, {}),
    "never the right token": ("credentials", 401, {}),
    "unavailable": ("credentials", 503, {}),
    "redirected": ("credentials", "redirect", {}),
    "reset in the document": ("credentials", "reset", {"after": 500}),
    "truncated": ("credentials", "truncate", {"at": 300}),
    "hangs in the document": ("credentials", "hang", {"after": 500}),
    "no HTTP": ("credentials", "garbage", {}),
    "too long": ("credentials", "oversize", {}),
    "no Code": ("credentials", "document", {"drop": ["Code"]}),
    "Code is another": ("credentials", "document", {"set": {"Code": "Failed"}}),
    "no id": ("credentials", "document", {"drop": ["AccessKeyId"]}),
    "an unprintable id": ("credentials", "document", {"set": {"AccessKeyId": "a\x00"}}),
    "no time": ("credentials", "document", {"set": {"Expiration": "soon"}}),
    "ended": ("credentials", "document", {"set": {"Expiration": "2001-01-01T00:00:00Z"}}),
    "a header without a colon": ("role", "garbage", {"data": b"HTTP/1.1 200 OK\r\nFAKESECRETFAKESECRET\r\n\r\n"}),
    "another role": ("credentials", 404, {}),
}


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="hardened") as cloud:
        yield cloud


def everything_about(error: BaseException) -> Iterator[str]:
    """All that a crash reporter could read off an error."""
    queue: list[BaseException] = [error]
    seen: list[BaseException] = []
    while queue:
        one = queue.pop()
        if any(one is other for other in seen):
            continue
        seen.append(one)
        queue += [other for other in (one.__cause__, one.__context__) if other is not None]
        yield str(one)
        yield repr(one)
        yield repr(vars(one))
        yield "".join(traceback.TracebackException.from_exception(one, capture_locals=True).format())
        frame = one.__traceback__
        while frame is not None:
            yield repr(frame.tb_frame.f_locals)
            frame = frame.tb_next


def failure_of(ask: Callable[[], object]) -> RamRoleError:
    try:
        ask()
    except RamRoleError as error:
        return error
    raise AssertionError("nothing failed")


@pytest.mark.parametrize("what", BROKEN)
def test_no_error_of_the_client_holds_a_secret_or_a_token(cloud: FakeCloud, what: str) -> None:
    where, fault, options = BROKEN[what]
    cloud.faults.add(where, fault, **options)
    transport = HttpTransport(read_timeout=0.1, sleep=lambda _seconds: None)
    client = MetadataClient(cloud.url, clock=cloud.clock, transport=transport)
    error = failure_of(lambda: client.attached_role_credentials(None))
    for text in everything_about(error):
        assert leaked_marker(text) is None
    assert error.__cause__ is None
    assert error.__context__ is None
    assert leaked_marker(pickle.dumps(error).decode("latin-1")) is None


@pytest.mark.parametrize("what", ["no time", "never the right token", "truncated"])
def test_no_error_event_or_status_of_the_provider_holds_a_secret_or_a_token(cloud: FakeCloud, what: str) -> None:
    where, fault, options = BROKEN[what]
    cloud.faults.add(where, fault, **options)
    events: list[object] = []
    provider = EcsRamRoleProvider(
        endpoint=cloud.url, clock=cloud.clock, policy=RefreshPolicy(fetch_timeout=2), on_event=events.append
    )
    with provider:
        error = failure_of(provider.get_credentials)
        texts = [*everything_about(error), repr(events), str(provider.status()), repr(provider)]
    assert events
    for text in texts:
        assert leaked_marker(text) is None


def test_what_urllib3_would_log_of_a_broken_head_is_not_logged(
    cloud: FakeCloud, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"HTTP/1.1 200 OK\r\nMarkerMarker\r\nContent-Length: 3\r\n\r\nweb"
    cloud.faults.add("role", "garbage", data=head)
    with caplog.at_level(logging.DEBUG), pytest.raises(MetadataError, match="not HTTP"):
        MetadataClient(cloud.url, clock=cloud.clock).role_names()
    assert "MarkerMarker" not in caplog.text


def test_an_error_survives_pickling_and_copying(cloud: FakeCloud) -> None:
    cloud.faults.add("role", 429, retry_after=60)
    error = failure_of(MetadataClient(cloud.url, clock=cloud.clock).role_names)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


MARKER = "Zq7Marker9Zq7Marker9Zq7Marker9Zq7Marker9"
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(MARKER),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration", "Code", "LastUpdated"])
likely = values | st.sampled_from(["Success", "2099-01-01T00:00:00Z", "2099-01-01T00:00:00.5+08:00", MARKER])
documents = st.dictionaries(names | st.text(max_size=5), likely, max_size=8)


def as_bytes(document: dict[str, object], encoding: str) -> bytes:
    import json

    return json.dumps(document, ensure_ascii=False).encode(encoding, "surrogatepass")


def outcome_of(parse: Callable[[HttpResponse, str], object], body: bytes) -> object:
    try:
        return parse(HttpResponse(200, {}, body), "GET x")
    except MetadataError as error:
        return error


def parse_document(response: HttpResponse, asked: str) -> Credentials:
    return parse_credentials(response, "web", asked)


@settings(max_examples=100, deadline=None)
@given(st.builds(as_bytes, documents, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])))
def test_a_random_document_gives_credentials_or_an_error_that_shows_nothing_of_it(body: bytes) -> None:
    found = outcome_of(parse_document, body)
    if isinstance(found, Credentials):
        assert found.expiration is not None
        assert found.security_token
    else:
        assert MARKER[:12] not in str(found)
        assert str(found).isprintable()


@pytest.mark.parametrize("parse", [parse_token, parse_listing, parse_document])
@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_bytes_give_a_value_or_a_typed_error(parse: Callable[[HttpResponse, str], object], body: bytes) -> None:
    found = outcome_of(parse, body)
    assert not isinstance(found, MetadataError) or str(found).isprintable()


@settings(max_examples=80, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_a_name_that_is_accepted_is_one_printable_path_segment(name: str) -> None:
    try:
        found = parse_listing(HttpResponse(200, {}, name.encode("utf-8", "surrogatepass")), "GET x")
    except MetadataError:
        return
    for one in found:
        plain = one.rpartition(":role/")[2] if one.startswith("acs:ram::") else one
        assert plain.isprintable()
        assert not set(plain) & set("/\\?#<>")
        assert plain not in ("", ".", "..")


def test_the_context_of_a_fetch_is_not_a_way_around(cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", "document", set={"Expiration": 1})
    provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
    error = failure_of(lambda: provider.fetch(FetchContext.create(clock=cloud.clock)))
    for text in everything_about(error):
        assert leaked_marker(text) is None


def test_a_pickled_client_carries_no_session_token() -> None:
    with FakeCloud(role="web", mode="hardened") as cloud:
        client = MetadataClient(cloud.url)
        assert client.role_names() == ("web",)
        sent = pickle.dumps(client)
        assert leaked_marker(sent.decode("latin-1")) is None
        assert pickle.loads(sent).role_names() == ("web",)
