"""`ramrole-creds conformance`."""

from __future__ import annotations

from pathlib import Path

import click

from ramrole_creds.cli.options import seconds_option


@click.command(
    short_help="Test a client against a fake metadata service.",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Cases to run, such as 'protocol/*'; repeatable.")
@click.option("--once", is_flag=True, help="The client fetches once, prints one line and ends.")
@click.option("--all", "every_answer", is_flag=True, help="Play every unusual answer, not one of each kind.")
@seconds_option("--time-limit", minimum=1, default=20.0, text="Time limit of a fetch.")
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Number of cases to run at the same time."
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results to this file."
)
@click.option(
    "--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to this file."
)
@click.argument("client", nargs=-1, required=True, type=click.UNPROCESSED)
def command(  # one argument for each option
    only: tuple[str, ...],
    once: bool,  # noqa: FBT001  # as click passes it
    every_answer: bool,  # noqa: FBT001  # as click passes it
    time_limit: float,
    jobs: int,
    json_file: Path | None,
    junit_file: Path | None,
    client: tuple[str, ...],
) -> None:
    """Test any program that reads the metadata service: play usual and unusual answers, and report what it did wrong.

    CLIENT is a program in any language, after `--`. For each line `fetch` on its standard input it prints one line: a
    JSON object with access_key_id, access_key_secret and security_token, or {"error": "..."}. With --once it reads
    nothing, prints one such object and ends. It finds the metadata service in CONFORMANCE_METADATA_ENDPOINT; a client
    in Python, Node.js or Java that connects to 100.100.100.200 reaches it there.

    Exit status: 0 when the client passes all cases, 1 otherwise; 126 when the client cannot be executed, 127 when it is
    not found.

    \b
    Examples:
      ramrole-creds conformance -- python my_client.py
      ramrole-creds conformance --only 'protocol/*' -- node client.js
    """
    from ramrole_creds.cli.handing_over import fail_to_run
    from ramrole_creds.cli.input_output import require_writable, write_output
    from ramrole_creds.testing.conformance.runner import run_cases, summary, to_json, to_junit

    require_writable(json_file, junit_file)
    played = run_cases(client, only=only, once=once, every_answer=every_answer, time_limit=time_limit, jobs=jobs)
    results = []
    try:
        for result in played:
            results.append(result)
            if result.held is False:
                click.echo(f"FAILED {result.id}: {result.title}\n    {result.detail}\n    {result.why}")
    except OSError as error:
        if error.filename != client[0]:
            raise
        fail_to_run(client[0], error)
    if not results:
        raise click.UsageError("No case has such an id. Run without --only to see the ids in the results.")
    click.echo(summary(results))
    if not results[0].answered:
        click.echo(
            "The client printed nothing that can be read as an answer, so the other cases were not run. It prints one "
            'JSON object for each line "fetch" of its input, or ends after one object (--once).'
        )
    if json_file is not None:
        write_output(json_file, to_json(results, client))
    if junit_file is not None:
        write_output(junit_file, to_junit(results))
    if any(result.held is False for result in results):
        raise SystemExit(1)
