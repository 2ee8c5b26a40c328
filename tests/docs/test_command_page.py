"""The page of the command has every subcommand and option as the code has them, and samples that are true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

click = pytest.importorskip("click", reason="the extra cli")

from ramrole_creds.cli.app import COMMANDS, app  # noqa: E402  # needs click
from ramrole_creds.testing import FakeCloud  # noqa: E402  # as above
from ramrole_creds.testing.account.ram_policy import allow  # noqa: E402  # as above
from ramrole_creds.testing.clocks import TickingClock  # noqa: E402  # as above
from tests.cli.invoke import run  # noqa: E402  # as above

DOCS = Path(__file__).parents[2] / "docs"
KEY = "LTAI5tFakeFakeFakeFake00"
PAGE = (DOCS / "command.md").read_text(encoding="utf-8")
OVERVIEW = PAGE.partition("| subcommand | what it does | exit status |")[2].partition("\n\n")[0]


def command(name: str) -> Any:
    return app.get_command(click.Context(app), name)


def test_the_tables_of_options_are_those_of_the_code() -> None:
    made = runpy.run_path(str(DOCS / "generated.py"))["with_command_options"](PAGE)
    assert made == PAGE, "docs/command.md is out of date. Run: python docs/generated.py"


def test_the_overview_has_every_subcommand() -> None:
    named = [name for line in OVERVIEW.splitlines()[2:] for name in re.findall(r"`([\w-]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(COMMANDS)


def test_the_page_names_the_subcommands_that_print_data_for_scripts() -> None:
    (sentence,) = re.findall(r"`--json` prints data for scripts \(([^)]*)\)", PAGE)
    parts = {name: getattr(command(name), "commands", {name: command(name)}).values() for name in COMMANDS}
    flags = {
        name
        for name, commands in parts.items()
        if any("--json" in option.opts and option.is_flag for one in commands for option in one.params)
    }
    assert set(re.findall(r"`(\w+)`", sentence)) == flags


def test_every_option_on_the_page_is_one_of_its_subcommand() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("ramrole-creds ")]
    assert len(lines) > 6
    for line in lines:
        words = line.split()[1:]
        subcommand = words[: 2 if words[0] == "role" else 1]
        options = set(re.findall(r"(?<= )(--?[a-z][a-z-]*)", line))
        text = run(*subcommand, "--help").output
        assert {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)} == set(), line


def test_the_sample_of_doctor_is_what_it_prints(ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", ramrole_cloud.url)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "0123456789abcdefghijklmnopqrst")
    result = run("doctor")
    assert result.exit_code == 1
    output = re.sub(r"differ by \d+ s", "differ by 0 s", result.output)
    printed = output.replace(ramrole_cloud.url, "https://sts.aliyuncs.com").splitlines()
    (sample,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    # The place, and the variables of the fixture, are those of the machine.
    assert sample.splitlines()[2:] == [line for line in printed[2:] if "PROXY" not in line]
    assert sample.splitlines()[0].partition("ok: This is a")[1] == printed[0].partition("ok: This is a")[1]
    assert printed[1].startswith(sample.splitlines()[1].rstrip("."))


ACTIONS = {
    name: re.findall(r"`([a-z]+:\w+)`", actions)
    for name, actions in re.findall(r"^\| `(\w+)` \| (`(?:ram|ecs):.*) \|$", PAGE, re.MULTILINE)
}
INSTANCE = "i-bp1example"
# What is done first, by an administrator, and the subcommand whose row is tried.
ROLE_CALLS: dict[str, tuple[list[str], list[str]]] = {
    "create": (["create web"], ["create web --policy AliyunOSSReadOnlyAccess", "create other"]),
    "attach": (
        ["create web", "create old", f"attach old --instance {INSTANCE}"],
        [f"attach web --replace --instance {INSTANCE}"],
    ),
    "detach": (["create web", f"attach web --instance {INSTANCE}"], [f"detach web --instance {INSTANCE}"]),
    "describe": (["create web"], ["describe --name web"]),
    "list": ([], ["list"]),
    "delete": (["create web --policy AliyunOSSReadOnlyAccess"], ["delete web"]),
    "audit": (["create web", f"attach web --instance {INSTANCE}"], ["audit"]),
}


@pytest.mark.parametrize("name", ROLE_CALLS)
def test_a_subcommand_of_role_needs_the_actions_that_the_page_lists_and_no_others(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before, calls = ROLE_CALLS[name]
    monkeypatch.setenv("HOME", str(tmp_path))

    def outcomes(actions: list[str]) -> list[int]:
        with FakeCloud(role=None, clock=TickingClock(), instance_id=INSTANCE) as cloud:
            shared = ["--region", "cn-hangzhou", "--ecs-endpoint", cloud.url, "--ram-endpoint", cloud.url]
            use(cloud.access_key(), monkeypatch)
            assert [run("role", *line.split(), *shared).exit_code for line in before] == [0] * len(before)
            operator = cloud.add_user("operator")
            cloud.set_policies("operator", [allow(*actions)])
            use(cloud.access_key(operator), monkeypatch)
            return [run("role", *line.split(), *shared).exit_code for line in calls]

    assert outcomes(ACTIONS[name]) == [0] * len(calls)
    for action in ACTIONS[name]:
        others = [one for one in ACTIONS[name] if one != action]
        assert 1 in outcomes(others or ["oss:GetObject"]), action


def use(key: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.access_key_secret)
