"""Tablestore: tables by name, without rows.

Every answer is signed with the caller's key: the official client believes no other.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.verify import NonceMemory, Rejected, ots_response_authorization, verify_ots
from ramrole_creds.testing.verify.verification import utc_text

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest


@dataclass(slots=True)
class OtsService:
    """One Tablestore for all instances."""

    issuer: CredentialStore
    clock: Clock
    nonces: NonceMemory = field(default_factory=NonceMemory)
    _tables: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _tables

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "ots"

    def recognizes(self, request: WireRequest) -> bool:
        """By the headers that carry its signature."""
        if request.header("authorization"):
            return False
        return any(name.lower().startswith("x-ots-") for name, _ in request.headers)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request, answer it, sign the answer."""
        verdict = verify_ots(request, self.issuer, request.at, self.nonces)
        if isinstance(verdict, Rejected):
            return self._signed(request, verdict.status, _error(verdict.code, verdict.message))
        operation = request.path.rpartition("/")[2]
        instance = request.header("x-ots-instancename") or ""
        resource = f"acs:ots:*:{verdict.issued.account_id}:instance/{instance}*"
        if not verdict.issued.allows(f"ots:{operation}", resource):
            return self._signed(request, 403, _error("OTSNoPermissionAccess", "You have no permission."))
        with self._lock:
            status, body = _perform(operation, request.body, self._tables.setdefault(instance, []))
        return self._signed(request, status, body)

    def _signed(self, request: WireRequest, status: int, body: bytes) -> WireResponse:
        digest = hashlib.md5(body).digest()  # noqa: S324 - the protocol's checksum
        headers = [
            ("x-ots-contentmd5", base64.b64encode(digest).decode()),
            ("x-ots-contenttype", "protocol buffer"),
            ("x-ots-date", utc_text(self.clock.time())),
            ("x-ots-requestid", self.issuer.nonce().lower()),
        ]
        authorization = ots_response_authorization(request, self.issuer, headers)
        if authorization is not None:
            headers.append(("Authorization", authorization))
        return WireResponse(status, tuple(headers), body)


def _perform(operation: str, body: bytes, tables: list[str]) -> tuple[int, bytes]:
    if operation == "ListTable":
        return 200, b"".join(_text_field(1, name) for name in sorted(tables))
    if operation == "CreateTable":
        return _create(_first_text(_first_bytes(body) or b""), tables)
    if operation == "DeleteTable":
        name = _first_text(body)
        if name not in tables:
            return 404, _error("OTSObjectNotExist", "Requested table does not exist.")
        tables.remove(name)
        return 200, b""
    return 400, _error("OTSUnsupportOperation", f"The fake cloud does not serve {operation}.")


def _create(name: str | None, tables: list[str]) -> tuple[int, bytes]:
    if name is None:
        return 400, _error("OTSParameterInvalid", "Table name is missing.")
    if name in tables:
        return 409, _error("OTSObjectAlreadyExist", "Requested table already exists.")
    tables.append(name)
    return 200, b""


# Protocol buffers, as far as a name and an error need them: fields of lengths, the wanted one being number 1.


def _error(code: str, message: str) -> bytes:
    return _text_field(1, code) + _text_field(2, message)


def _text_field(number: int, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return bytes([number << 3 | 2]) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _first_text(message: bytes) -> str | None:
    raw = _first_bytes(message)
    return None if raw is None else raw.decode("utf-8", "replace")


def _first_bytes(message: bytes) -> bytes | None:
    """Field 1 where the message begins with it."""
    if not message.startswith(b"\x0a"):
        return None
    length = shift = 0
    for place in range(1, min(len(message), 6)):
        length |= (message[place] & 0x7F) << shift
        shift += 7
        if message[place] < 0x80:
            field_bytes = message[place + 1 : place + 1 + length]
            return field_bytes if len(field_bytes) == length else None
    return None
