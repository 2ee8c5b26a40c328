"""What the pytest plugin adds to the report of a failed test. It is imported when a test fails."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from ramrole_creds.testing.account.ram_policy import Decision
from ramrole_creds.testing.masking import mask_text
from ramrole_creds.testing.verify.times import compact_time, http_time, iso_time
from ramrole_creds.testing.verify.verification import CLOCK_TOLERANCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.fake_cloud import FakeCloud
    from ramrole_creds.testing.server.messages import WireRequest

REPORTED_DIFFERENCE_SECONDS = 60.0
SHOWN_DENIALS = 5
MAX_SHOWN_CHARACTERS = 200
_ID = re.compile(r"(?:STS\.NTFAKE|LTAI5tFAKE)[0-9A-Za-z]+")


def describe(cloud: FakeCloud, foreign_keys: Mapping[str, str], text: str = "") -> str:
    """The requests to a cloud, and what explains most failures.

    Args:
        cloud: the cloud of the test.
        foreign_keys: the AccessKey IDs that other clouds issued, with the tests that had these clouds.
        text: how the test failed; a key of another cloud may stand in it.
    """
    explained = (
        _unmet(cloud)
        + _unrecognised(cloud)
        + _tls(cloud)
        + _denials(cloud)
        + (_clock_difference(cloud) or _wrong_dates(cloud))
        + _keys_of_others(cloud, foreign_keys, text)
    )
    return f"{cloud.requests}\n{explained}seed: {cloud.credential_store.seed}"


def _unmet(cloud: FakeCloud) -> str:
    """The faults that affected no request, for instance because their place is misspelt."""
    unmet = ", ".join(f"{one} at {one.where!r}" for one in cloud.faults if not one.is_port_fault and not one.played)
    return f"Faults that no request matched: {unmet}\n" if unmet else ""


def _unrecognised(cloud: FakeCloud) -> str:
    """A line about the last request that no service took for its own: the path or the signature is another's."""
    for one in reversed(cloud.requests):
        if not one.service and one.status == 404:
            what = mask_text(f"{one.method} {one.path}")[:MAX_SHOWN_CHARACTERS]
            return (
                f"No service of the fake cloud recognises request #{one.number}, {what}. It looks at the path, the "
                "headers and the signature.\n"
            )
    return ""


def _tls(cloud: FakeCloud) -> str:
    """A line about clients that spoke TLS, whose errors seldom say that the other side does not."""
    if not cloud.tls_attempts:
        return ""
    return f"A client spoke TLS, which the fake cloud does not. Give it the URL {cloud.url}, or switch TLS off.\n"


def _denials(cloud: FakeCloud) -> str:
    """A line for each of the latest accesses that RAM policies refused, which not every client shows."""
    lines = []
    for one in cloud.account.authorizer.judged():
        what = f"{one.action} on {one.resource}"
        if one.decision is Decision.EXPLICIT_DENY:
            lines.append(f"A RAM policy of {one.principal!r} denies {what}.\n")
        elif one.decision is Decision.IMPLICIT_DENY:
            lines.append(f"No RAM policy of {one.principal!r} allows {what}.\n")
    return "".join(lines[-SHOWN_DENIALS:])


def _clock_difference(cloud: FakeCloud) -> str:
    """A line about the cloud's clock where it differs from this machine's, by which SDKs date their requests."""
    seconds = cloud.clock.time() - time.time()
    if abs(seconds) < REPORTED_DIFFERENCE_SECONDS:
        return ""
    side = "ahead of" if seconds > 0 else "behind"
    return (
        f"The cloud's clock is {_span(seconds)} {side} this machine's. Code that reads the system's time does not "
        "follow it unless the test has @pytest.mark.ramrole(system_time=True).\n"
    )


def _wrong_dates(cloud: FakeCloud) -> str:
    """A line about the last request that was dated far from the cloud's clock, if the machine's clock agrees again."""
    for one in reversed(cloud.requests):
        dated = _date_of(one.request) if one.access_key_id else None
        if dated is not None and abs(dated - one.at) > CLOCK_TOLERANCE_SECONDS:
            side = "before" if dated < one.at else "after"
            return (
                f"Request #{one.number} is dated {_span(dated - one.at)} {side} the cloud's clock. Code that freezes "
                "the system's time does not move the cloud's: start the cloud at the same time, with "
                "@pytest.mark.ramrole(start=…), or move both, with @pytest.mark.ramrole(system_time=True).\n"
            )
    return ""


def _date_of(request: WireRequest) -> float | None:
    """When a request was signed, by the first date that it carries."""
    headers = {name.lower(): value for name, value in request.headers}
    texts = [headers[name] for name in sorted(headers, reverse=True) if re.fullmatch(r"(x-\w+-)?date", name)]
    for text in (*texts, request.parameters.get("Timestamp", "")):
        for read in (iso_time, compact_time, http_time):
            moment = read(text)
            if moment is not None:
                return moment
    return None


def _span(seconds: float) -> str:
    hours = abs(seconds) / 3600
    return f"{hours:.3g} h" if 1 <= hours < 48 else str(timedelta(seconds=round(abs(seconds))))


def _keys_of_others(cloud: FakeCloud, foreign_keys: Mapping[str, str], text: str) -> str:
    """A line about the keys that the cloud of another test issued: a client that outlives its test keeps them."""
    used = {one.access_key_id for one in cloud.requests if one.access_key_id} | set(_ID.findall(text))
    foreign = sorted(one for one in used if one in foreign_keys and cloud.credential_store.lookup(one) is None)
    if not foreign:
        return ""
    return (
        f"{foreign[0]} was issued by the fake cloud of {foreign_keys[foreign[0]]}. A client that was made outside of "
        "this test, at import or in a fixture of a wider scope, still holds it: clients of other libraries keep their "
        "credentials. Make the client in the test, or use one cloud for all its tests: ramrole_module_cloud or "
        "ramrole_session_cloud.\n"
    )
