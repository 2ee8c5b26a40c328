"""The tables of the manual have each thing that there is, and nothing else."""

from __future__ import annotations

import ast
import inspect
import json
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import FetchError, FunctionProvider, default_provider
from ramrole_creds.local_service import ServiceLimits
from ramrole_creds.recorder import Recorder
from ramrole_creds.testing import FakeCloud, VirtualClock, pytest_plugin
from ramrole_creds.testing.server import control

if TYPE_CHECKING:
    from ramrole_creds import Credentials

DOCS = Path(__file__).parents[2] / "docs"
PLUGIN = ast.parse(Path(pytest_plugin.__file__).read_text(encoding="utf-8"))


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of the table that begins with a line."""
    table = text_of(page).partition(f"\n| {head} |\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def names(page: str, head: str) -> list[str]:
    """What stands in code style in the first column."""
    return [name for row in rows(page, head) for name in re.findall(r"`([^`]+)`", row[0])]


def test_the_table_of_fixtures_is_that_of_the_plugin() -> None:
    functions = [node for node in PLUGIN.body if isinstance(node, ast.FunctionDef)]
    fixtures = [one.name for one in functions if any("pytest.fixture" in ast.unparse(by) for by in one.decorator_list)]
    public = [name for name in fixtures if not name.startswith("_")]
    assert len(public) > 5
    assert sorted(names("testing.md", "fixture | value")) == sorted(public)


def test_every_option_of_the_plugin_stands_in_the_manual() -> None:
    options = set(re.findall(r"--ramrole-[\w-]+", ast.unparse(PLUGIN)))
    assert len(options) == 3
    assert {one for one in options if one not in text_of("policies.md")} == set()


def test_every_argument_of_the_marker_stands_in_the_manual(pytestconfig: pytest.Config) -> None:
    (marker,) = [line for line in pytestconfig.getini("markers") if line.startswith("ramrole(")]
    (listed,) = re.findall(r"ramrole\(([\w, ]+), \*\*", marker)
    said = text_of("testing.md").partition("A marker configures the fake cloud")[2].partition("```")[0]
    own = set(listed.split(", ")) - inspect.signature(FakeCloud).parameters.keys()
    assert {one for one in own if f"`{one}`" not in said} == set()


class Meter:
    """Notes the instruments that are made."""

    def __init__(self) -> None:
        self.made: list[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        def create(instrument: str, *rest: Any, **_: Any) -> Any:
            unit = next(one for one in rest if isinstance(one, str))
            kind = name.removeprefix("create_").replace("_", " ").replace("up down", "up-down")
            self.made.append([f"`{instrument}`", kind, f"`{unit}`"])
            return self

        return create


def test_the_table_of_instruments_is_what_opentelemetry_gets() -> None:
    pytest.importorskip("opentelemetry", reason="the extra opentelemetry")
    from ramrole_creds.integrations.opentelemetry import OpenTelemetryMetrics

    meter: Any = Meter()
    OpenTelemetryMetrics(meter)
    assert sorted(rows("operate.md", "instrument | kind | unit")) == sorted(meter.made)


def test_the_table_of_limits_has_those_of_the_local_service() -> None:
    limits = ServiceLimits()
    values = {name: value for name, value in rows("other-programs.md", "limit | value")}  # noqa: C416  # two cells each
    assert f"{limits.requests_per_second:g} a second" in values["requests of one client"]
    assert values["request line and headers"] == f"{limits.max_head_bytes // 1024} KiB"
    assert values["a request from its first to its last byte"] == f"{limits.request_seconds:g} s"
    assert values["open connections"].startswith(f"{limits.max_connections}, ")


def test_the_table_of_control_calls_has_every_route() -> None:
    routes = {"GET /_fake/health", *vars(control)["_CALLS"], *vars(control)["_ANSWERS"]}
    named: set[str] = set()
    for row in rows("testing.md", "call | body"):
        verb = folder = ""
        waiting: list[str] = []
        for one in re.findall(r"`([^`]+)`", row[0]):
            *verbs, path = one.split()
            if path.isupper():  # a method, of the path that comes last in the row
                waiting.append(path)
                continue
            verb = verbs[0] if verbs else verb
            folder = path.rpartition("/")[0] if path.startswith("/") else folder
            full = path if path.startswith("/") else f"{folder}/{path}"
            named |= {f"{one} {full}" for one in (*waiting, verb)}
    assert named == routes


def test_the_table_of_a_recording_has_the_fields_that_are_written(tmp_path: Path) -> None:
    clock = VirtualClock()
    answers: list[Any] = [{"access_key_id": "LTAI", "access_key_secret": "s"}, FetchError("Not now.")]

    def fetch() -> Credentials:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        from ramrole_creds import Credentials

        return Credentials(**answer)

    with FunctionProvider(fetch, clock=clock) as provider:
        recorder = Recorder(provider)
        provider.get_credentials()
        with pytest.raises(FetchError):
            provider.refresh()
        recorder.dump(tmp_path / "recording.jsonl")
    _, *records = map(json.loads, (tmp_path / "recording.jsonl").read_text(encoding="utf-8").splitlines())
    fields = {name for record in records for name in record}
    fields |= {f"fetched.{name}" for record in records for name in record["fetched"]}
    of_held = {name for record in records for name in record["held"] or {}}
    fields |= {
        f"held.{name}" for name in of_held if f"fetched.{name}" not in fields
    }  # the others are those of `fetched`
    assert set(names("operate.md", "field | meaning")) == fields


def test_the_table_of_extras_is_that_of_the_package() -> None:
    page = text_of("integrations.md")
    assert runpy.run_path(str(DOCS / "generated.py"))["with_extras"](page) == page, "Run: python docs/generated.py"


def test_every_argument_of_the_default_provider_stands_in_the_manual() -> None:
    arguments = {
        name for name, one in inspect.signature(default_provider).parameters.items() if one.kind is one.KEYWORD_ONLY
    }
    assert len(arguments) > 5
    assert {name for name in arguments if f"{name}=" not in text_of("providers.md")} == set()


def test_the_pages_ask_for_the_python_that_the_package_needs() -> None:
    project = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    (lowest,) = re.findall(r'^requires-python = ">=(3\.\d+)"$', project, re.MULTILINE)
    pages = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]
    asked = {one for page in pages for one in re.findall(r"Python (3\.\d+) or later", page.read_text(encoding="utf-8"))}
    assert asked == {lowest}


def test_the_releases_that_pages_name_are_those_that_were_tested() -> None:
    tested: dict[str, str] = (
        json.loads(text_of("tested.json"))["libraries"] | json.loads(text_of("costs.json"))["versions"]
    )
    named = re.findall(r"\b(alibabacloud-credentials|botocore|google-auth) (\d+\.[\d.]*\d)", text_of("why.md"))
    named += re.findall(r"\((alibabacloud-credentials) (\d+\.[\d.]*\d)\)", text_of("defects-avoided.md"))
    named += [
        (name, releases.split()[-1]) for name, releases, _ in rows("other-programs.md", "package | releases | replaced")
    ]
    assert len(named) > 5
    assert {(name, one) for name, one in named if not f"{tested[name]}.".startswith(f"{one}.")} == set()
