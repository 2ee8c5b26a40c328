"""Put a fake cloud in place of the real one, for the code of this process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ramrole_creds.testing.children import reach_children
from ramrole_creds.testing.clock_in_place import process_clock
from ramrole_creds.testing.environment import isolated_environment
from ramrole_creds.testing.network import forbid_metadata, redirect_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ramrole_creds.testing.fake_cloud import FakeCloud


@contextlib.contextmanager
def cloud_in_place(
    cloud: FakeCloud, *, redirect: bool = True, move_system_time: bool = False, home: Path | None = None
) -> Iterator[FakeCloud]:
    """Put a running cloud in place of the real one while the context lasts.

    The environment is isolated and points at the cloud; connections to 100.100.100.200:80 reach it, also those of
    Python children; providers and signers without a clock follow the cloud's clock, and start again at both ends.

    Args:
        cloud: a running cloud.
        redirect: False raises at connections to 100.100.100.200 instead.
        move_system_time: let the time of the process follow the cloud's clock too; see `system_time`.
        home: an empty directory to use as the home directory; None creates a temporary one.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(isolated_environment(cloud.url, home))
        stack.enter_context(redirect_metadata(cloud.url) if redirect else forbid_metadata())
        stack.enter_context(reach_children(cloud.url if redirect else None))
        stack.enter_context(process_clock(cloud.clock))
        if move_system_time:
            from ramrole_creds.testing.machine_time import system_time

            stack.enter_context(system_time(cloud.clock))
        yield cloud
