"""Tablestore: tables by name, without rows.

Every answer is signed with the caller's key, as the official client demands.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.room import entry_size
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.verify import ots_response_authorization
from ramrole_creds.testing.verify.error_catalogs import OTS
from ramrole_creds.testing.verify.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify import Rejected


class OtsService(SignedService):
    """One Tablestore for all instances."""

    name = "ots"
    catalog = OTS
    request_id_form = "uuid"
    product = "ots"
    mark = "x-ots-"
    full_code = "OTSQuotaExhausted"

    def __init__(self, issuer: CredentialStore) -> None:
        super().__init__(issuer)
        self._tables: set[tuple[str, str]] = set()  # instance and name

    def kept_sizes(self) -> Iterable[int]:
        """Tables."""
        return (entry_size(*one) for one in self._tables)

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """One operation on a table, or on the instance.

        Known, from "RAM policy" of Tablestore: the action is the operation, the resource
        `instance/<instance>/table/<table>`, with the instance in lower case. Assumed: `ListTable` is judged by
        `instance/<instance>/table/*`, batches by the first table that they name.
        """
        return _operation(call), f"instance/{_instance(call).lower()}/table/{_table(call) or '*'}"

    def answer(self, call: SignedCall) -> WireResponse:
        """Tables are created, listed and deleted."""
        with self._lock:
            body = self._perform(_operation(call), _instance(call), call.request.body)
        return self._signed(call.request, call.request_id, 200, body)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """A protocol buffer with code and message."""
        body = _text_field(1, refused.code) + _text_field(2, refused.message)
        return self._signed(request, request_id, refused.status, body)

    def _perform(self, operation: str, instance: str, body: bytes) -> bytes:
        if operation == "ListTable":
            names = sorted(name for owner, name in self._tables if owner == instance)
            return b"".join(_text_field(1, name) for name in names)
        if operation == "CreateTable":
            return self._create(instance, _first_text(_first_bytes(body) or b""))
        if operation == "DeleteTable":
            table = (instance, _first_text(body) or "")
            if table not in self._tables:
                raise ServiceError("OTSObjectNotExist", "Requested table does not exist.", 404)
            self._tables.remove(table)
            return b""
        raise ServiceError("OTSUnsupportOperation", f"The fake cloud does not serve {operation}.")

    def _create(self, instance: str, name: str | None) -> bytes:
        if name is None:
            raise ServiceError("OTSParameterInvalid", "Table name is missing.")
        if (instance, name) in self._tables:
            raise ServiceError("OTSObjectAlreadyExist", "Requested table already exists.", 409)
        self.room.take(entry_size(instance, name))
        self._tables.add((instance, name))
        return b""

    def _signed(self, request: WireRequest, request_id: str, status: int, body: bytes) -> WireResponse:
        digest = hashlib.md5(body).digest()  # noqa: S324  # the protocol's checksum
        headers = [
            ("x-ots-contentmd5", base64.b64encode(digest).decode()),
            ("x-ots-contenttype", "protocol buffer"),
            ("x-ots-date", utc_text(request.at)),
            ("x-ots-requestid", request_id),
        ]
        authorization = ots_response_authorization(request, self.issuer, headers)
        if authorization is not None:
            headers.append(("Authorization", authorization))
        return WireResponse(status, tuple(headers), body)


def _operation(call: SignedCall) -> str:
    return call.path.rpartition("/")[2]


def _instance(call: SignedCall) -> str:
    return call.request.header("x-ots-instancename") or ""


def _table(call: SignedCall) -> str | None:
    """The table that a request names first: in its field 1, or in field 1 of that."""
    first = _first_bytes(call.request.body)
    nested = None if first is None else _first_bytes(first)
    return _first_text(call.request.body) if nested is None else nested.decode("utf-8", "replace")


# Protocol buffers, as far as a name and an error need them: length-delimited fields, of which field 1 is read.


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
