"""What the kit checks, and why each case matters."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.children import child_environment
from ramrole_creds.testing.clocks import TickingClock
from ramrole_creds.testing.conformance.bench import Bench, CaseFailed, require
from ramrole_creds.testing.environment import isolated_variables
from ramrole_creds.testing.fake_cloud import FakeCloud
from ramrole_creds.testing.faults.hostile import hostile_answers
from ramrole_creds.testing.masking import leaked_marker, mask_text

if TYPE_CHECKING:
    from ramrole_creds.testing.faults.hostile import HostileAnswer
    from ramrole_creds.testing.request_log import RecordedRequest

SHORT_LIFETIME_SECONDS = 6.0
ROUNDED_UP_SECONDS = 1.5  # an Expiration has whole seconds, so credentials live up to a second longer
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"  # noqa: S105  # a header's name
ENDPOINT_VARIABLE = "CONFORMANCE_METADATA_ENDPOINT"
PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY")
DEAD_PROXY = "http://127.0.0.1:9"

Check = Callable[[Bench], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One case: what is played, why it matters, and a check that raises `CaseFailed` where the client is wrong.

    Args:
        id: a short name, "group/name".
        title: what is played.
        why: why it matters, in one sentence.
        check: plays it.
        fetches: how many fetches it needs of one process.
        cloud: arguments of `FakeCloud`.
        environment: further variables of the client.
    """

    id: str
    title: str
    why: str
    check: Check
    fetches: int = 1
    cloud: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def environment_of(case: Case) -> Iterator[tuple[FakeCloud, dict[str, str]]]:
    """A running cloud for a case, and the environment in which the client finds it."""
    options = {"clock": TickingClock(), **case.cloud}
    with FakeCloud(**options) as cloud, tempfile.TemporaryDirectory(prefix="ramrole-creds-") as home:
        changes = isolated_variables(cloud.url, Path(home))
        kept = {name: value for name, value in os.environ.items() if name not in changes}
        changed = {name: value for name, value in changes.items() if value is not None}
        environment = {**kept, **changed, **child_environment(cloud.url), ENDPOINT_VARIABLE: cloud.url}
        yield cloud, {**environment, **case.environment}


_CASES: list[Case] = []
_HARDENED = {"mode": "hardened"}
_SHORT = {"credential_lifetime": SHORT_LIFETIME_SECONDS}


def all_cases(*, every_answer: bool = False) -> list[Case]:
    """The cases, with each odd answer of the collection or with one of each family."""
    return [*_CASES, *_answers(every=every_answer)]


def case(id: str, title: str, why: str = "", **options: Any) -> Callable[[Check], Check]:  # noqa: A002, ANN401  # of `Case`
    """Make a case of the decorated check; its docstring says why it matters, unless `why` does."""

    def register(check: Check) -> Check:
        _CASES.append(Case(id, title, why or check.__doc__ or "", check, **options))
        return check

    return register


@case("protocol/normal", "An instance in normal mode")
def _normal(bench: Bench) -> None:
    """Most instances run in this mode."""
    bench.fetch_valid()


@case("protocol/hardened", "An instance in hardened mode", cloud=_HARDENED)
def _hardened(bench: Bench) -> None:
    """The mode that the vendor recommends: without a session token every request is refused."""
    bench.fetch_valid()


@case("protocol/token-used", "Every request after the token call carries the token")
def _token_used(bench: Bench) -> None:
    """Whoever can make a program fetch a URL can read the credentials where no token is needed."""
    bench.fetch_valid()
    require(bench.cloud.requests.to("token"), "the client never asked for a token")
    bare = [one for one in _after_the_token(bench) if one.header(TOKEN_HEADER) is None]
    require(not bare, f"{len(bare)} request(s) came without the token")


@case("protocol/token-ttl", "The token's lifetime is 1 to 21600 seconds", cloud=_HARDENED)
def _token_ttl(bench: Bench) -> None:
    """The service refuses other values."""
    bench.client.fetch()
    calls = bench.cloud.requests.to("token")
    require(calls, "the client never asked for a token")
    ttl = calls[0].header("X-aliyun-ecs-metadata-token-ttl-seconds") or ""
    require(ttl.isdecimal() and 1 <= int(ttl) <= 21600, f"the client asked for {ttl!r} seconds")


@case(
    "protocol/proxy",
    "A proxy variable names a proxy that does not exist",
    environment=dict.fromkeys(PROXY_VARIABLES, DEAD_PROXY),
)
def _proxy(bench: Bench) -> None:
    """A proxy must not see the credentials, and cannot reach the metadata address anyway."""
    bench.fetch_valid()


@case("protocol/cached", "Two fetches in a row", fetches=2)
def _cached(bench: Bench) -> None:
    """The service throttles a client that asks before each call."""
    bench.fetch_valid()
    bench.fetch_valid()
    asked = len(bench.cloud.requests.to("credentials"))
    require(asked == 1, f"the credentials were fetched {asked} times")


@case("protocol/redirect-token", "A redirect to another server")
def _redirected(bench: Bench) -> None:
    """A session token that is sent to another host opens the instance's metadata to it."""
    with FakeCloud(clock=TickingClock()) as other:
        bench.cloud.faults.add("credentials", "redirect", location=f"{other.url}/latest/meta-data/")
        bench.client.fetch()
        got = [one for one in other.requests if one.header(TOKEN_HEADER) is not None]
    require(not got, "the token was sent to the other server")


def _after_the_token(bench: Bench) -> list[RecordedRequest]:
    return [one for one in bench.cloud.requests.to("metadata") if one.step != "token"]


_WHY_NO_DOWNGRADE = (
    "Only an answer that says that there is no token service allows requests without a token; any other answer may "
    "come from somebody who wants them."
)


def _downgrade(name: str, what: str | int) -> None:
    @case(f"downgrade/{name}", f"The token call is answered with {name}", _WHY_NO_DOWNGRADE)
    def check(bench: Bench) -> None:
        bench.cloud.faults.add("token", what)
        bench.client.fetch()
        bare = _after_the_token(bench)
        require(not bare, f"the client went on without a token ({len(bare)} request(s))")


for _status in (400, 401, 429, 503):
    _downgrade(str(_status), _status)
_downgrade("html", "garbage-body")
_downgrade("redirect", "redirect")


@case("life/rotation", "Credentials that live for six seconds, and a fetch after their end", fetches=2, cloud=_SHORT)
def _rotation(bench: Bench) -> None:
    """Every service rejects expired credentials."""
    bench.fetch_valid()
    _wait_until_expired()
    bench.fetch_valid()


@case("life/expired-in-an-outage", "The metadata service fails, and the credentials expire", fetches=2, cloud=_SHORT)
def _expired_in_an_outage(bench: Bench) -> None:
    """An error that says why is better than credentials that every service refuses."""
    bench.fetch_valid()
    bench.cloud.faults.add("metadata", "outage")
    _wait_until_expired()
    second = bench.client.fetch()
    ending = f"{second.kind}: {second.shown or second.access_key_id}"
    require(second.kind == "error", f"an error was expected, and the client ended with {ending}")


@case("life/outage", "The metadata service fails while the credentials are valid", fetches=2)
def _outage(bench: Bench) -> None:
    """A short outage of the metadata service must not stop a program that has valid credentials."""
    bench.fetch_valid()
    bench.cloud.faults.add("metadata", "outage")
    bench.fetch_valid()


@case("life/replaced-role", "Another role is attached, and the old credentials expire", fetches=2, cloud=_SHORT)
def _replaced_role(bench: Bench) -> None:
    """A program must not need a restart to follow the role of its instance."""
    bench.fetch_valid()
    bench.cloud.replace_role("other")
    _wait_until_expired()
    require(bench.fetch_valid().role_name == "other", "the old role was served")


def _wait_until_expired() -> None:
    time.sleep(SHORT_LIFETIME_SECONDS + ROUNDED_UP_SECONDS)


def _wrong_clock(name: str, seconds: float) -> None:
    clock = TickingClock(time.time() + seconds)

    @case(f"clock/{name}", f"This machine's clock is eight hours {name}", cloud={"clock": clock})
    def check(bench: Bench) -> None:
        """An instance's clock may be wrong for hours after its start; the server's Date header shows the difference."""
        bench.fetch_valid()


_wrong_clock("slow", 8 * 3600.0)
_wrong_clock("fast", -8 * 3600.0)


def _answers(*, every: bool) -> list[Case]:
    chosen: dict[str, HostileAnswer] = {}
    for answer in hostile_answers():
        chosen.setdefault(answer.id if every else answer.family, answer)
    return [
        Case(f"answer/{answer.id}", answer.title, _reason(answer), _ends_well(answer)) for answer in chosen.values()
    ]


def _reason(answer: HostileAnswer) -> str:
    if answer.outcome == "ok":
        return "Real services answer like this, for good or for a moment; a program must not stop for it."
    if answer.outcome == "refused":
        return "Nothing valid came: the client must end in a typed error, in time, and must not print secrets."
    return "Both ends are defensible; a crash, an endless wait and a printed secret are not."


def _ends_well(answer: HostileAnswer) -> Check:
    def check(bench: Bench) -> None:
        answer.play(bench.cloud)
        fetched = bench.client.fetch()
        bench.client.finish()
        require(fetched.kind not in ("silence", "crash"), fetched.text)
        leak = leaked_marker(f"{bench.client.output}\n{fetched.text}")
        require(leak is None, f"a secret was printed: {mask_text(leak or '')}")
        if answer.outcome == "ok" and fetched.kind == "error":
            raise CaseFailed(f"credentials were expected, and the client ended with an error: {fetched.shown}")
        if answer.outcome == "refused" and fetched.kind == "credentials":
            raise CaseFailed("an error was expected, and the client returned credentials")

    return check
