"""The pytest options that write, or check, the smallest RAM policy for a whole run.

`--ramrole-policy=FILE` writes the policy under which every call of the run is allowed; `--ramrole-check-policy=FILE`
fails a run that needs more than the file allows. Both look at the sessions of roles, on every fake cloud of the
process and of its pytest-xdist workers; keys of users are those of your tests, and are left out.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing.account.access import JudgedAccess, record_accesses
from ramrole_creds.testing.account.least_privilege import Width, least_policy, missing_permissions
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.account.ram_policy import Decision, Document

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OUTPUT = "ramrole_accesses"


class PolicyPlugin:
    """Records the accesses of one process, and gathers those of its workers.

    Args:
        config: pytest's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._accesses: dict[tuple[str, str], JudgedAccess] = {}
        self._recording = ExitStack()
        self._recording.enter_context(record_accesses(self._record))
        self._write_to: Path | None = _path(config, "ramrole_policy")
        self._check: Path | None = _path(config, "ramrole_check_policy")
        self._width: Width = config.getoption("ramrole_policy_resources")
        self._committed: Document = {"Version": "1", "Statement": []}
        if self._check is not None and not hasattr(config, "workerinput"):
            self._committed = _read(self._check)

    def _record(self, access: JudgedAccess) -> None:
        if access.identity_type == "AssumedRoleUser":
            self._accesses[access.action, access.resource] = access

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401  # a type of pytest-xdist
        """Take over what a worker of pytest-xdist recorded."""
        for action, resource in getattr(node, "workeroutput", {}).get(_OUTPUT, ()):
            self._record(JudgedAccess("", "AssumedRoleUser", action, resource, Decision.ALLOW))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the policy, or fail the run that needs more than the committed one."""
        self._recording.close()
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_OUTPUT] = sorted(self._accesses)
            return
        if self._write_to is not None:
            policy = least_policy(self._accesses.values(), self._width)
            self._write_to.write_text(json.dumps(policy, indent=2) + "\n", encoding="utf-8")
        if self._missing() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written, and what the committed policy lacks."""
        if self._write_to is not None:
            terminalreporter.write_line(f"The RAM policy for this run was written to {self._write_to}.")
        missing = self._missing()
        if missing:
            terminalreporter.section("RAM policy", red=True)
            terminalreporter.write_line(f"This run needs permissions that {self._check} does not allow:")
            for action, resource in missing:
                terminalreporter.write_line(f"  {action} on {resource}")
            terminalreporter.write_line(
                f"Add them to the role's policy, or record it anew: pytest --ramrole-policy={self._check}"
            )

    def _missing(self) -> list[tuple[str, str]]:
        if self._check is None:
            return []
        return missing_permissions(self._committed, self._ordered())

    def _ordered(self) -> Iterable[JudgedAccess]:
        return [self._accesses[key] for key in sorted(self._accesses)]


def _path(config: pytest.Config, option: str) -> Path | None:
    given = config.getoption(option)
    return None if given is None else config.invocation_params.dir / given


def _read(path: Path) -> Document:
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(
            f"--ramrole-check-policy={path} could not be read: {error}. "
            f"Give a RAM policy, or record one: pytest --ramrole-policy={path}"
        ) from None
