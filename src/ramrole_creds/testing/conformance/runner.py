"""Runs the cases against a client, and writes what held."""

from __future__ import annotations

import fnmatch
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ramrole_creds.testing.conformance.bench import Bench, CaseFailed
from ramrole_creds.testing.conformance.cases import Case, all_cases, environment_of
from ramrole_creds.testing.conformance.client import ClientProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIME_LIMIT_SECONDS = 20.0
PLAINEST = "protocol/normal"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case; `detail` says what was wrong.

    `held` is None for a case that needs more fetches than the client makes, `answered` false where the client never
    printed an answer that can be read.
    """

    id: str
    title: str
    why: str
    held: bool | None
    detail: str
    seconds: float
    answered: bool = True


def run_cases(
    command: Sequence[str],
    *,
    only: Sequence[str] = (),
    once: bool = False,
    every_answer: bool = False,
    time_limit: float = TIME_LIMIT_SECONDS,
    jobs: int = 1,
) -> Iterator[Result]:
    """Run the cases; the results come in their order.

    A client that gives no answer in the plainest case gives none in any other: the others are not run then.

    Args:
        command: the client: a program and its arguments.
        only: patterns of the ids of the cases, such as "protocol/*"; all where it is empty.
        once: the client fetches once and ends; cases that need two fetches of one process are left out.
        every_answer: play every odd answer and not one of each family.
        time_limit: seconds for a fetch, the start of the program included.
        jobs: how many cases run at the same time.

    Raises:
        OSError: the client cannot be started.
    """
    cases = [
        case
        for case in all_cases(every_answer=every_answer)
        if not only or any(fnmatch.fnmatchcase(case.id, pattern) for pattern in only)
    ]
    if cases and cases[0].id == PLAINEST:
        first = _run(cases.pop(0), command, once=once, time_limit=time_limit)
        yield first
        if not first.answered:
            return
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(lambda case: _run(case, command, once=once, time_limit=time_limit), cases)


def _run(case: Case, command: Sequence[str], *, once: bool, time_limit: float) -> Result:
    if once and case.fetches > 1:
        return Result(case.id, case.title, case.why, None, "the client fetches once", 0.0)
    begun = time.monotonic()
    with (
        environment_of(case) as (cloud, environment),
        ClientProcess(command, environment, once=once, time_limit=time_limit) as client,
    ):
        try:
            case.check(Bench(cloud, client))
            detail = ""
        except CaseFailed as failed:
            detail = str(failed)
        client.finish()
    detail = client.unasked() or detail
    seconds = time.monotonic() - begun
    return Result(case.id, case.title, case.why, not detail, detail, seconds, client.has_answered)


def summary(results: Sequence[Result]) -> str:
    """One line: how many cases passed."""
    held = sum(one.held is True for one in results)
    tried = sum(one.held is not None for one in results)
    left_out = len(results) - tried
    return f"{held} of {tried} cases passed" + (f", {left_out} left out" if left_out else "")


def to_json(results: Sequence[Result], command: Sequence[str]) -> str:
    """The results as a JSON document."""
    content = {"command": list(command), "summary": summary(results), "cases": [asdict(one) for one in results]}
    return json.dumps(content, indent=1) + "\n"


def to_junit(results: Sequence[Result]) -> str:
    """The results in the JUnit XML that CI systems read."""
    suite = ET.Element(
        "testsuite",
        name="ramrole-creds conformance",
        tests=str(len(results)),
        failures=str(sum(one.held is False for one in results)),
        skipped=str(sum(one.held is None for one in results)),
        time=f"{sum(one.seconds for one in results):.3f}",
    )
    for one in results:
        group, _, name = one.id.partition("/")
        case = ET.SubElement(suite, "testcase", classname=group, name=name, time=f"{one.seconds:.3f}")
        if one.held is False:
            failure = ET.SubElement(case, "failure", message=_printable(one.detail))
            failure.text = _printable(f"{one.title}. {one.why}")
        elif one.held is None:
            ET.SubElement(case, "skipped", message=_printable(one.detail))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML cannot hold control characters."""
    return "".join(character if character.isprintable() else "?" for character in text)
