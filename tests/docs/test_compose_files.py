"""The compose files of the manual fit the schema of compose, and what they name and call exists."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ramrole_creds.cli.app import app as cli

yaml = pytest.importorskip("yaml", reason="pyyaml reads the files")
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def texts() -> dict[str, str]:
    """The compose files by where they stand."""
    blocks = {
        f"{page.name} {number}": block
        for page in sorted(DOCS.rglob("*.md"))
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    }
    whole = {path.name: path.read_text("utf-8") for path in sorted((DOCS / "manifests").glob("*.yaml"))}
    return {name: text for name, text in {**blocks, **whole}.items() if re.search("^services:", text, re.MULTILINE)}


FILES = texts()
every_file = pytest.mark.parametrize("name", FILES)


def problems(document: dict[str, Any]) -> list[str]:
    """What the schema of compose, as check-jsonschema carries it, says against a file."""
    pytest.importorskip("check_jsonschema", reason="check-jsonschema has the schema")
    from jsonschema.validators import Draft7Validator, validator_for

    schema = json.loads(files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text())
    validator = validator_for(schema, default=Draft7Validator)(schema)  # older releases spell draft 7 with https
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(document)]


def commands(document: dict[str, Any]) -> list[list[str]]:
    """The command lines of `ramrole-creds` that the services run."""
    found = []
    for service in document["services"].values():
        given = service.get("command", [])
        words = given.split() if isinstance(given, str) else list(given)
        if words[:1] == ["ramrole-creds"]:
            found.append(words[1:])
        elif "ramrole-creds" in service.get("image", ""):  # the image's entry point is the command
            found.append(words)
    return found


def test_both_files_are_found() -> None:
    assert [name.partition(" ")[0] for name in FILES] == ["testing.md", "compose.yaml"]


@every_file
def test_a_file_fits_the_schema(name: str) -> None:
    assert problems(yaml.safe_load(FILES[name])) == []


@every_file
def test_the_schema_notices_a_word_that_compose_does_not_know(name: str) -> None:
    document = yaml.safe_load(FILES[name])
    for service in document["services"].values():
        service["network_list"] = []
    assert problems(document)


@every_file
def test_what_a_service_names_is_in_the_file(name: str) -> None:
    document = yaml.safe_load(FILES[name])
    for service in document["services"].values():
        mounted = {one.partition(":")[0] for one in service.get("volumes", ())}
        assert {one for one in mounted if not one.startswith((".", "/"))} <= set(document.get("volumes", ()))
        assert set(service.get("networks", ())) <= set(document.get("networks", ()))
        shared = service.get("network_mode", "").removeprefix("service:")
        assert {*service.get("depends_on", ()), *filter(None, [shared])} <= set(document["services"])


@every_file
def test_the_command_takes_the_options_that_a_service_gives_it(name: str) -> None:
    lines = commands(yaml.safe_load(FILES[name]))
    assert lines
    for words in lines:
        with cli.make_context("ramrole-creds", list(words)) as context:
            subcommand = cli.get_command(context, words[0])
            assert subcommand is not None
            with subcommand.make_context(words[0], words[1:], parent=context):
                pass


def test_an_image_that_is_built_installs_extras_that_there_are() -> None:
    extras = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[2]
    (document,) = [yaml.safe_load(text) for name, text in FILES.items() if name.startswith("testing.md")]
    (build,) = [one["build"] for one in document["services"].values() if "dockerfile_inline" in str(one)]
    named = re.findall(r"/src\[(.*?)\]", build["dockerfile_inline"])
    assert named
    assert all(re.search(rf"^{one} = \[", extras, re.MULTILINE) for each in named for one in each.split(","))
