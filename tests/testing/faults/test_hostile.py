"""The collection of hostile answers, played against this library's own provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds import RamRoleError
from ramrole_creds.testing import HostileAnswer, assert_no_secret_in, hostile_answers

if TYPE_CHECKING:
    from ramrole_creds import EcsRamRoleProvider
    from ramrole_creds.testing import FakeCloud


@pytest.mark.parametrize("answer", hostile_answers(), ids=str)
def test_the_provider_ends_as_a_careful_client_does(
    ramrole_cloud: FakeCloud, ramrole_provider: EcsRamRoleProvider, answer: HostileAnswer
) -> None:
    answer.play(ramrole_cloud)
    try:
        credentials = ramrole_provider.get_credentials()
    except RamRoleError as error:
        ended = "refused"
        assert_no_secret_in(str(error), repr(error), repr(error.__cause__))
    else:
        ended = "ok"
        assert ramrole_cloud.is_valid(credentials.access_key_id, credentials.security_token)
    assert answer.outcome in {ended, "either"}


def test_each_answer_has_a_name_of_its_own() -> None:
    names = [str(answer) for answer in hostile_answers()]
    assert len(names) == len(set(names)) > 80
