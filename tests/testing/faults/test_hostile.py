"""The collection of hostile answers, as data; tests/metadata/test_odd_answers.py plays them against this library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing import hostile_answers

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud
    from tests.testing.conftest import Answer, Ask

ANSWERS = {answer.id: answer for answer in hostile_answers()}


def test_each_answer_has_a_short_id_of_its_own() -> None:
    assert len(ANSWERS) == len(hostile_answers()) > 300
    assert max(map(len, ANSWERS)) < 48
    assert all(name.isprintable() and " " not in name for name in ANSWERS)


def test_the_log_names_the_answer_that_a_request_met(cloud: FakeCloud, ask: Ask) -> None:
    ANSWERS["role-two"].play(cloud)
    answer: Answer = ask("/latest/meta-data/ram/security-credentials/")
    assert answer.text == "web\nother\n"
    assert cloud.requests[-1].fault == "role-two"


def test_an_instance_without_a_role_is_one_of_the_answers(cloud: FakeCloud, ask: Ask) -> None:
    for _ in range(2):
        ANSWERS["role-none"].play(cloud)
    assert ask("/latest/meta-data/ram/security-credentials/").status == 404


@pytest.mark.parametrize("name", ["token-404", "role-html", "credentials-503-twice"])
def test_an_answer_can_be_played_twice(cloud: FakeCloud, name: str) -> None:
    for _ in range(2):
        ANSWERS[name].play(cloud)
    assert len(cloud.faults) == 2
