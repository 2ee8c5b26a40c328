"""Writes and reads the small documents of the services."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import escape

from ramrole_creds.testing.server.messages import WireResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.service import ServiceError
    from ramrole_creds.testing.verify import Rejected

    Node = str | int | Mapping[str, "Node"] | Iterable["Node"]

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(root: str, content: Node, *, namespace: str = "") -> bytes:
    """The document whose root element holds `content`.

    A mapping is an element for each name, which attributes may follow; a list repeats its element; anything else is
    text.
    """
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return f"{DECLARATION}<{root}{attribute}>{_inner(content)}</{root}>\n".encode()


def xml_response(
    root: str, content: Node, *headers: tuple[str, str], status: int = 200, namespace: str = ""
) -> WireResponse:
    """An answer in XML: the document whose root element holds `content`."""
    body = document(root, content, namespace=namespace)
    return WireResponse(status, (("Content-Type", "application/xml"), *headers), body)


def json_response(content: object, *headers: tuple[str, str], status: int = 200) -> WireResponse:
    """An answer in JSON; None has neither a body nor a content type, since nothing can be read from it."""
    if content is None:
        return WireResponse(status, headers)
    return WireResponse(status, (*headers, ("Content-Type", "application/json")), json.dumps(content).encode())


def read_json(text: str | bytes) -> object:
    """The value of a text in JSON; None for any other text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def openapi_answer(
    root: str, content: Mapping[str, object], status: int = 200, *, as_xml: bool = False
) -> WireResponse:
    """An answer of the OpenAPI gateway, which holds its "RequestId"."""
    request_id = ("x-acs-request-id", str(content["RequestId"]))
    if as_xml:
        headers = (request_id, ("Content-Type", "text/xml;charset=utf-8"))
        return WireResponse(status, headers, document(root, cast("Node", content)))
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return WireResponse(status, (request_id, ("Content-Type", "application/json;charset=utf-8")), body)


def openapi_error(
    request: WireRequest, error: ServiceError | Rejected, request_id: str, product: str, *, as_xml: bool
) -> WireResponse:
    """The error document of the OpenAPI gateway: code and message, and where to read on."""
    content = {
        "RequestId": request_id,
        "Message": error.message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={error.code}&product={product}&requestId={request_id}",
        "HostId": request.header("host") or "",
        "Code": error.code,
        **dict(error.extra),
    }
    return openapi_answer("Error", content, error.status, as_xml=as_xml)


def error_content(request: WireRequest, request_id: str, refused: Rejected) -> dict[str, Node]:
    """What every error document in XML begins with."""
    host = request.header("host") or ""
    return {"Code": refused.code, "Message": refused.message, "RequestId": request_id, "HostId": host}


def texts(body: bytes, name: str) -> list[str]:
    """The texts of every element `name`, whatever its namespace; none where the document is malformed.

    A pattern, not a parser: a request may hold anything, and entities of a hostile document are never expanded.
    """
    found = re.findall(rb"<(?:\w{1,20}:)?%s(?:\s[^<>]*)?>([^<]*)</" % name.encode(), body)
    return [_ENTITY.sub(_character, text.decode("utf-8", "replace")) for text in found]


def _inner(content: Node) -> str:
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, str | int):
        return escape(_NOT_XML.sub("\ufffd", str(content)))
    return "".join(_elements(name, value) for name, value in cast("Mapping[str, Node]", content).items())


def _elements(name: str, value: Node) -> str:
    if isinstance(value, list | tuple):
        return "".join(_elements(name, each) for each in value)
    return f"<{name}>{_inner(value)}</{name.partition(' ')[0]}>"


_ENTITY = re.compile(r"&(?:(lt|gt|quot|apos|amp)|#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMED = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}


def _character(match: re.Match[str]) -> str:
    name, decimal, hexadecimal = match.groups()
    if name:
        return _NAMED[name]
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
