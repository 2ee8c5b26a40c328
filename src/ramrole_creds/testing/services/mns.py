"""Message Service: queues that hold messages, topics that take them."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import document, texts
from ramrole_creds.testing.verify import NonceMemory, Rejected, verify_mns
from ramrole_creds.testing.verify.canonical import decode, query_pairs

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.markup import Node

NAMESPACE = "http://mns.aliyuncs.com/doc/v1/"
VISIBILITY_SECONDS = 30


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
    created_at: float
    messages: list[_Message] = field(default_factory=list)


@dataclass(slots=True)
class MnsService:
    """One message service for all accounts."""

    issuer: CredentialStore
    nonces: NonceMemory = field(default_factory=NonceMemory)
    _queues: dict[str, _Queue] = field(default_factory=dict)
    _topics: dict[str, _Queue] = field(default_factory=dict)
    _numbers: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards the three above

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "mns"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature, or by the version header that every call has."""
        authorization = request.header("authorization")
        if authorization:
            return authorization.startswith("MNS ")
        return request.header("x-mns-version") is not None

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and answer it."""
        verdict = verify_mns(request, self.issuer, request.at, self.nonces)
        if isinstance(verdict, Rejected):
            return self._refuse(request, verdict.code, verdict.message, verdict.status)
        path = decode(request.path)
        resource = f"acs:mns:*:{verdict.issued.account_id}:{path}"
        if not verdict.issued.allows(f"mns:{_action(request.method, path)}", resource):
            return self._refuse(
                request, "AccessDenied", "The OwnerId that your Access Key Id is associated to is forbidden.", 403
            )
        with self._lock:
            return self._perform(request, path)

    def _perform(self, request: WireRequest, path: str) -> WireResponse:
        match = re.fullmatch(r"/(queues|topics)(?:/([^/]+))?(/messages)?", path)
        if match is None:
            return self._answer(200, "Account", {"LoggingBucket": ""})
        kind, name, messages = match[1], match[2], match[3]
        held = self._queues if kind == "queues" else self._topics
        if name is None:
            return self._list(request, kind, held)
        if messages is None:
            return self._manage(request, kind, name, held)
        queue = held.get(name)
        return self._absent(request, kind) if queue is None else self._exchange(request, queue)

    def _exchange(self, request: WireRequest, queue: _Queue) -> WireResponse:
        if request.method == "POST":
            return self._send(request, queue)
        if request.method == "DELETE":
            return self._delete(request, queue)
        return self._receive(request, queue)

    def _list(self, request: WireRequest, kind: str, held: dict[str, _Queue]) -> WireResponse:
        element, root = kind[:-1].title(), kind.title()
        host = request.header("host") or ""
        # No empty NextMarker: the official client fails on one.
        entries: list[Node] = [{f"{element}URL": f"http://{host}/{kind}/{name}"} for name in sorted(held)]
        return self._answer(200, root, {element: entries})

    def _manage(self, request: WireRequest, kind: str, name: str, held: dict[str, _Queue]) -> WireResponse:
        if request.method == "PUT":
            known = name in held
            held.setdefault(name, _Queue(request.at))
            location = ("Location", f"http://{request.header('host') or ''}/{kind}/{name}")
            return WireResponse(204 if known else 201, (*self._headers(), location))
        if request.method == "DELETE":
            held.pop(name, None)
            return WireResponse(204, self._headers())
        queue = held.get(name)
        if queue is None:
            return self._absent(request, kind)
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
            hidden = sum(message.visible_at > request.at for message in queue.messages)
            content |= {"ActiveMessages": len(queue.messages) - hidden, "InactiveMessages": hidden, "DelayMessages": 0}
            content |= {"DelaySeconds": 0, "VisibilityTimeout": VISIBILITY_SECONDS, "PollingWaitSeconds": 0}
        else:
            content |= {"MessageCount": len(queue.messages)}
        return self._answer(200, element, content)

    def _send(self, request: WireRequest, queue: _Queue) -> WireResponse:
        sent: list[Node] = []
        bodies = texts(request.body, "MessageBody")
        if not bodies:
            return self._refuse(request, "MalformedXML", "The XML you provided was not well-formed.", 400)
        for body in bodies:
            self._numbers += 1
            queue.messages.append(_Message(self._numbers, body, request.at, request.at))
            sent.append({"MessageId": f"{self._numbers:032X}", "MessageBodyMD5": _md5(body)})
        if b"<Messages" in request.body:
            return self._answer(201, "Messages", {"Message": sent})
        return self._answer(201, "Message", sent[0])

    def _receive(self, request: WireRequest, queue: _Queue) -> WireResponse:
        query = {name: value or "" for name, value in query_pairs(request.query_string)}
        wanted = query.get("numOfMessages", "1")
        limit = int(wanted) if wanted.isascii() and wanted.isdigit() else 1
        peek = query.get("peekonly") == "true"
        ready = [message for message in queue.messages if message.visible_at <= request.at][:limit]
        if not ready:
            return self._refuse(request, "MessageNotExist", "Message not exist.", 404)
        shown: list[Node] = []
        for message in ready:
            if not peek:
                message.dequeued += 1
                message.visible_at = request.at + VISIBILITY_SECONDS
                message.receipt = f"{message.number}-{message.dequeued}"
            shown.append(_shown(message, peek=peek))
        if "numOfMessages" in query:
            return self._answer(200, "Messages", {"Message": shown})
        return self._answer(200, "Message", shown[0])

    def _delete(self, request: WireRequest, queue: _Queue) -> WireResponse:
        query = {name: value or "" for name, value in query_pairs(request.query_string)}
        receipts = {query.get("ReceiptHandle", ""), *texts(request.body, "ReceiptHandle")} - {""}
        kept = [message for message in queue.messages if message.receipt not in receipts]
        if len(kept) == len(queue.messages):
            return self._refuse(request, "ReceiptHandleError", "The receipt handle you provide is not valid.", 400)
        queue.messages = kept
        return WireResponse(204, self._headers())

    def _absent(self, request: WireRequest, kind: str) -> WireResponse:
        element = kind[:-1].title()
        return self._refuse(
            request, f"{element}NotExist", f"The {element.lower()} name you provided is not exist.", 404
        )

    def _headers(self) -> tuple[tuple[str, str], ...]:
        request_id = self.issuer.nonce().replace("-", "")[:24]
        return (("x-mns-request-id", request_id), ("x-mns-version", "2015-06-06"))

    def _answer(self, status: int, root: str, content: Node) -> WireResponse:
        headers = (*self._headers(), ("Content-Type", "text/xml;charset=utf-8"))
        return WireResponse(status, headers, document(root, content, namespace=NAMESPACE))

    def _refuse(self, request: WireRequest, code: str, message: str, status: int) -> WireResponse:
        headers = self._headers()
        content = {
            "Code": code,
            "Message": message,
            "RequestId": headers[0][1],
            "HostId": f"http://{request.header('host') or ''}",
        }
        body = document("Error", content, namespace=NAMESPACE)
        return WireResponse(status, (*headers, ("Content-Type", "text/xml;charset=utf-8")), body)


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


def _action(method: str, path: str) -> str:
    messages = path.endswith("/messages")
    what = "Message" if messages else "Queue" if path.startswith("/queues") else "Topic"
    verbs = {"GET": "Receive" if messages else "Get", "POST": "Send", "PUT": "Create", "DELETE": "Delete"}
    return f"{verbs.get(method, method.title())}{what}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace")).hexdigest().upper()  # noqa: S324 - the protocol's checksum
