"""The whole examination, in order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds import RamRoleError
from ramrole_creds.cli.diagnosis.files import check_files
from ramrole_creds.cli.diagnosis.network import (
    check_clock,
    check_proxies,
    check_region_endpoint,
    check_verification,
    server_ahead_seconds,
    verify_at_sts,
)
from ramrole_creds.cli.diagnosis.overlay import overlay_addresses
from ramrole_creds.cli.diagnosis.place import FIB_TRIE, look_at_place, read_text
from ramrole_creds.cli.diagnosis.report import Check, Report, Verdict
from ramrole_creds.cli.diagnosis.sources import check_metadata, check_sources, survey_sources
from ramrole_creds.cli.diagnosis.variables import PAIR, TOKEN, check_variables
from ramrole_creds.cli.diagnosis.verdict import conclude

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.cli.diagnosis.network import Verification
    from ramrole_creds.cli.diagnosis.sources import Survey

ROOT = Path("/")


def examine(*, offline: bool) -> Report:
    """Look at everything that decides about credentials here.

    Args:
        offline: leave out STS and the region's endpoint; sources are asked all the same.
    """
    report = Report()
    place = look_at_place(ROOT)
    report.checks.append(place.check())
    report.checks.extend(check_variables(os.environ))
    report.checks.extend(_long_term_variables())
    report.checks.extend(check_files())
    report.checks.extend(check_proxies())
    try:
        survey = survey_sources()
    except RamRoleError as error:
        report.checks.append(Check("source", "failed", error.message))
        report.verdict = Verdict(usable=False, cause=error.message, fix="Correct this setting.")
        return report
    report.checks.extend(check_metadata(survey, overlay_addresses(read_text(ROOT / FIB_TRIE))))
    report.checks.extend(check_sources(survey))
    verification = None
    if not offline and survey.winner is not None and survey.winner.credentials is not None:
        verification = verify_at_sts(survey.winner.credentials)
    report.checks.extend(_online(survey, verification))
    report.verdict = conclude(survey, verification, place)
    return report


def _online(survey: Survey, verification: Verification | None) -> Iterable[Check]:
    if verification is not None:
        yield check_verification(verification)
        yield from check_region_endpoint(verification.url)
    ahead = next((one.server_time for one in survey.answers if one.server_time is not None), None)
    if ahead is None and verification is not None:
        ahead = server_ahead_seconds(verification.url)
    yield check_clock(ahead)


def _long_term_variables() -> Iterable[Check]:
    if os.environ.get(PAIR[0]) and os.environ.get(PAIR[1]) and not os.environ.get(TOKEN):
        yield Check(
            "long-term-keys",
            "warning",
            f"{PAIR[0]} and {PAIR[1]} hold a long-term key: use the instance's role instead, then disable and delete "
            "the key in RAM.",
        )
