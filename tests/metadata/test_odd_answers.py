"""The odd and hostile answers that the toolkit ships, each played against the metadata client."""
# ruff: noqa: E501  # a table is read across

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

import ramrole_creds._http.connection  # noqa: F401  # ahead of time: loading it would use up the short time limits
from ramrole_creds import Credentials
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.errors import MetadataError, MetadataUnreachable, RamRoleError, RoleNotAttached
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.testing import FakeCloud, assert_no_secret_in, hostile_answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ramrole_creds.metadata import TokenMode
    from ramrole_creds.testing import HostileAnswer

PATIENT, IMPATIENT = 5.0, 0.3
"""Seconds for a fetch: few for those that must run into the limit, many for the others, as the machine may be busy."""
SILENCE = 0.1


@dataclass(frozen=True)
class Ends:
    """How this library's client ends: with credentials, or with an error (the texts in it, its step and status)."""

    error: type[RamRoleError] | None = None
    says: Sequence[str] = ()
    step: str | None = None
    status: int | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    identity: str = "web"
    token_mode: TokenMode = "prefer"
    limit: float = PATIENT
    read_timeout: float = 2.0


def bad(
    *says: str,
    step: str | None = None,
    status: int | None = None,
    requests: Mapping[str, int] | None = None,
    error: type[RamRoleError] = MetadataError,
    token_mode: TokenMode = "prefer",
    limit: float = PATIENT,
    read_timeout: float = 2.0,
) -> Ends:
    return Ends(error, says, step, status, requests or {}, "web", token_mode, limit, read_timeout)


def good(identity: str = "web", read_timeout: float = 2.0, **requests: int) -> Ends:
    return Ends(requests=requests, identity=identity, read_timeout=read_timeout)


# By id, or by family. What is not here ends with credentials of the role "web".
EXPECTED: Mapping[str, Ends] = {
    "token-404": good(token=1, role=1, credentials=1),
    "token-405": good(token=1),
    "token-403": good(token=1),
    "token-501": good(token=1),
    "metadata-403": bad("HttpEndpoint", "X-Forwarded-For", "403", step="role", status=403, requests={"token": 1, "role": 1}),
    "token-400": bad("400", step="token", status=400, requests={"token": 1, "role": 0}),
    "token-401": bad("401", step="token", status=401, requests={"token": 1, "role": 0}),
    "token-5xx-twice": good(token=3),
    "token-503": bad("503", "failed. Try again later", step="token", status=503, requests={"token": 3, "role": 0}),
    "token-429-long": bad("429", "Throttled", step="token", status=429, requests={"token": 1, "role": 0}),
    "token-429-short": good(token=2),
    "token-429-once": good(token=2),
    "token-hang": good(read_timeout=SILENCE, token=1, credentials=1),
    "token-reset": good(token=3, credentials=1),
    "token-empty": bad("an empty body", "not a token", step="token", status=200, requests={"token": 3, "role": 0}),
    "token-empty-once": good(token=2),
    "token-blank": bad("an empty body", step="token", status=200),
    "token-html": bad("an HTML page", "captive portal", step="token", status=200, requests={"role": 0}),
    "token-character": bad("not a token", step="token", requests={"role": 0}),
    "token-100k": bad("longer", step="token", requests={"token": 1, "role": 0}),
    "token-5k": bad("not a token", step="token"),
    "token-redirect": bad("302", "captive portal", step="token", status=302, requests={"token": 1, "role": 0}),
    "token-not-http": bad("not HTTP", step="token", requests={"role": 0}),
    "token-cut": bad("the connection ended", step="token", requests={"token": 3, "role": 0}),
    "token-503-then-reset": bad("no usable answer", step="token", requests={"token": 3, "role": 0}),
    "credentials-401-once": good(token=2, role=1, credentials=2),
    "credentials-401": bad("401", "it issued a moment ago", step="credentials", status=401, requests={"token": 2, "role": 1, "credentials": 2}),
    "role-403": bad("requests with a token too", "HttpEndpoint", step="role", status=403, requests={"token": 1, "role": 1}),
    "role-none": bad("No RAM role is attached", "404", "AttachInstanceRamRole", error=RoleNotAttached, requests={"role": 1, "credentials": 0}),
    "role-empty": bad("an empty listing", "try again", step="role", status=200, requests={"role": 3, "credentials": 0}),
    "role-empty-once": good(role=2),
    "role-blank": bad("an empty listing", step="role", status=200),
    "role-odd-name/at": good("web@corp"),
    "role-odd-name/space": good("my role"),
    "role-odd-name/dots": good("web.1_2-3"),
    "role-odd-name/latin": good("wéb"),
    "role-odd-name/encoded": good("a%2fb"),
    "role-odd-name/percent": good("50%"),
    "role-odd-name/chinese": good("角色"),
    "role-odd-name/arn": good("acs:ram::1234567890123456:role/web"),
    "role-odd-name/long": good("r" * 65),
    "role-path": bad("not the name of a role", step="role", status=200, requests={"credentials": 0}),
    "role-html": bad("an HTML page", "captive", step="role", status=200, requests={"credentials": 0}),
    "role-10k": bad("longer", step="role", requests={"role": 1, "credentials": 0}),
    "role-513": bad("513 bytes", step="role"),
    "role-json": bad(" bytes", step="role", status=200, requests={"credentials": 0}),
    "role-json/list": bad("7 bytes", step="role", status=200, requests={"credentials": 0}),
    "role-escapes": bad(r"\x07", "31m", step="role", requests={"credentials": 0}),
    "role-invisible/override": bad(r"we\u202eb", step="role"),
    "role-invisible/nul": bad(r"web\x00", step="role"),
    "role-invisible/bom": bad(r"\ufeffweb", step="role"),
    "role-bytes": bad("not UTF-8", step="role"),
    "document-cut": bad("not a JSON object"),
    "document-html": bad("an HTML page"),
    "document-other": bad("not a JSON object"),
    "document-empty": bad("with nothing", requests={"credentials": 3}),
    "document-empty-once": good(credentials=2),
    "document-tail": bad("not a JSON object"),
    "document-code": bad("Code", "is not 'Success'"),
    "document-code/absent": bad("Code"),
    "document-failed": bad("'InternalError'"),
    **{f"document-wrong-{name}": bad(name) for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")},
    "document-aws": bad("AccessKeySecret"),
    "document-case": bad("Code"),
    "document-key-twice": bad(),
    "document-huge-number": bad(),
    "document-deep": bad(),
    # The parser of Python 3.14 has no limit below the size of the largest document.
    "document-deep-member": good() if sys.version_info >= (3, 14) else bad(),
    "document-latin-1": bad(),
    **{f"document-character-{name}": bad("in which") for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")},
    "expired": bad("2017-11-01T05:20:01Z", "Date", requests={"credentials": 1}),
    "expired-no-date": good(credentials=1),
    "expiration-no-zone": bad("RFC 3339", "zone"),
    "expiration-not-a-date": bad("RFC 3339"),
    "expiration-year-1": bad("expired"),
    **{f"{step}-redirect": bad("redirects", step=step, requests={step: 1}) for step in ("role", "credentials")},
    "role-redirect/tls": bad("307", step="role", status=307),
    "metadata-redirect": bad("302", step="token", status=302),
    "role-redirect-bomb": bad(),
    "status": bad(step="credentials", requests={"credentials": 1}),
    "status-204": bad("204"),
    "flood": bad(requests={"credentials": 1}),  # the time is over, or http.client has counted too many
    "gzip-plain": bad("content encoding"),
    "gzip-unsaid": bad("not a JSON object"),
    "gzip-cut": bad("content encoding"),
    "encoding-unknown": bad("content encoding"),
    "gzip-bomb": bad("longer", requests={"credentials": 1}),
    "chunked-cut": bad("the connection ended", requests={"credentials": 3}),
    "chunked-cut-once": good(credentials=2),
    "chunked-malformed": bad(),
    "length-short": bad("the connection ended", requests={"credentials": 3}),
    "cut-once": good(credentials=2),
    "cut": bad("the connection ended", requests={"credentials": 3}),
    "length-twice": bad("not HTTP"),
    **{f"endless-{step}": bad("longer", step=step, requests={step: 1}) for step in ("token", "role", "credentials")},
    "header-endless": bad(),
    "headers-10k": bad(),
    "not-http": bad("not HTTP"),
    "role-407": bad("407", "A proxy answers", step="role", status=407, requests={"role": 1}),
    **{f"{step}-5xx": bad(step=step, requests={step: 3}) for step in ("role", "credentials")},
    "credentials-503-twice": good(credentials=3),
    "credentials-429": bad("429", "Throttled", step="credentials", status=429),
    "document-404": bad(error=RoleNotAttached),
    "odd-status": bad(step="credentials"),
    "head-drip": bad("time limit", "delays its answers", limit=IMPATIENT),
    "body-drip": bad("time limit", limit=IMPATIENT),
    "token-drip": bad("time limit", step="token", requests={"token": 1, "role": 0}, limit=IMPATIENT),
    "role-reset": bad("reset", "answered this process before", requests={"role": 3}),
    "metadata-reset": bad("reset", error=MetadataUnreachable),
    "reset-after": bad(requests={"credentials": 3}),
    "silence": bad("does not answer", error=MetadataUnreachable, read_timeout=SILENCE),
    "hang-after": bad("the answer began", read_timeout=SILENCE),
    "close": bad("does not answer", error=MetadataUnreachable),
    "close-once": good(role=2),
}  # fmt: skip

# Where a token is required, the client does not do without one.
TOKEN_REQUIRED: Mapping[str, Ends] = {
    "token-405": bad("405", "token_mode='prefer'", step="token", status=405, token_mode="require", requests={"token": 1, "role": 0}),
    "token-403": bad("X-Forwarded-For", step="token", status=403, token_mode="require"),
    "token-hang": bad("no answer came in time", step="token", token_mode="require", read_timeout=SILENCE),
}  # fmt: skip

ANSWERS = {answer.id: answer for answer in hostile_answers()}


def expected(answer: HostileAnswer) -> Ends:
    ends = EXPECTED.get(answer.id) or EXPECTED.get(answer.family) or good()
    if answer.family in {"status", "odd-status", "role-5xx", "credentials-5xx"}:
        status = answer.id.partition("/")[2]
        return replace(ends, says=(*ends.says, status), status=int(status))
    return ends


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=str)
def test_an_odd_answer_ends_in_credentials_or_in_a_typed_error_that_says_why(answer: HostileAnswer) -> None:
    ends = expected(answer)
    assert answer.outcome in {"either", "ok" if ends.error is None else "refused"}
    play(answer, ends)


@pytest.mark.parametrize("name", TOKEN_REQUIRED)
def test_a_required_token_is_not_given_up_for_an_odd_answer(name: str) -> None:
    play(ANSWERS[name], TOKEN_REQUIRED[name])


def test_each_expectation_is_about_an_answer_of_the_collection() -> None:
    known = {*ANSWERS, *(answer.family for answer in ANSWERS.values())}
    assert {*EXPECTED, *TOKEN_REQUIRED} <= known


def play(answer: HostileAnswer, ends: Ends) -> None:
    with FakeCloud(seed=1) as cloud:
        answer.play(cloud)
        transport = HttpTransport(read_timeout=ends.read_timeout, sleep=lambda _seconds: None)
        client = MetadataClient(cloud.url, ends.token_mode, clock=cloud.clock, transport=transport)
        outcome: Credentials | RamRoleError
        begun = time.monotonic()
        try:
            outcome = client.attached_role_credentials(None, FetchContext.create(ends.limit, clock=cloud.clock))
        except RamRoleError as error:
            outcome = error
        took = time.monotonic() - begun
        if isinstance(outcome, Credentials):
            assert ends.error is None
            assert outcome.identity == ends.identity
            assert outcome.access_key_id != "poison"
        else:
            assert type(outcome) is ends.error, outcome
            assert getattr(outcome, "attempts", 0) == len(cloud.requests)
            assert 0 < getattr(outcome, "elapsed", 0) < took + 0.01
            check_error(outcome, ends, cloud.url)
        assert took < ends.limit + 1.5  # the overhead is far below; the machine may be busy
        counts = cloud.requests.counts()
        for step, times in ends.requests.items():
            assert counts.get(step, 0) == times, cloud.requests
        assert sum(counts.values()) <= 3 * 3 + 2


def check_error(error: RamRoleError, ends: Ends, url: str) -> None:
    text = str(error)
    for phrase in ends.says:
        assert phrase in text
    assert url in text, "the error names the request"
    assert_no_secret_in(text)
    assert text.isprintable(), "nothing that came is echoed raw"
    assert len(text) < 700
    if ends.step is not None:
        assert getattr(error, "step", None) == ends.step
    if ends.status is not None:
        assert getattr(error, "status", None) == ends.status
