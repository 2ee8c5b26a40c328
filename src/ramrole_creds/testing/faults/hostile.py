"""Odd and hostile answers of a metadata service, ready to play against any client.

    @pytest.mark.parametrize("answer", hostile_answers(), ids=str)
    def test_my_client_copes(ramrole_cloud, answer):
        answer.play(ramrole_cloud)
        ...

A client copes when it ends in credentials or in an error of its own kind, within its time limit, and prints no secret.
`outcome` says in which of the two a careful client ends: "ok" (credentials, after a retry where needed), "refused" (an
error), or "either" where both are defensible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.faults import hostile_catalogue as catalogue

if TYPE_CHECKING:
    from ramrole_creds.testing.faults.hostile_answer import HostileAnswer


def hostile_answers() -> tuple[HostileAnswer, ...]:
    """All answers of the collection; play each one alone."""
    return (
        *catalogue.token_answers(),
        *catalogue.role_answers(),
        *catalogue.documents(),
        *catalogue.times(),
        *catalogue.http_answers(),
        *catalogue.connections(),
    )
