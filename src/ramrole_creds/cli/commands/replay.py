"""`ramrole-creds replay`."""

from __future__ import annotations

from pathlib import Path

import click

MAX_RECORDING_BYTES = 64 * 1024 * 1024


@click.command(short_help="Play a recording against the engine.")
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the timeline to this file, as SVG.")
@click.option(
    "--shrink",
    "shrunk",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the fewest records that break the rule.",
)
@click.option(
    "--scenario",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them as a case for the project's tests/scenarios.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object for each broken rule.")
def command(*, recording: Path, svg: Path | None, shrunk: Path | None, scenario: Path | None, as_json: bool) -> None:
    """Play a recording of ramrole_creds.recorder against the engine of this version.

    Draws the timeline and says where a rule was broken. A recording holds no key and no token.

    Exit status: 0, or 1 when a rule is broken or the file is not a recording.

    \b
    Examples:
      ramrole-creds replay recording.jsonl
      ramrole-creds replay recording.jsonl --svg life.svg --shrink smallest.jsonl
      ramrole-creds replay recording.jsonl --scenario case.json
    """
    import json
    import shutil
    import sys
    from dataclasses import asdict

    from ramrole_creds import ConfigurationError
    from ramrole_creds.cli.input_output import read_input, write_output
    from ramrole_creds.recorder import SCHEMA, as_scenario, draw_svg, draw_text, read_recording, replay, shrink

    try:
        policy, records = read_recording(read_input(recording, MAX_RECORDING_BYTES).splitlines())
    except UnicodeDecodeError:
        text = (
            "This is not a recording of ramrole_creds.recorder: it is not UTF-8 text. Pass what Recorder.dump() wrote."
        )
        raise click.ClickException(f"{recording}: {text}") from None
    except ConfigurationError as error:
        raise click.ClickException(f"{recording}: {error}") from error
    played = replay(policy, records)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in played.broken]))
    else:
        columns, encoding = shutil.get_terminal_size().columns, sys.stdout.encoding or "utf-8"
        click.echo(draw_text(played, columns=columns, encoding=encoding), nl=False)
    if svg is not None:
        write_output(svg, draw_svg(played))
    if shrunk is not None:
        lines = [{"schema": SCHEMA, "policy": asdict(policy)}, *shrink(policy, records)]
        write_output(shrunk, "".join(f"{json.dumps(line)}\n" for line in lines))
    if scenario is not None:
        case = as_scenario(policy, records)
        write_output(scenario, json.dumps([] if case is None else [case], indent=1) + "\n")
    if played.broken:
        raise SystemExit(1)
