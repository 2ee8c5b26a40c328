"""No regular expression of the package takes more than linear time, whatever the text."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import ramrole_creds
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.testing.account.policy_conditions import matches

if sys.version_info >= (3, 11):
    from re import _parser as sre  # type: ignore[attr-defined]
else:
    import sre_parse as sre

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOURCES = Path(ramrole_creds.__file__).parent
METHODS = ("search", "match", "fullmatch", "finditer", "findall", "split", "sub", "subn")
SIZES = (16, 20, 24, 28, 300, 1000, 3000, 10_000, 30_000)
MAX_SECONDS = 0.15
SAMPLES = "a0 -.:/=&%<A_\n\t\"'{}[]()\u00e9~"


class Use(NamedTuple):
    """A pattern and the methods that are called on it."""

    name: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]


def modules() -> Iterator[tuple[str, Any, str]]:
    """Every module that can be imported here, with its source."""
    for info in pkgutil.walk_packages([str(SOURCES)], "ramrole_creds.", onerror=lambda _: None):
        if info.name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(info.name)
        except (ImportError, ConfigurationError):  # an SDK that is not installed here; another environment has it
            continue
        yield info.name, module, Path(str(module.__file__)).read_text()


def patterns_of(value: object) -> Iterator[tuple[re.Pattern[Any], str | None]]:
    """Patterns in a value: itself, a bound method of one, or the items of a container."""
    if isinstance(value, re.Pattern):
        yield value, None
    elif isinstance(getattr(value, "__self__", None), re.Pattern):
        yield value.__self__, value.__name__  # type: ignore[attr-defined]
    elif isinstance(value, (tuple, list, set, frozenset)):
        for item in value:
            yield from patterns_of(item)
    elif isinstance(value, dict):
        yield from patterns_of(tuple(value.values()))


def collected() -> list[Use]:
    everything = "\n".join(path.read_text() for path in SOURCES.rglob("*.py"))
    found: dict[tuple[str, int], Use] = {}
    for module_name, module, source in modules():
        for name, value in list(vars(module).items()):
            for pattern, method in patterns_of(value):
                used = set(re.findall(rf"\b{name}\b(?:\[\w+\])?\.({'|'.join(METHODS)})\b", everything))
                methods = (method,) if method else tuple(sorted(used)) or ("search", "fullmatch")
                # Imported names are met in several modules: one is enough.
                found.setdefault((str(pattern.pattern), pattern.flags), Use(f"{module_name}.{name}", pattern, methods))
        for line, pattern, method in inline(ast.parse(source)):
            found.setdefault((str(pattern.pattern), pattern.flags), Use(f"{module_name}:{line}", pattern, (method,)))
    for path in sorted(SOURCES.rglob("*.py")):
        for line, pattern in written(ast.parse(path.read_text())):
            use = Use(f"{path.relative_to(SOURCES)}:{line}", pattern, ("search", "fullmatch"))
            found.setdefault((str(pattern.pattern), pattern.flags), use)
    return sorted(found.values(), key=lambda use: use.name)


def compiling(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call of `re.compile`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile":
            yield node


def written(tree: ast.AST) -> Iterator[tuple[int, re.Pattern[Any]]]:
    """Patterns that are written out, wherever: in classes, functions, and modules that cannot be imported here."""
    for call in compiling(tree):
        try:
            given = [ast.literal_eval(call.args[0])]
        except ValueError:  # made of parts: found by its name above, or known below
            continue
        given += [eval(ast.unparse(flags), {"re": re}) for flags in call.args[1:]]
        yield call.lineno, re.compile(*given)


def inline(tree: ast.AST) -> Iterator[tuple[int, re.Pattern[Any], str]]:
    """Patterns that are written into a call, as in `re.search("x", text)`."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in METHODS
        ):
            given = node.args[0]
            if isinstance(given, ast.BinOp):
                given = given.left
            if isinstance(given, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "x" for part in given.values]
                given = ast.Constant("".join(map(str, parts)))
            assert isinstance(given, ast.Constant), f"line {node.lineno}: compile this pattern at module level"
            yield node.lineno, re.compile(given.value), node.func.attr


def members(choices: Iterable[tuple[Any, Any]]) -> list[str]:
    """Some characters of a set."""
    text = ""
    for kind, value in choices:
        if kind is sre.LITERAL:
            text += chr(value)
        elif kind is sre.RANGE:
            text += chr(value[0]) + chr(value[1])
    parts = sre.SubPattern(sre.State(), [(sre.IN, list(choices))])
    return list(dict.fromkeys([c for c in text + SAMPLES if accepts(parts, c)]))


def accepts(parts: Any, character: str) -> bool:
    compiler = importlib.import_module("re._compiler" if sys.version_info >= (3, 11) else "sre_compile")
    parts.state.str = ""
    return compiler.compile(parts, 0).fullmatch(character) is not None


def samples(parts: Any) -> list[str]:
    """Some short texts that the parsed pattern accepts, or nearly."""
    texts = [""]
    for kind, value in parts:
        if kind is sre.LITERAL:
            found = [chr(value)]
        elif kind is sre.NOT_LITERAL:
            found = [c for c in SAMPLES if ord(c) != value][:2]
        elif kind is sre.ANY:
            found = ["a", " "]
        elif kind is sre.IN:
            found = members(value)[:3]
        elif kind is sre.BRANCH:
            found = [text for branch in value[1] for text in samples(branch)[:2]][:4]
        elif kind is sre.SUBPATTERN:
            found = samples(value[-1])
        elif kind in REPEATS:
            found = [text * max(value[0], 1) for text in samples(value[2])[:3]]
            found += [""] if value[0] == 0 else []
        else:
            found = [""]
        texts = [text + more for text in texts for more in found][:6] or texts
    return texts


REPEATS = [getattr(sre, name) for name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") if hasattr(sre, name)]


def pumps(parts: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """For each repetition without an end: a text that leads to it, and one that it repeats."""
    for kind, value in parts:
        if kind in REPEATS:
            if value[1] is sre.MAXREPEAT or value[1] > 1000:
                for text in samples(value[2]):
                    yield before, text
            yield from pumps(value[2], before)
        elif kind is sre.SUBPATTERN:
            yield from pumps(value[-1], before)
        elif kind is sre.BRANCH:
            for branch in value[1]:
                yield from pumps(branch, before)
        single = sre.SubPattern(parts.state, [(kind, value)])
        before += samples(single)[0]


def attacks(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Texts that a backtracking engine may take long for: start, repeated part, end."""
    text = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    parsed = sre.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    seen = set()
    for before, pump in pumps(parsed):
        for start, repeated in ((before, pump), ("", pump), ("", before + pump)):
            for end in ("", "\x00", "\x00" + before):
                if repeated and (start, repeated, end) not in seen:
                    seen.add((start, repeated, end))
                    yield start, repeated, end
    for whole in samples(parsed)[:2]:
        for cut in {1, len(whole) // 2, len(whole) - 1}:
            if whole[:cut] and ("", whole[:cut], "") not in seen:
                yield "", whole[:cut], ""


def seconds(use: Use, method: str, text: str) -> float:
    subject: Any = text.encode("latin-1", "replace") if isinstance(use.pattern.pattern, bytes) else text
    bound = getattr(use.pattern, method)
    began = time.process_time()
    if method in ("sub", "subn"):
        bound(b"" if isinstance(subject, bytes) else "", subject)
    elif method == "finditer":
        list(bound(subject))
    else:
        bound(subject)
    return time.process_time() - began


def slow(use: Use) -> str:
    """The text that takes long, shortened; "" if there is none."""
    for method in use.methods:
        for start, repeated, end in attacks(use.pattern):
            for size in SIZES:
                text = start + repeated * (size // len(repeated) + 1) + end
                if seconds(use, method, text) > MAX_SECONDS and seconds(use, method, text) > MAX_SECONDS:
                    return f"{method}({start!r} + {repeated!r} * {size // len(repeated)} + {end!r})"
    return ""


USES = collected()


@pytest.mark.parametrize("use", USES, ids=[use.name.removeprefix("ramrole_creds.") for use in USES])
def test_a_pattern_takes_linear_time(use: Use) -> None:
    assert slow(use) == "", use.pattern.pattern


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"\s+$", "search"),
        (r"<a>(.*?)</a>", "findall"),
        (r"(a+)+b", "match"),
        (r"a*a*b", "fullmatch"),
        (r"[\w.]+@x", "search"),
        (r"(?:x|a)*y", "search"),
    ],
)
def test_the_check_finds_patterns_that_take_longer(pattern: str, method: str) -> None:
    assert slow(Use("x", re.compile(pattern, re.DOTALL), (method,)))


# Function: what shows that its patterns take linear time.
MADE_WHILE_RUNNING = {
    "_formats/error_codes.py _answer_pattern": "called by its module only, whose list of patterns is checked",
    "testing/account/policy_conditions.py _pattern": "test_a_pattern_of_a_policy_takes_linear_time",
}


def test_every_pattern_that_a_function_makes_is_known() -> None:
    made = set()
    for path in SOURCES.rglob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        made |= {f"{path.relative_to(SOURCES)} {function.name}" for function in functions for _ in compiling(function)}
    assert made == MADE_WHILE_RUNNING.keys()


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "*" * 2000 + "b", "?*" * 300 + "b", "*a?a" * 100 + "[b]"])
def test_a_pattern_of_a_policy_takes_linear_time(pattern: str) -> None:
    began = time.process_time()
    assert not matches(pattern, "a" * 2000)
    assert time.process_time() - began < MAX_SECONDS


def test_the_check_sees_the_patterns_of_every_part() -> None:
    parts = {use.name.split(".")[1].split(":")[0] for use in USES}
    assert {"signing", "integrations", "testing", "metadata", "providers", "_formats"} <= parts
    assert len(USES) > 50
