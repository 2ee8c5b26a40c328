"""Message Service: queues that hold messages, topics that count them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import document, error_content, texts
from ramrole_creds.testing.services.room import entry_size
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.verify.canonical import decimal
from ramrole_creds.testing.verify.error_catalogs import MNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.verify import Rejected

NAMESPACE = "http://mns.aliyuncs.com/doc/v1/"
VISIBILITY_SECONDS = 30
_XML = ("Content-Type", "text/xml;charset=utf-8")


@dataclass(slots=True)
class _Message:
    number: int
    body: str
    enqueued_at: float
    visible_at: float
    receipt: str = ""
    dequeued: int = 0


@dataclass(slots=True)
class _Queue:
    """A queue with its messages, or a topic, which only counts them."""

    created_at: float
    messages: list[_Message] = field(default_factory=list)
    published: int = 0


class MnsService(SignedService):
    """One message service for all accounts."""

    name = "mns"
    catalog = MNS
    mark = "x-mns-version"
    product = "mns"

    def __init__(self, issuer: CredentialStore) -> None:
        super().__init__(issuer)
        self._queues: dict[str, _Queue] = {}
        self._topics: dict[str, _Queue] = {}
        self._numbers = 0

    def kept_sizes(self) -> Iterator[int]:
        """Queues with their messages, and topics."""
        for name, queue in (*self._queues.items(), *self._topics.items()):
            yield entry_size(name)
            yield from (entry_size(message.body) for message in queue.messages)

    def own_headers(self, request_id: str) -> tuple[tuple[str, str], ...]:
        """The id of the request, and the version of the protocol."""
        return (("x-mns-request-id", request_id), ("x-mns-version", "2015-06-06"))

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """One action on a queue or topic.

        Known, from "Authorization policies and examples" of MNS: the actions on queues, topics and messages and that
        the resource is the path. Assumed: the actions on subscriptions, and `GetAccountAttributes` for other paths.
        """
        return _action(call), call.path

    def answer(self, call: SignedCall) -> WireResponse:
        """What the path names."""
        with self._lock:
            return self._perform(call)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """A document in XML."""
        content = error_content(request, request_id, refused)
        content["HostId"] = f"http://{content['HostId']}"
        return _answer("Error", content, refused.status)

    def _perform(self, call: SignedCall) -> WireResponse:
        match = re.fullmatch(r"/(queues|topics)(?:/([^/]+))?(/messages)?", call.path)
        if match is None:
            return _answer("Account", {"LoggingBucket": ""})
        kind, name, messages = match[1], match[2], match[3]
        held = self._queues if kind == "queues" else self._topics
        if name is None:
            return _list(call, kind, held)
        if messages is None:
            return self._manage(call, kind, name, held)
        queue = _found(kind, name, held)
        if call.method == "POST":
            return self._send(call, kind, queue)
        return _delete(call, queue) if call.method == "DELETE" else _receive(call, queue)

    def _manage(self, call: SignedCall, kind: str, name: str, held: dict[str, _Queue]) -> WireResponse:
        if call.method == "PUT":
            known = name in held
            if not known:
                self.room.take(entry_size(name))
                held[name] = _Queue(call.request.at)
            return WireResponse(204 if known else 201, (("Location", f"http://{call.host}/{kind}/{name}"),))
        if call.method == "DELETE":
            held.pop(name, None)
            return WireResponse(204)
        return _described(call, kind, name, _found(kind, name, held))

    def _send(self, call: SignedCall, kind: str, queue: _Queue) -> WireResponse:
        sent: list[Node] = []
        bodies = texts(call.request.body, "MessageBody")
        if not bodies:
            raise ServiceError("MalformedXML", "The XML you provided was not well-formed.")
        if kind == "queues":
            self.room.take(sum(map(entry_size, bodies)))
        for body in bodies:
            self._numbers += 1
            queue.published += 1
            if kind == "queues":
                queue.messages.append(_Message(self._numbers, body, call.request.at, call.request.at))
            sent.append({"MessageId": f"{self._numbers:032X}", "MessageBodyMD5": _md5(body)})
        if b"<Messages" in call.request.body:
            return _answer("Messages", {"Message": sent}, 201)
        return _answer("Message", sent[0], 201)


def _list(call: SignedCall, kind: str, held: dict[str, _Queue]) -> WireResponse:
    element, root = kind[:-1].title(), kind.title()
    # No empty NextMarker: the official client fails on one.
    entries: list[Node] = [{f"{element}URL": f"http://{call.host}/{kind}/{name}"} for name in sorted(held)]
    return _answer(root, {element: entries})


def _described(call: SignedCall, kind: str, name: str, queue: _Queue) -> WireResponse:
    element = kind[:-1].title()
    content: dict[str, Node] = {
        f"{element}Name": name,
        "CreateTime": int(queue.created_at),
        "LastModifyTime": int(queue.created_at),
        "MaximumMessageSize": 65536,
        "MessageRetentionPeriod": 345600,
        "LoggingEnabled": "False",
    }
    if kind == "queues":
        hidden = sum(message.visible_at > call.request.at for message in queue.messages)
        content |= {"ActiveMessages": len(queue.messages) - hidden, "InactiveMessages": hidden, "DelayMessages": 0}
        content |= {"DelaySeconds": 0, "VisibilityTimeout": VISIBILITY_SECONDS, "PollingWaitSeconds": 0}
    else:
        content |= {"MessageCount": queue.published}
    return _answer(element, content)


def _receive(call: SignedCall, queue: _Queue) -> WireResponse:
    wanted = call.query.get("numOfMessages", "1")
    limit = decimal(wanted) or 1
    peek = call.query.get("peekonly") == "true"
    ready = [message for message in queue.messages if message.visible_at <= call.request.at][:limit]
    if not ready:
        raise ServiceError("MessageNotExist", "Message not exist.", 404)
    shown: list[Node] = []
    for message in ready:
        if not peek:
            message.dequeued += 1
            message.visible_at = call.request.at + VISIBILITY_SECONDS
            message.receipt = f"{message.number}-{message.dequeued}"
        shown.append(_shown(message, peek=peek))
    if "numOfMessages" in call.query:
        return _answer("Messages", {"Message": shown})
    return _answer("Message", shown[0])


def _delete(call: SignedCall, queue: _Queue) -> WireResponse:
    receipts = {call.query.get("ReceiptHandle", ""), *texts(call.request.body, "ReceiptHandle")} - {""}
    kept = [message for message in queue.messages if message.receipt not in receipts]
    if len(kept) == len(queue.messages):
        raise ServiceError("ReceiptHandleError", "The receipt handle you provide is not valid.")
    queue.messages = kept
    return WireResponse(204)


def _found(kind: str, name: str, held: Mapping[str, _Queue]) -> _Queue:
    queue = held.get(name)
    if queue is None:
        element = kind[:-1].title()
        raise ServiceError(f"{element}NotExist", f"The {element.lower()} name you provided is not exist.", 404)
    return queue


def _answer(root: str, content: Node, status: int = 200) -> WireResponse:
    return WireResponse(status, (_XML,), document(root, content, namespace=NAMESPACE))


def _shown(message: _Message, *, peek: bool) -> dict[str, Node]:
    content: dict[str, Node] = {
        "MessageId": f"{message.number:032X}",
        "MessageBody": message.body,
        "MessageBodyMD5": _md5(message.body),
        "EnqueueTime": int(message.enqueued_at * 1000),
        "FirstDequeueTime": int(message.enqueued_at * 1000),
        "DequeueCount": message.dequeued,
        "Priority": 8,
    }
    if not peek:
        content |= {"ReceiptHandle": message.receipt, "NextVisibleTime": int(message.visible_at * 1000)}
    return content


_MESSAGE_ACTIONS = {
    ("queues", "POST"): "SendMessage",
    ("queues", "GET"): "ReceiveMessage",
    ("queues", "DELETE"): "DeleteMessage",
    ("queues", "PUT"): "ChangeMessageVisibility",
    ("topics", "POST"): "PublishMessage",
}


def _action(call: SignedCall) -> str:
    kind, _, rest = call.path.strip("/").partition("/")
    name, _, below = rest.partition("/")
    if kind not in ("queues", "topics"):
        return "GetAccountAttributes"
    element = kind[:-1].title()
    if not name:
        return f"List{element}"
    if below == "messages":
        peeking = call.method == "GET" and call.query.get("peekonly") == "true"
        return "PeekMessage" if peeking else _MESSAGE_ACTIONS.get((kind, call.method), "SendMessage")
    if below:
        return _subscription_action(call.method, below)
    if call.method in ("PUT", "POST"):
        return f"Set{element}Attributes" if call.query.get("metaoverride") == "true" else f"Create{element}"
    return f"Delete{element}" if call.method == "DELETE" else f"Get{element}Attributes"


def _subscription_action(method: str, below: str) -> str:
    if "/" not in below:
        return "ListSubscriptionByTopic"
    return {"DELETE": "Unsubscribe", "GET": "GetSubscriptionAttributes"}.get(method, "Subscribe")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace")).hexdigest().upper()  # noqa: S324  # the protocol's checksum
