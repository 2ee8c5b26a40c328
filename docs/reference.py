"""What Sphinx shows of signatures and docstrings: the parts that a reader of the reference needs, and no others."""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from typing import Any

from ramrole_creds import RamRoleError

# Python's own words for arguments that an exception or a protocol does not define.
NO_SIGNATURE = "(*args, **kwargs)"
# The argument that catches misspelled keywords, with a type that no value has; the private fields of a dataclass.
PRIVATE = re.compile(r"(?:, )?(?:\*\*unknown\b|\b_\w+=(?:<factory>|\w+))")
SECTION = re.compile(r"(?:Args|Returns|Raises|Attributes|Yields|Note|Example):$")

_ATTRIBUTES: dict[str, list[str]] = {}


def signature(_app: object, _what: str, _name: str, value: object, _options: object, *rest: str | None) -> Any:  # noqa: ANN401  # a pair of texts
    """Arguments as a caller may pass them."""
    arguments, returns = rest
    if arguments == NO_SIGNATURE:
        is_error = isinstance(value, type) and issubclass(value, RamRoleError)
        arguments = "(message)" if is_error else ""
    if arguments:
        arguments = re.sub(r"<function \w+>", "…", PRIVATE.sub("", arguments))
    return arguments, returns


def bases(_app: object, _name: str, _value: object, _options: object, found: list[Any]) -> None:
    """Base classes that a reader can import; never none, which Sphinx cannot show."""
    public = [base for base in found if "._" not in getattr(base, "__module__", "")]
    found[:] = public or [object]


def docstring(_app: object, what: str, _name: str, value: object, _options: object, lines: list[str]) -> None:
    """Indented examples become blocks of code; a value does not show the docstring of its type, such as `str`."""
    if what == "data" and " ".join(lines).split() == (type(value).__doc__ or "").split():
        lines.clear()
    found: list[str] = []
    inside = ""
    for number, line in enumerate(lines):
        if line and not line.startswith(" "):
            inside = "section" if SECTION.match(line) else "text"
        elif line.startswith("    ") and inside == "text" and found and not found[-1]:
            example = itertools.takewhile(lambda one: not one or one.startswith(" "), lines[number:])
            found += [f".. code-block:: {language(textwrap.dedent(chr(10).join(example)))}", ""]
            inside = "code"
        found.append(line)
    lines[:] = found


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
    """Leave out the type of what returns nothing, arguments that nobody passes, and the base class of all classes."""
    from docutils import nodes

    for field in list(content.findall(nodes.field)):
        name, body = field.children
        if name.astext() == "rtype" and body.astext() == "None":
            field.parent.remove(field)
        if re.search(r"(?:\bunknown|\W_\w+)$", name.astext()):
            field.parent.remove(field)
    for paragraph in list(content.findall(nodes.paragraph)):
        if paragraph.astext() == "Bases: object":
            paragraph.parent.remove(paragraph)
    for one in list(content.findall(nodes.field_list)):
        if not one.children:
            one.parent.remove(one)


def setup(app: Any) -> dict[str, bool]:  # noqa: ANN401  # Sphinx
    """Connect the functions above, each where Sphinx calls it."""
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-bases", bases)
    app.connect("autodoc-process-docstring", docstring, priority=100)
    app.connect("autodoc-process-docstring", kept, priority=200)
    app.connect("autodoc-process-docstring", restored, priority=900)
    app.connect("object-description-transform", fields, priority=900)
    return {"parallel_read_safe": True}
