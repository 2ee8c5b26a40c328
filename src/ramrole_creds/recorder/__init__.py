"""A flight recorder for providers: what each fetch returned, by which clocks, and what the cache made of it.

    recorder = Recorder(provider)
    ...
    recorder.dump(Path("recording.jsonl"))

`ramrole-creds replay recording.jsonl` plays the recording against the engine of the installed version. A recording
holds no key, no token, no name of a role and no text of an error: keys and identities are numbered, errors are classes.
"""

from __future__ import annotations

from ramrole_creds.recorder._record import SCHEMA, Recorder
from ramrole_creds.recorder._replay import BrokenRule, Replay, read_recording, replay, shrink
from ramrole_creds.recorder._scenario import as_scenario
from ramrole_creds.recorder._timeline import draw_svg, draw_text

__all__ = [
    "SCHEMA",
    "BrokenRule",
    "Recorder",
    "Replay",
    "as_scenario",
    "draw_svg",
    "draw_text",
    "read_recording",
    "replay",
    "shrink",
]
