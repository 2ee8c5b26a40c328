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
from ramrole_creds.cli.diagnosis.variables import PAIR, TEMPORARY_PREFIX, TOKEN, check_variables
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
    report.checks.extend(_key_variables())
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
    ahead = server_ahead(survey, verification)
    if verification is not None:
        report.checks.append(check_verification(verification))
        report.checks.extend(check_region_endpoint(verification.url))
    report.checks.append(check_clock(ahead))
    report.verdict = conclude(survey, verification, place, ahead)
    return report


def server_ahead(survey: Survey, verification: Verification | None) -> float | None:
    """The server's time less this machine's, in seconds; None where no answer had a date."""
    ahead = next((one.server_time for one in survey.answers if one.server_time is not None), None)
    if ahead is None and verification is not None and verification.reached:
        ahead = server_ahead_seconds(verification.url)
    return ahead


def _key_variables() -> Iterable[Check]:
    """What the variables of the key pair are, where that is worth a line."""
    key, secret, token = (os.environ.get(name, "") for name in (*PAIR, TOKEN))
    if not key and not secret:
        if token:
            yield Check("variables", "warning", f"{TOKEN} is set without a key pair: nothing reads it. Unset it.")
    elif token or not key or not secret:
        return
    elif key.startswith(TEMPORARY_PREFIX):
        yield Check("variables", "warning", f"{PAIR[0]} is the id of a temporary key, and {TOKEN} is not set.")
    else:
        yield Check(
            "long-term-keys",
            "warning",
            f"{PAIR[0]} and {PAIR[1]} hold a long-term key: use the instance's role instead, then disable and delete "
            "the key in RAM.",
        )
