"""Never another identity without certainty: a chain whose metadata service fails at random, each from a seed."""

from __future__ import annotations

import random
from typing import Literal

import pytest

from ramrole_creds import EcsRamRoleProvider, ProviderChain, RamRoleError, StaticProvider
from ramrole_creds.testing import FakeCloud

SEEDS = 20
STEPS = 6
SILENT = ("refuse", "reset", "close")
"""In these nothing answers."""
HALF = ("503", "429", "garbage", "truncate", "404 and then reset", "token only", "listing only")
ONLY_TOKEN = ("404 and then reset", "token only")
"""In these nothing answers that does not ask for a token."""
TOKEN_MODES: tuple[Literal["prefer", "off"], ...] = ("prefer", "off")
STATES = ("well", *SILENT, *HALF)


def set_state(cloud: FakeCloud, state: str) -> None:
    cloud.faults.clear()
    cloud.enable_endpoint()
    if state == "refuse":
        cloud.disable_endpoint("refuse")
    elif state in ("reset", "close", "garbage", "truncate"):
        cloud.faults.add("metadata", state)
    elif state in ("503", "429"):
        cloud.faults.add("metadata", int(state))
    elif state == "404 and then reset":
        cloud.faults.add("token", 404)
        cloud.faults.add("role", "reset")
        cloud.faults.add("credentials", "reset")
    elif state == "token only":
        cloud.faults.add("role", "close")
        cloud.faults.add("credentials", "close")
    elif state == "listing only":
        cloud.faults.add("credentials", "reset")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_chain_leaves_the_role_of_the_instance_only_where_it_is_certainly_gone(seed: int) -> None:
    chance = random.Random(seed)
    mode = chance.choice(TOKEN_MODES)
    silent = SILENT if mode == "prefer" else (*SILENT, *ONLY_TOKEN)
    with FakeCloud() as cloud:
        role = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, token_mode=mode, read_timeout=0.5)
        with ProviderChain(role, StaticProvider("LTAI5tother", "secret"), clock=cloud.clock) as chain:
            answered = False
            for _ in range(STEPS):
                state = chance.choice(STATES)
                set_state(cloud, state)
                detached = chance.random() < 0.1
                if detached:
                    cloud.detach_role()
                cloud.clock.suspend(hours=chance.choice((0, 1, 7)))
                try:
                    name = chain.get_credentials().provider_name
                except RamRoleError:
                    name = ""
                if name == "chain/static_ak":
                    assert detached or (state in silent and not answered), state
                    return
                answered = answered or state not in silent
                if detached:
                    cloud.attach_role("web")
