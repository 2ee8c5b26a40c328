"""The pytest options that write, or check, the smallest RAM policy for a whole run.

`--ramrole-policy=FILE` writes the policy under which every call of the run is allowed; `--ramrole-check-policy=FILE`
fails a run that needs more than the file allows. Both look at the sessions of roles, on every fake cloud of the
process and of its pytest-xdist workers; keys of users are those of your tests, and are left out.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds._files import read_regular_file, write_whole_file
from ramrole_creds.testing.account.access import JudgedAccess, record_accesses
from ramrole_creds.testing.account.least_privilege import Width, least_policy, missing_permissions
from ramrole_creds.testing.account.policy_grammar import MAX_CUSTOM_POLICY_CHARACTERS, parse_policy
from ramrole_creds.testing.account.ram_policy import Decision, Document

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing.account.policy_conditions import Context

MAX_POLICY_BYTES = 16 * 1024 * 1024

# What a worker of pytest-xdist is given, and what it reports.
_COMMITTED = "ramrole_committed_policy"
_ACCESSES = "ramrole_accesses"
_MISSING = "ramrole_missing_permissions"
_LEFT_OUT = "ramrole_left_out"

_COMPLETE = frozenset({pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED})


class PolicyPlugin:
    """Records the accesses of one process, and gathers those of its workers.

    Args:
        config: pytest's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._accesses: set[tuple[str, str]] = set()
        self._missing: set[tuple[str, str]] = set()
        self._left_out = 0
        self._skipped = 0
        self._lost_workers = 0
        self._said: list[str] = []
        self._write_to: Path | None = _path(config, "ramrole_policy")
        self._check: Path | None = _path(config, "ramrole_check_policy")
        self._width: Width = config.getoption("ramrole_policy_resources")
        self._committed: Document | None = getattr(config, "workerinput", {}).get(_COMMITTED)
        if not hasattr(config, "workerinput"):
            if self._write_to is not None:
                _refuse_unwritable(self._write_to)
            if self._check is not None:
                self._committed = _read(self._check)
        self._recording = ExitStack()
        self._recording.enter_context(record_accesses(self._record))

    def _record(self, access: JudgedAccess, context: Context) -> None:
        if access.identity_type != "AssumedRoleUser":
            return
        self._accesses.add((access.action, access.resource))
        if self._committed is not None:
            self._missing.update(missing_permissions(self._committed, [access], context))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  # a type of pytest-xdist
        """Give the committed policy to a worker of pytest-xdist, which judges by it at each call."""
        node.workerinput[_COMMITTED] = self._committed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401  # a type of pytest-xdist
        """Take over what a worker of pytest-xdist recorded."""
        reported = getattr(node, "workeroutput", {})
        self._lost_workers += _ACCESSES not in reported
        self._accesses.update(map(tuple, reported.get(_ACCESSES, ())))
        self._missing.update(map(tuple, reported.get(_MISSING, ())))
        self._left_out = max(self._left_out, reported.get(_LEFT_OUT, 0))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count the tests that this run leaves out."""
        self._left_out += len(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the tests that are skipped; one that is expected to fail does run."""
        self._skipped += report.skipped and not hasattr(report, "wasxfail")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the policy, or fail the run that needs more than the committed one."""
        self._recording.close()
        if hasattr(self._config, "workeroutput"):
            found = {_ACCESSES: sorted(self._accesses), _MISSING: sorted(self._missing), _LEFT_OUT: self._left_out}
            self._config.workeroutput.update(found)
            return
        fails = bool(self._missing)
        if self._write_to is not None:
            fails |= not self._written(self._write_to, session)
        if fails and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _written(self, path: Path, session: pytest.Session) -> bool:
        """Write the policy of a run that came to its end; true unless that fails."""
        stopped = session.shouldfail or session.shouldstop or self._config.getoption("collectonly")
        if session.exitstatus not in _COMPLETE or stopped:
            self._said.append(f"The run did not finish: no RAM policy was written to {path}.")
            return True
        accesses = [JudgedAccess("", "AssumedRoleUser", *each, Decision.ALLOW) for each in sorted(self._accesses)]
        text = json.dumps(least_policy(accesses, self._width), indent=2) + "\n"
        try:
            write_whole_file(path, text, mode=0o666)
        except OSError as error:
            self._said.append(f"The RAM policy for this run could not be written to {path}: {error}.")
            return False
        self._said.append(f"The RAM policy for this run was written to {path}.")
        self._said += self._reservations(text, failed=session.testsfailed)
        return True

    def _reservations(self, text: str, *, failed: int) -> list[str]:
        """What stands against using the policy as it is."""
        said = []
        if failed:
            said.append(f"{failed} test(s) failed: the calls after the failures are missing from it.")
        if self._left_out:
            said.append(f"{self._left_out} test(s) were deselected: their calls are missing from it.")
        if self._skipped:
            said.append(f"{self._skipped} test(s) were skipped: their calls are missing from it.")
        if any("::" in argument for argument in self._config.args):
            said.append("Only the tests of the command line were run: the calls of the others are missing from it.")
        if self._lost_workers:
            said.append(f"{self._lost_workers} worker(s) of pytest-xdist crashed: their calls are missing from it.")
        if self._config.getoption("lf", default=False):
            said.append("Only tests that failed before were run (--lf): the calls of the others are missing from it.")
        if not self._accesses:
            said.append("No call was made with credentials of a role: it allows nothing, and RAM refuses it.")
        if len(text) > MAX_CUSTOM_POLICY_CHARACTERS:
            said.append(
                f"It has {len(text)} characters, and RAM takes {MAX_CUSTOM_POLICY_CHARACTERS}. "
                "Name resources less narrowly: --ramrole-policy-resources=prefix"
            )
        return said

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written, and what the committed policy lacks."""
        for line in self._said:
            terminalreporter.write_line(line)
        if self._missing:
            terminalreporter.section("RAM policy", red=True)
            terminalreporter.write_line(f"This run needs permissions that {self._check} does not allow:")
            for action, resource in sorted(self._missing):
                terminalreporter.write_line(f"  {action} on {resource}")
            terminalreporter.write_line(
                f"Add them to the role's policy, or record it again: pytest --ramrole-policy={self._check}"
            )


def _path(config: pytest.Config, option: str) -> Path | None:
    given = config.getoption(option)
    return None if given is None else config.invocation_params.dir / given


def _refuse_unwritable(path: Path) -> None:
    problem = ""
    if not path.parent.is_dir():
        problem = f"the directory {path.parent} does not exist"
    elif path.is_dir():
        problem = "it is a directory"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        problem = "you may not write there"
    if problem:
        raise pytest.UsageError(f"--ramrole-policy={path} cannot be written: {problem}. Give another file.")


def _read(path: Path) -> Document:
    try:
        return parse_policy(read_regular_file(path, MAX_POLICY_BYTES).decode())
    except (OSError, ValueError) as error:
        raise pytest.UsageError(
            f"--ramrole-check-policy={path} could not be read: {error}. "
            f"Give a RAM policy, or record one: pytest --ramrole-policy={path}"
        ) from None
