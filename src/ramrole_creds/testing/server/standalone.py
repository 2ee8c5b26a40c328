"""The fake cloud as a program: for docker-compose, and for tests in any language."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import threading
from typing import TYPE_CHECKING

from ramrole_creds.testing.clocks import TickingClock
from ramrole_creds.testing.fake_cloud import CREDENTIAL_LIFETIME_SECONDS, FakeCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime
    from pathlib import Path

    from ramrole_creds.testing.services.metadata_service import Mode

KEY_VARIABLE = "RAMROLE_CREDS_FAKE_KEY"


def serve(  # noqa: PLR0913  # one keyword for each option of the command
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    role: str | None = "web",
    mode: Mode = "normal",
    script: str | Path | None = None,
    credential_lifetime: float = CREDENTIAL_LIFETIME_SECONDS,
    start: datetime | float | None = None,
    seed: int | str | None = None,
    allowed_hosts: Collection[str] = (),
    control_key: str | None = None,
    announce: Callable[[FakeCloud], object] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Run a fake cloud until SIGTERM or SIGINT (Ctrl-C), then end it cleanly.

    Time passes as it really does; `POST /_fake/clock/advance` jumps ahead.

    Args:
        host: the local address to bind; it is accepted as `Host`, other names are refused.
        port: 0 for a free one.
        role: the attached role, None for none.
        mode: "normal" or "hardened".
        script: a JSON or YAML file with faults.
        credential_lifetime: seconds that metadata credentials live, from 2 up.
        start: the cloud's time at the start; None for now.
        seed: makes all issued values reproducible.
        allowed_hosts: further names to accept in the Host header; "*" accepts all.
        control_key: key of the control API below `/_fake/`; else RAMROLE_CREDS_FAKE_KEY, else a random one, which is
            printed on standard error.
        announce: called when the cloud is ready; None prints its URL as one line on standard output.
        stop: ends the cloud when it is set; None makes one.

    Raises:
        OSError: the address is taken or not local.
        ValueError: the script cannot be read, or it or an option is wrong.
    """
    given_key = control_key or os.environ.get(KEY_VARIABLE)
    key = given_key or secrets.token_urlsafe(16)
    ending = stop or threading.Event()
    cloud = FakeCloud(
        role,
        mode=mode,
        host=host,
        port=port,
        clock=TickingClock(start),
        credential_lifetime=credential_lifetime,
        seed=seed,
        allowed_hosts=allowed_hosts,
        control_key=key,
    )
    if script is not None:
        _load(cloud, script)
    with _ended_by_signals(ending), cloud:
        if not given_key:
            print(f"control key (X-Fake-Key): {key}", file=sys.stderr, flush=True)  # noqa: T201  # the output of a command
        if announce is None:
            print(cloud.url, flush=True)  # noqa: T201  # the line that says it is ready
        else:
            announce(cloud)
        while not ending.wait(1.0):  # a wait without end cannot be interrupted on Windows
            pass


def _load(cloud: FakeCloud, script: str | Path) -> None:
    try:
        cloud.faults.load(script)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise ValueError(f"{script} cannot be read: {reason}.")


@contextlib.contextmanager
def _ended_by_signals(event: threading.Event) -> Iterator[None]:
    """Set the event at SIGTERM and SIGINT. Outside the main thread, where no handler can be set, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: event.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
