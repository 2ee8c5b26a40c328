"""Writing and reading the small XML documents of the services."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Node = str | int | Mapping[str, "Node"] | Iterable["Node"]

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(root: str, content: Node, *, namespace: str = "") -> bytes:
    """The document whose root element holds `content`.

    A mapping is an element for each name, a list repeats its element, anything else is text.
    """
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return f"{DECLARATION}<{root}{attribute}>{_inner(content)}</{root}>\n".encode()


def texts(body: bytes, name: str) -> list[str]:
    """The texts of every element `name`, whatever its namespace; none where the document is malformed.

    A pattern, not a parser: what arrives may be anything, and entities of a hostile document are never expanded.
    """
    found = re.findall(rb"<(?:\w+:)?%s(?:\s[^>]*)?>([^<]*)</" % name.encode(), body)
    return [_unescape(text.decode("utf-8", "replace")) for text in found]


def _inner(content: Node) -> str:
    if isinstance(content, str | int):
        return escape(_NOT_XML.sub("\ufffd", str(content)))
    if hasattr(content, "items"):
        return "".join(_elements(name, value) for name, value in content.items())
    return "".join(_inner(each) for each in content)


def _elements(name: str, value: Node) -> str:
    if isinstance(value, list | tuple):
        return "".join(_elements(name, each) for each in value)
    return f"<{name}>{_inner(value)}</{name}>"


def _unescape(text: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text
