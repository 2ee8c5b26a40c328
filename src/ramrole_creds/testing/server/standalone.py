"""The fake cloud as a process of its own: for docker-compose, and for tests in any language."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from typing import TYPE_CHECKING

from ramrole_creds.testing.clocks import TickingClock
from ramrole_creds.testing.fake_cloud import CREDENTIAL_LIFETIME_SECONDS, FakeCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from pathlib import Path

    from ramrole_creds.testing.services.metadata_service import Mode

KEY_VARIABLE = "RAMROLE_CREDS_FAKE_KEY"


def serve(  # noqa: PLR0913 - one keyword per option of the command
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
        start: where the cloud's time begins; None for now.
        seed: makes all issued values reproducible.
        allowed_hosts: more names to accept in the Host header; "*" accepts all.
        control_key: key of the control API below `/_fake/`; else RAMROLE_CREDS_FAKE_KEY, else a random one, which is
            printed on standard error.
        announce: called when the cloud is ready; None prints its URL as one line on standard output.
        stop: ends the cloud when it is set; None makes one.

    Raises:
        OSError: the address is taken or not local.
        ValueError: the script or an option makes no sense.
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
        cloud.faults.load(script)
    with _ended_by_signals(ending), cloud:
        if not given_key:
            print(f"control key (X-Fake-Key): {key}", file=sys.stderr, flush=True)  # noqa: T201 - a command's output
        if announce is None:
            print(cloud.url, flush=True)  # noqa: T201 - the one line that says it is ready
        else:
            announce(cloud)
        while not ending.wait(1.0):  # a wait without end cannot be interrupted on Windows
            pass


class _ended_by_signals:  # noqa: N801 - used like a function
    """Sets an event at SIGTERM and SIGINT; outside the main thread, where no handlers can be set, does nothing."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, lambda *_: self._event.set())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave before
