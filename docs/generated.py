"""The parts of the manual that are made from the code.

`python docs/generated.py` writes the tables of options into `docs/providers/*.md` and `docs/command.md`, and the one of
extras into `docs/integrations.md`; a test says if one is out of date. The lists of error texts on the page of errors
are made when the manual is built, by the directive `error-texts`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ramrole_creds
from ramrole_creds import CredentialProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "providers"
COMMAND_PAGE = ROOT / "docs" / "command.md"
EXTRAS_PAGE = ROOT / "docs" / "integrations.md"
BEGIN, END = "<!-- options of {}: begin (python docs/generated.py) -->", "<!-- options: end -->"
SHARED = {"policy", "clock", "on_event"}
STS = {
    "endpoint": "host or URL of STS; else ALIBABA_CLOUD_STS_ENDPOINT.",
    "region": "region of the STS endpoint; else ALIBABA_CLOUD_STS_REGION.",
    "vpc": "use the endpoint inside the VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.",
    "connect_timeout": "time limit for connecting, in seconds.",
    "read_timeout": "time limit for each read, in seconds.",
}


def described(function: Any) -> dict[str, str]:  # noqa: ANN401  # whatever has a docstring
    """What a docstring says about each argument."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    found = re.findall(r"^    (\w+): ((?:.*\n?)(?:^        .*\n?)*)", section.group(1) if section else "", re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}


def options(cls: type) -> list[tuple[str, str, str]]:
    """Name, default and meaning of each option of a provider's own; those of all providers are left out."""
    said = described(cls)
    rows = []
    for name, parameter in inspect.signature(cls.__init__).parameters.items():  # type: ignore[misc]  # of a class
        if name in SHARED or name in {"self", "unknown"}:
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            if "StsOptions" in str(parameter.annotation):
                rows += [(key, _sts_default(key), meaning) for key, meaning in STS.items()]
            continue
        default = "required" if parameter.default is inspect.Parameter.empty else f"`{parameter.default!r}`"
        rows.append((name, default, said[name]))
    return rows


def _sts_default(name: str) -> str:
    from ramrole_creds.providers.sts_provider import StsProvider

    parameter = inspect.signature(StsProvider.__init__).parameters[name]
    return f"`{parameter.default!r}`"


def table(cls: type) -> str:
    """The table of options, and the policy by which the provider refreshes."""
    rows = [f"| `{name}` | {default} | {_code(meaning)} |" for name, default, meaning in options(cls)]
    lines = ["| option | default | meaning |", "|---|---|---|", *rows] if rows else ["It has no further option."]
    if issubclass(cls, CredentialProvider):
        limit = cls.default_policy.fetch_timeout
        shared = "[the options of every provider](../providers.md#options-of-every-provider)"
        lines += ["", f"And {shared}. A fetch may take {limit:g} seconds (`fetch_timeout`)."]
    return "\n".join(lines)


def _code(text: str) -> str:
    return re.sub(r"(?<![`\w])((?:ALIBABA_CLOUD|RAMROLE_CREDS)_\w+)", r"`\1`", text).replace("|", "\\|")


def with_tables(text: str) -> str:
    """A page with its tables as the code has them now."""
    pattern = re.escape(BEGIN).replace(r"\{\}", r"(\w+)") + r"\n.*?" + re.escape(END)

    def made(match: re.Match[str]) -> str:
        cls = getattr(ramrole_creds, match.group(1))
        return f"{BEGIN.format(match.group(1))}\n{table(cls)}\n{END}"

    return re.sub(pattern, made, text, flags=re.DOTALL)


def with_command_options(text: str) -> str:
    """The page of the command with a table of the options of each subcommand."""
    import click

    from ramrole_creds.cli.app import app

    context = click.Context(app)
    tables = []
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        if isinstance(command, click.Group):
            parts = {one: command.get_command(context, one) for one in command.list_commands(context)}
            head = ["| option | subcommands | default | meaning |", "|---|---|---|---|"]
        else:
            parts, head = {"": command}, ["| option | default | meaning |", "|---|---|---|"]
        tables += [f"### {name}", "", *head, *_option_rows(parts), ""]
    return _with_part(text, "the command", "\n".join(tables))


def with_extras(text: str) -> str:
    """The page of integrations with a table of the extras and of what each installs."""
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    project = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = [
        f"| `{extra}` | {', '.join(f'`{one}`' for one in packages)} |"
        for extra, packages in sorted(project["optional-dependencies"].items())
    ]
    return _with_part(text, "the extras", "\n".join(["| extra | installs |", "|---|---|", *rows, ""]))


def _with_part(text: str, of: str, made: str) -> str:
    """The text with a part between its two marks."""
    begin = BEGIN.format(of)
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{made}{END}{rest.partition(END)[2]}"


def _option_rows(commands: dict[str, Any]) -> list[str]:
    """A row for each option; where several subcommands have the same one, they share it."""
    users: dict[tuple[str, str, str], list[str]] = {}
    for name, command in commands.items():
        for option in command.params:
            if option.param_type_name == "option":
                users.setdefault(_described_option(option), []).append(name)
    several = len(commands) > 1
    return [
        " | ".join(("| " + written, *([", ".join(names)] if several else []), default, f"{meaning} |"))
        for (written, default, meaning), names in users.items()
    ]


def _described_option(option: Any) -> tuple[str, str, str]:  # noqa: ANN401  # a click.Option
    choices = getattr(option.type, "choices", None)
    value = " " + "\\|".join(choices) if choices else f" {option.metavar}" if option.metavar else ""
    has_default = isinstance(option.default, str | int | float) and not isinstance(option.default, bool)
    default = f"`{option.default:g}`" if isinstance(option.default, float) else f"`{option.default}`"
    return (
        ", ".join(f"`{name}{value}`" for name in option.opts),
        "required" if option.required else default if has_default and option.default != "" else "",
        option.help.replace("|", "\\|"),
    )


# Modules that hold texts which become a part of an error: by the name of the error, paths below src/ramrole_creds.
PARTS: dict[str, tuple[str, ...]] = {
    "ConfigurationError": ("_checks.py", "_http/urls.py", "credentials.py", "providers/session_arguments.py"),
    "FetchError": ("_formats/credential_json.py", "_http/connection.py", "_http/failures.py"),
    "MetadataError": ("metadata/_errors.py", "metadata/_parsing.py"),
    "ProcessError": ("providers/process.py",),
    "ProfileError": (
        "providers/profiles/_file_lock.py",
        "providers/profiles/_ini_document.py",
        "providers/profiles/_options.py",
        "providers/profiles/cli_config.py",
        "providers/profiles/cli_modes.py",
        "providers/profiles/cli_profile.py",
        "providers/profiles/files.py",
        "providers/profiles/ini_profile.py",
        "providers/profiles/source_settings.py",
    ),
    "RoleApiError": ("roles.py",),
    "StsError": ("sts/client.py", "sts/errors.py"),
}
MIN_WORDS_OF_A_PART = 4


def error_classes() -> list[str]:
    """The names of the public errors."""
    return [name for name in ramrole_creds.__all__ if _is_error(getattr(ramrole_creds, name))]


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, ramrole_creds.RamRoleError)


@cache
def _sources() -> list[tuple[str, str, ast.Module]]:
    """Path, text and tree of each module of the package."""
    package = ROOT / "src/ramrole_creds"
    texts = ((file.relative_to(package).as_posix(), file.read_text("utf-8")) for file in sorted(package.rglob("*.py")))
    return [(path, text, ast.parse(text)) for path, text in texts]


def _texts_of_module(path: str, tree: ast.Module, name: str) -> Iterator[str]:
    """The arguments of the class of an error, and the texts of what makes such an error of a text."""
    parts: list[ast.AST] = [tree] if path in PARTS.get(name, ()) else []
    parts += [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _raises(node, name)]
    yield from (text for part in parts for text in _literals(part) if len(text.split()) >= MIN_WORDS_OF_A_PART)
    yield from (text for node in ast.walk(tree) if _is_call_of(node, name) for text in _texts(node.args[0]))


@cache
def error_texts(name: str) -> list[str]:
    """The texts of this error in the code, in the order of the alphabet; … is what it fills in.

    They are the arguments of its class, and the hints and parts that the modules of `PARTS` add to its texts.
    """
    modules = [(path, tree) for path, source, tree in _sources() if f"{name}(" in source or path in PARTS.get(name, ())]
    found = {text for path, tree in modules for text in _texts_of_module(path, tree, name)}
    long_enough = {re.sub(r"…(?:\s*…)+", "…", re.sub(r"{\w+}", "…", text)).strip() for text in found}
    return sorted((text for text in long_enough if len(re.sub(r"[\W_]", "", text)) > 8), key=str.lower)


HEADING = re.compile(r"^(#{2,4}) (.+)$", re.MULTILINE)
LIST_OF_TEXTS = re.compile(r"^```\{error-texts\} (\w+)\n```$", re.MULTILINE)
QUOTED = re.compile(r"(`+)(.+?)\1", re.DOTALL)
CODE = re.compile(r"(?=\w*[a-z])[A-Z]\w+(?:\.[A-Z]\w*)*|[A-Z]+-\d{6,}")


def error_sections() -> list[dict[str, Any]]:
    """The sections of the page on troubleshooting: anchor, title, and the texts and codes by which a search finds them.

    A section also has the texts of the headings below it. A list of texts belongs to the section of its class.
    """
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    parts = HEADING.split(page)[1:]
    found: dict[str, dict[str, Any]] = {}
    above: list[dict[str, Any]] = []
    for marks, heading, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        prose = LIST_OF_TEXTS.sub("", body)
        quoted = [" ".join(text.split()) for _, text in QUOTED.findall(f"{heading}\n{prose}")]
        blocks = map(_plain, re.split(r"\n\n|\n(?=[-|] ?)", prose))
        section: dict[str, Any] = {
            "anchor": anchor_of(heading),
            "title": heading.replace("`", "").strip(),
            "texts": list(dict.fromkeys([*filter(None, blocks), *(text for text in quoted if " " in text)])),
            "codes": [text for text in dict.fromkeys(quoted) if CODE.fullmatch(text)],
        }
        found[section["anchor"]] = section
        above = [*above[: len(marks) - 3], section]
        for name in LIST_OF_TEXTS.findall(body):
            found[name.lower()]["texts"] += error_texts(name)
        if len(above) > 1:
            above[0]["texts"] += section["texts"]
    return list(found.values())


def anchor_of(heading: str) -> str:
    """The anchor that the manual gives to a heading."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _plain(block: str) -> str:
    """A paragraph, an item or a row without its markup; "" for the head of a table."""
    if re.match(r"\|(?:[-|]+$| (?:text|code|the message contains) \|)", block):
        return ""
    return " ".join(re.sub(r"\]\([^)]*\)|[`|\[\]]|^- ", " ", block).split())


def _is_call_of(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and bool(node.args)


def _raises(function: ast.FunctionDef, name: str) -> bool:
    """True if the function makes the error from a text that it has in a variable."""
    calls = (node.args[0] for node in ast.walk(function) if _is_call_of(node, name))
    return any(isinstance(text, ast.Name | ast.IfExp) for text in calls)


def _literals(tree: ast.AST) -> Iterator[str]:
    """The texts of a module or a function, without docstrings and the texts of log records."""
    outer = (ast.JoinedStr, ast.Expr)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, outer) for part in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        if is_text and id(node) not in inside:
            yield from (text for text in _texts(node) if "%s" not in text)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.BinOp):
        yield next(_texts(node.left)) + next(_texts(node.right))
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    else:
        yield str(node.value) if isinstance(node, ast.Constant) else "…"


def setup(app: Any) -> dict[str, bool]:  # noqa: ANN401  # Sphinx
    """Give Sphinx the directive `error-texts`."""
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective

    class ErrorTexts(SphinxDirective):
        """The texts of a class of errors, folded away."""

        required_arguments = 1

        def run(self) -> list[nodes.Node]:
            (name,) = self.arguments
            items = [
                nodes.list_item("", nodes.paragraph("", "", nodes.literal(text, text))) for text in error_texts(name)
            ]
            opened = nodes.raw("", f"<details><summary>All texts of {name}</summary>", format="html")
            return [opened, nodes.bullet_list("", *items), nodes.raw("", "</details>", format="html")]

    app.add_directive("error-texts", ErrorTexts)
    app.connect("config-inited", _extend_search)
    return {"parallel_read_safe": True}


def search_code() -> str:
    """What the search of the manual runs beside Sphinx's own code."""
    sections = json.dumps(error_sections(), ensure_ascii=False, separators=(",", ":"))
    return f"const ERROR_SECTIONS = {sections};\n" + (ROOT / "docs/static/scorer.js").read_text(encoding="utf-8")


def _extend_search(app: Any, config: Any) -> None:  # noqa: ANN401  # Sphinx
    """Sphinx takes the code from a file."""
    file = Path(app.doctreedir) / "search.js"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(search_code(), encoding="utf-8")
    config.html_search_scorer = str(file)


def main() -> int:
    """Write the tables."""
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
    for page, made in ((COMMAND_PAGE, with_command_options), (EXTRAS_PAGE, with_extras)):
        page.write_text(made(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
