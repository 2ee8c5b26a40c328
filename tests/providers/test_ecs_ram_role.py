"""What `EcsRamRoleProvider` makes of its own arguments; the metadata service has tests of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ramrole_creds import ConfigurationError, EcsRamRoleProvider


@pytest.mark.parametrize("role", ["acs:ram::1:role/web", "a/b", "a b", "..", "a\n"])
def test_a_role_name_that_is_not_a_name_is_refused(role: str) -> None:
    with pytest.raises(ConfigurationError, match="not its ARN or a path"):
        EcsRamRoleProvider(role)


def test_a_configuration_in_place_of_a_role_name_is_named_with_what_takes_it() -> None:
    config: Any = SimpleNamespace(type="ecs_ram_role", role_name="web")
    with pytest.raises(ConfigurationError, match=r"not SimpleNamespace\. provider_from_config\(config\)"):
        EcsRamRoleProvider(config)
    number: Any = 7
    with pytest.raises(ConfigurationError, match=r"as a text, not int\. \(docs: "):
        EcsRamRoleProvider(number)
