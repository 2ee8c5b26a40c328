"""What Sphinx shows of signatures and docstrings: the parts that a reader of the reference needs, and no others."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import math
import re
import textwrap
from typing import Any

import signatures
from generated import described
from sphinx.util import logging

from ramrole_creds import RamRoleError
from ramrole_creds.signing import Scheme

SECTION = re.compile(r"(?:Args|Returns|Raises|Attributes|Yields|Note|Example):$")
VARIABLE = re.compile(r"\b((?:ALIBABA_CLOUD|RAMROLE_CREDS)_[A-Z_]+[A-Z])\b")
ARGUMENTS = re.compile(r"^Args:\n(?:    .*\n?|\n)+", re.MULTILINE)

_ATTRIBUTES: dict[str, list[str]] = {}
_CLASS: set[str] = set()  # "scheme" while a scheme is described


def signature(_app: object, what: str, _name: str, value: object, _options: object, *rest: str | None) -> Any:  # noqa: ANN401  # a pair of texts
    """Arguments as a caller may pass them."""
    arguments, returns = rest
    if isinstance(value, type):
        _CLASS.clear()
        _CLASS.update({"scheme"} if issubclass(value, Scheme) and value is not Scheme else ())
    return signatures.shown(what, value, arguments, returns)


def bases(_app: object, _name: str, _value: object, _options: object, found: list[Any]) -> None:
    """Base classes that a reader can import; never none, which Sphinx cannot show."""
    found[:] = [base for base in found if signatures.is_shown(base)] or [object]


def skipped(_app: object, _what: str, name: str, _value: object, skip: bool, _options: object) -> bool | None:  # noqa: FBT001  # Sphinx calls it
    """Leave out the members of a scheme that `Scheme` describes; the text of the class says what is special in them."""
    return True if not skip and name in vars(Scheme) and "scheme" in _CLASS else None


def docstring(_app: object, what: str, _name: str, value: object, _options: object, lines: list[str]) -> None:
    """Indented examples become blocks of code; a value does not show the docstring of its type, such as `str`."""
    if what == "data" and " ".join(lines).split() == (type(value).__doc__ or "").split():
        lines.clear()
    if what == "class" and isinstance(value, type):
        lines[:] = _of_class(value, "\n".join(lines)).split("\n")
    lines[:] = _with_examples(lines)


def _with_examples(lines: list[str]) -> list[str]:
    """The lines of a docstring, in which an indented example is a block of code."""
    found: list[str] = []
    inside = ""
    for number, line in enumerate(lines):
        if line and not line.startswith(" "):
            inside = "section" if SECTION.match(line) else "text"
        elif line.startswith("    ") and inside == "text" and found and not found[-1]:
            example = itertools.takewhile(lambda one: not one or one.startswith(" "), lines[number:])
            found += [f".. code-block:: {language(textwrap.dedent(chr(10).join(example)))}", ""]
            inside = "code"
        found.append(line if inside == "code" else _with_variables(line))
    return found


def _with_variables(line: str) -> str:
    """A line in which the names of environment variables are code."""
    parts = line.split("`")
    parts[::2] = [VARIABLE.sub(r"`\1`", part) for part in parts[::2]]
    return "`".join(parts)


def _of_class(cls: type, text: str) -> str:
    """The docstring of a class: the fields of a dataclass are described at its attributes only."""
    if dataclasses.is_dataclass(cls) and "__init__" not in signatures.methods(cls):
        text = ARGUMENTS.sub("", text)
    if issubclass(cls, RamRoleError):
        text = _with_arguments_of_bases(cls, text)
    if issubclass(cls, Scheme) and cls is not Scheme:
        text += "\n" + "\n".join(_of_scheme(cls))
    return text


def _with_arguments_of_bases(cls: type, text: str) -> str:
    """The docstring of an error, with what the docstrings of its base classes say about arguments."""
    said = {name: text for base in reversed(cls.__mro__) for name, text in described(base).items()}
    lines = [f"    {name}: {said[name]}" for name in inspect.signature(cls).parameters if name in said]
    section = "\n".join(["Args:", *lines, ""]) if lines else ""
    return ARGUMENTS.sub(lambda _: section, text) if ARGUMENTS.search(text) else f"{text.rstrip()}\n\n{section}"


def _of_scheme(cls: type[Scheme]) -> list[str]:
    """What a scheme does in the methods that all schemes have, and what its class attributes say."""
    lines = []
    for name in ("sign", "presign", "post_form", "string_to_sign"):
        said = inspect.getdoc(getattr(cls, name)) if getattr(cls, name) is not getattr(Scheme, name) else None
        if said:
            lines.append(f"- `{name}`: {said.splitlines()[0]}")
    if 0 < cls.max_presign_seconds < math.inf:
        lines.append(f"- A presigned URL is valid for {cls.max_presign_seconds / 86400:g} days at most.")
    if cls.owned_headers:
        lines.append("- Sets the headers " + ", ".join(f"`{one}`" for one in sorted(cls.owned_headers)) + ".")
    signed = "is signed: bytes or a seekable file" if cls.covers_body else "is not signed"
    return ["", *lines, f"- The body {signed}.", ""]


def kept(_app: object, what: str, name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Remember what an attribute says before napoleon reads it."""
    if what in {"attribute", "data", "property"}:
        _ATTRIBUTES[name] = list(lines)


def restored(_app: object, _what: str, name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Undo what napoleon did: it takes the words before the first colon of an attribute for its type."""
    said = _ATTRIBUTES.pop(name, None)
    if said is not None and ":type:" in "".join(lines):
        lines[:] = said


def language(example: str) -> str:
    """How to colour an example: as Python if it is, without the parts that "…" leaves out."""
    try:
        ast.parse(example)
    except SyntaxError:
        return "text"
    return "python"


def fields(_app: object, _domain: str, _objtype: str, content: Any) -> None:  # noqa: ANN401  # a node of docutils
    """Leave out arguments that nobody passes, the base class of all classes, and links to addresses in examples."""
    from docutils import nodes

    for field in list(content.findall(nodes.field)):
        if re.search(r"(?:\bunknown|\W_\w+)$", field.children[0].astext()):
            field.parent.remove(field)
    for paragraph in list(content.findall(nodes.paragraph)):
        if paragraph.astext() == "Bases: object":
            paragraph.parent.remove(paragraph)
    for link in list(content.findall(nodes.reference)):
        if link.get("refuri") == link.astext():
            link.parent.replace(link, nodes.literal("", link.astext()))
    for one in list(content.findall(nodes.field_list)):
        if not one.children:
            one.parent.remove(one)


def complete(_app: object, env: Any) -> None:  # noqa: ANN401  # Sphinx
    """Warn about public names that the reference does not have, under the name of their module or another one."""
    shown = set(env.get_domain("py").objects)
    objects = {id(signatures.find(name)) for name in shown}
    for name in signatures.public_names():
        if name not in shown and id(signatures.find(name)) not in objects:
            logging.getLogger(__name__).warning("The reference does not have %s.", name)


def setup(app: Any) -> dict[str, bool]:  # noqa: ANN401  # Sphinx
    """Connect the functions above, each where Sphinx calls it."""
    for attribute in signatures.describe_attributes():
        logging.getLogger(__name__).warning("%s has no text.", attribute)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-bases", bases)
    app.connect("autodoc-skip-member", skipped)
    app.connect("autodoc-process-docstring", docstring, priority=100)
    app.connect("autodoc-process-docstring", kept, priority=200)
    app.connect("autodoc-process-docstring", restored, priority=900)
    app.connect("object-description-transform", fields, priority=900)
    app.connect("env-check-consistency", complete)
    return {"parallel_read_safe": True}
