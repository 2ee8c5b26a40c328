"""The demonstration: the library's main job on a fake cloud, shown while it happens and judged at the end.

Time is the fake cloud's: it is moved in steps, and between two steps every thread makes at least one whole call. So a
day with several rotations passes in seconds, under load, and what is shown is what happened.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import requests

from ramrole_creds import RefreshPolicy, Signer, default_provider, signing
from ramrole_creds.cli.life_plot import draw_row
from ramrole_creds.cli.load_generator import LoadGenerator
from ramrole_creds.events import Fetched, FetchFailed
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.testing import FakeCloud, VirtualClock
from ramrole_creds.testing.account.ram_policy import allow
from ramrole_creds.testing.environment import isolated_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ramrole_creds import ProviderChain
    from ramrole_creds.cli.load_generator import Call
    from ramrole_creds.cli.screen import ProgressBar, Screen
    from ramrole_creds.events import Event, EventListener

ROLE = "demo-role"
ROTATIONS = 3
STEP_MINUTES = 10.0  # below the 15 minutes by which a signature's time may be off
OUTAGE_STEP_MINUTES = 1.0
WINDOW_OPENS_MINUTES = 27.5  # before expiry: 25 minutes, made earlier by up to a tenth
OUTAGE_ENDS_MINUTES = 2.0  # before expiry
# Patience, far beyond what it takes: a machine that is busy must not fail what it shows.
ROUND_SECONDS = 30.0
LIMIT_SECONDS = 300.0
# As usual, but tries are at least a minute apart: each try of a service that is down takes real time.
POLICY = RefreshPolicy(retry_initial=60.0)
REQUESTS_PER_FETCH = 3  # session token, role name, credentials
POLICY_ACTION = "DescribeVpcs"
POLICY_CALL_HEADERS = {"x-acs-action": POLICY_ACTION, "x-acs-version": "2016-04-28"}
POLICY_CALL_QUERY = "/?RegionId=cn-hangzhou"
CALL_HEADERS = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}


@dataclass
class Stage:
    """What the parts of the demonstration share."""

    screen: Screen
    cloud: FakeCloud
    clock: VirtualClock
    provider: ProviderChain
    events: list[Event]
    ends_at: float
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began: float = self.clock.time()

    def check(self, text: str, *, holds: bool) -> None:
        """Show a check, and remember it if it failed."""
        self.screen.check(text, holds=holds)
        if not holds:
            self.failed.append(text)

    def hours(self, at: float | None = None) -> str:
        """Virtual time since the beginning, as on a clock."""
        minutes = int(((self.clock.time() if at is None else at) - self.began) // 60)
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def fetched(self) -> list[Fetched]:
        """The replacements so far, the first credentials included."""
        return [event for event in self.events if isinstance(event, Fetched)]

    def fetch_failures(self) -> list[FetchFailed]:
        """The fetches that failed so far."""
        return [event for event in self.events if isinstance(event, FetchFailed)]

    def metadata_requests(self) -> int:
        """How many requests reached the metadata service, answered or not."""
        return len(self.cloud.requests.to("metadata"))


def run_demo(screen: Screen, *, threads: int, seed: int | None, listener: EventListener | None = None) -> bool:
    """Run the whole demonstration on `screen`.

    Args:
        screen: where to print.
        threads: how many make calls.
        seed: makes the fake cloud's keys repeatable; None for new ones each time.
        listener: receives the provider's events too; metrics, for instance.

    Returns:
        True if every check passed.
    """
    started = time.monotonic()
    clock = VirtualClock()
    screen.title(
        "ramrole-creds demo",
        "Role credentials from an instance metadata service, cached, refreshed and signing real requests, on a fake "
        "cloud inside this process. Nothing leaves the machine; a day passes in seconds.",
    )
    events: list[Event] = []

    def receive(event: Event) -> None:
        events.append(event)
        if listener is not None:
            listener(event)

    with (
        FakeCloud(role=ROLE, mode="hardened", clock=clock, seed=seed) as cloud,
        isolated_environment(cloud.url),
        default_provider(policy=POLICY, clock=clock, on_event=receive) as provider,
    ):
        stage = Stage(screen, cloud, clock, provider, events, started + LIMIT_SECONDS)
        play(stage, threads)
    seconds = time.monotonic() - started
    if stage.failed:
        screen.closing(f"{len(stage.failed)} of the checks above failed ({seconds:.1f} s).", holds=False)
    else:
        screen.closing(f"Every check passed. {seconds:.1f} s.", holds=True)
    return not stage.failed


def play(stage: Stage, threads: int) -> None:
    """The parts in order."""
    show_origin(stage)
    with LoadGenerator(lambda: signed_call(stage), threads) as callers:
        show_rotations(stage, callers)
        if not stage.failed:
            show_outage(stage, callers)
    if not stage.failed:
        show_policy(stage)
    show_sums(stage, callers)


def show_origin(stage: Stage) -> None:
    """Where the credentials came from."""
    stage.screen.step(f"A fake cloud at {stage.cloud.url}")
    stage.screen.line(f"metadata service, hardened mode, role {ROLE} attached")
    stage.screen.line("an STS endpoint that verifies every ACS3 signature, security token and nonce")
    stage.screen.step("default_provider() looks for credentials")
    credentials = stage.provider.get_credentials()
    for line in stage.provider.explain().splitlines():
        stage.screen.line(line)
    stage.screen.line(repr(credentials))
    stage.check(
        f"they came from {credentials.provider_name}, role {credentials.identity}",
        holds=credentials.provider_name == "default/ecs_ram_role" and credentials.identity == ROLE,
    )


def show_rotations(stage: Stage, callers: LoadGenerator) -> None:
    """Credentials rotate while calls go on."""
    stage.screen.step(f"{callers.threads} threads make signed calls while the credentials rotate {ROTATIONS} times")
    wanted, asked_before = len(stage.fetched()) + ROTATIONS, stage.metadata_requests()
    with stage.screen.progress(ROTATIONS * 5.6 * 60) as progress:
        while len(stage.fetched()) < wanted and pass_time(stage, callers, progress, STEP_MINUTES):
            pass
    replaced = len(stage.fetched()) - wanted + ROTATIONS
    stage.check(
        f"{replaced} rotations in {stage.hours()} virtual hours: {accepted(callers)}, "
        f"{stage.metadata_requests() - asked_before} metadata requests",
        holds=replaced == ROTATIONS and not callers.refused,
    )


def show_outage(stage: Stage, callers: LoadGenerator) -> None:
    """The metadata service is down for most of the refresh window."""
    expiration = stage.provider.get_credentials().expiration
    assert expiration is not None  # noqa: S101  # the metadata service's credentials always have one
    opens = expiration - timedelta(minutes=WINDOW_OPENS_MINUTES)
    ends = expiration - timedelta(minutes=OUTAGE_ENDS_MINUTES)
    stage.screen.step("The metadata service goes down when the refresh window opens")
    outage = stage.cloud.faults.add("metadata", "outage", between=(opens, ends))
    held, failed_before = len(stage.fetched()), len(stage.fetch_failures())
    stage.screen.line(
        f"down {stage.hours(opens.timestamp())} to {stage.hours(ends.timestamp())}, "
        f"credentials end at {stage.hours(expiration.timestamp())}"
    )
    total = (expiration - stage.clock.now()).total_seconds() / 60
    with stage.screen.progress(total) as progress:
        while stage.clock.now() < opens and pass_time(stage, callers, progress, STEP_MINUTES, until=opens):
            pass
        while stage.clock.now() < expiration and pass_time(
            stage, callers, progress, OUTAGE_STEP_MINUTES, until=expiration
        ):
            pass
    fetched = stage.fetched()[held:]
    failures = len(stage.fetch_failures()) - failed_before
    stage.check(f"the outage was met: {failures} fetches failed", holds=outage.played > 0 and failures > 0)
    show_life(stage, opens.timestamp(), ends.timestamp(), expiration.timestamp())
    left = expiration.timestamp() - fetched[0].at if fetched else -1.0
    stage.check(
        f"new credentials {left:.0f} s before the old ones ended" if fetched else "no new credentials came",
        holds=left > 0,
    )
    stage.check(f"through all of it, {accepted(callers)}", holds=not callers.refused)


def show_life(stage: Stage, opens: float, ends: float, expiration: float) -> None:
    """The end of the old credentials' life as a picture: the outage, the failed fetches and the new credentials."""
    begin, end = opens - 300, expiration + 60
    tries = [(event.at, event.at, "x") for event in stage.fetch_failures() if event.at >= begin]
    replaced = [(event.at, event.at, "N") for event in stage.fetched() if event.at >= begin]
    rows = [
        draw_row("service", begin=begin, end=end, spans=[(begin, end, "="), (opens, ends, ".")]),
        draw_row("fetches", begin=begin, end=end, spans=[*tries, *replaced]),
        draw_row("old keys", begin=begin, end=end, spans=[(begin, expiration, "=")]),
        draw_row("new keys", begin=begin, end=end, spans=[(at, end, "=") for at, _, _ in replaced]),
    ]
    for row in rows:
        stage.screen.line(row)
    stage.screen.line(f"(. service down, x fetch failed, N new credentials; {(end - begin) / 60:.0f} minutes)")


def show_policy(stage: Stage) -> None:
    """A policy of the role is changed, and the next call with the same credentials is bound by it."""
    stage.screen.step("The role's policy changes; its credentials stay the same")
    call, key = signed_call(stage, POLICY_CALL_HEADERS, POLICY_CALL_QUERY), stage.provider.get_credentials()
    before = call()
    stage.check(f"{POLICY_ACTION} is allowed" if before is None else f"{POLICY_ACTION}: {before}", holds=before is None)
    stage.cloud.set_policies(ROLE, [allow("oss:GetObject")])
    after = call()
    same = stage.provider.get_credentials().access_key_id == key.access_key_id
    stage.check(
        f"with a policy that allows oss:GetObject alone, the next call is answered {after or '200'}",
        holds=after is not None and after.startswith("403") and same,
    )


def show_sums(stage: Stage, callers: LoadGenerator) -> None:
    """How many fetches and requests were made."""
    stage.screen.step("Requests")
    generations, failures, asked = len(stage.fetched()), len(stage.fetch_failures()), stage.metadata_requests()
    fetches = stage.provider.status().fetches
    stage.check(
        f"every call accepted: {callers.made - len(callers.refused)} of {callers.made}", holds=not callers.refused
    )
    stage.check(
        f"{asked} metadata requests in {fetches} fetches for {generations} sets of credentials",
        holds=fetches >= generations + failures and asked <= REQUESTS_PER_FETCH * fetches,
    )
    for refusal in dict.fromkeys(callers.refused[:3]):
        stage.screen.line(refusal)


def pass_time(
    stage: Stage, callers: LoadGenerator, progress: ProgressBar, minutes: float, until: datetime | None = None
) -> bool:
    """Move the clock by a step at most to `until`, then let every thread make a whole call.

    Returns:
        False when the demonstration must end: the calls stopped, were refused, or real time ran out.
    """
    before = len(stage.fetched())
    step = timedelta(minutes=minutes)
    if until is not None:
        step = min(step, until - stage.clock.now())
    stage.clock.advance(step.total_seconds())
    went_on = callers.wait_for_a_round(ROUND_SECONDS)
    for event in stage.fetched()[before:]:
        stage.screen.line(f"{stage.hours(event.at)}  now {event.access_key_id}, {callers.made} calls so far")
    progress.move(
        (stage.clock.time() - stage.began) / 60,
        f"{stage.hours()}  {callers.made} calls, {len(callers.refused)} refused",
    )
    if not went_on:
        stage.check(f"the calls went on ({callers.threads} threads)", holds=False)
    if time.monotonic() > stage.ends_at:
        stage.check(f"all of it within {LIMIT_SECONDS:.0f} s", holds=False)
        return False
    return went_on and not callers.refused


def accepted(callers: LoadGenerator) -> str:
    """How the calls fared."""
    made, refused = callers.made, len(callers.refused)
    return f"{made} calls, all accepted" if not refused else f"{refused} of {made} calls refused"


def signed_call(stage: Stage, headers: Mapping[str, str] | None = None, query: str = "") -> Call:
    """One thread's call: its own session, and the shared provider behind a signer."""
    session = requests.Session()
    session.trust_env = False
    auth = RequestsAuth(Signer(stage.provider, signing.ACS3(), clock=stage.clock))

    def call() -> str | None:
        response = session.post(
            stage.cloud.url + query, headers=headers or CALL_HEADERS, auth=auth, timeout=ROUND_SECONDS
        )
        return None if response.ok else f"{response.status_code} {response.json().get('Code')}"

    return call
