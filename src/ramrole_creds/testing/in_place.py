"""Put a fake cloud in place of the real one, for the code of this process."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.metadata.answered import forget_answered
from ramrole_creds.provider import restart_providers
from ramrole_creds.testing.children import reach_children
from ramrole_creds.testing.environment import STS_ENDPOINT_VARIABLE, changed_environment, isolated_environment
from ramrole_creds.testing.network import forbid_metadata, local_names, redirect_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.fake_cloud import FakeCloud


@contextlib.contextmanager
def cloud_in_place(
    cloud: FakeCloud, *, redirect: bool = True, move_system_time: bool = False, home: Path | None = None
) -> Iterator[FakeCloud]:
    """Put a running cloud in place of the real one while the context lasts.

    The environment is isolated and points at the cloud; connections to 100.100.100.200:80 reach it, also those of
    Python children; providers and signers without a clock follow the cloud's clock, and start again at both ends. Of
    several clouds the latest one counts; the contexts may end in any order.

    Args:
        cloud: a running cloud.
        redirect: False raises at connections to 100.100.100.200 instead.
        move_system_time: let the time of the process follow the cloud's clock too; see `system_time`.
        home: an empty directory to use as the home directory; None creates a temporary one.

    Raises:
        RuntimeError: the cloud is not running.
    """
    if not cloud.is_running:
        raise RuntimeError("The fake cloud is not running. Start it first: with FakeCloud(…) as cloud.")
    place = _Place(cloud, redirect, move_system_time, home)
    _places.append(place)
    try:
        _apply_latest()
        yield cloud
    finally:
        _places.remove(place)
        _apply_latest()


@contextlib.contextmanager
def machine_in_place(url: str, clock: Clock, home: Path | None, *, redirect: bool = True) -> Iterator[None]:
    """Let a machine whose metadata service is at the URL take the place of this one while the context lasts.

    Args:
        url: the base URL that connections to 100.100.100.200 and the environment lead to.
        clock: what providers and signers without a clock follow.
        home: an empty directory to use as the home directory; None creates a temporary one.
        redirect: False raises at connections to 100.100.100.200 instead.
    """
    with (
        isolated_environment(url, home),
        redirect_metadata(url) if redirect else forbid_metadata(),
        local_names(),
        reach_children(url if redirect else None),
        process_clock(clock),
    ):
        yield


@contextlib.contextmanager
def process_clock(clock: Clock) -> Iterator[None]:
    """Let every provider, client and signer that was given no clock follow this one, whenever it was made.

    At the beginning and at the end those providers start again: they drop what they fetched and read the environment
    again, so that nothing of one test is served in the next. A provider of a class outside of this library only drops
    what it fetched.

    Args:
        clock: the clock to follow, for instance `cloud.clock`.
    """
    before = DEFAULT_CLOCK.target
    _start_again(clock)
    try:
        yield
    finally:
        _start_again(before)


def _start_again(clock: Clock) -> None:
    DEFAULT_CLOCK.target = clock
    restart_providers()
    forget_answered()


def put_on_top(cloud: FakeCloud) -> None:
    """Make a cloud that is in place the latest one."""
    for place in [one for one in _places if one.cloud is cloud]:
        if place is not _places[-1]:
            _places.remove(place)
            _places.append(place)
            _apply_latest()


@dataclass(eq=False, frozen=True)
class _Place:
    cloud: FakeCloud
    redirect: bool
    move_system_time: bool
    home: Path | None

    def enter(self, stack: contextlib.ExitStack) -> None:
        clock = self.cloud.clock
        stack.enter_context(machine_in_place(self.cloud.url, clock, self.home, redirect=self.redirect))
        stack.enter_context(changed_environment({STS_ENDPOINT_VARIABLE: self.cloud.sts_endpoint}))
        if self.move_system_time:
            from ramrole_creds.testing.machine_time import system_time

            stack.enter_context(system_time(clock))


_places: list[_Place] = []
_applied = contextlib.ExitStack()


def _apply_latest() -> None:
    """Undo what is in force, then put the latest cloud in place."""
    _applied.close()
    if _places:
        _places[-1].enter(_applied)
