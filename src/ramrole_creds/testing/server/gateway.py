"""Every request of the fake cloud passes through here: routed, affected by faults, answered and recorded."""

from __future__ import annotations

import re
import threading
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.faults.fault_kind import FaultContext
from ramrole_creds.testing.faults.script import NOTHING
from ramrole_creds.testing.masking import key_id_in
from ramrole_creds.testing.request_log import RecordedRequest
from ramrole_creds.testing.server.http_parser import keeps_alive
from ramrole_creds.testing.server.messages import MAX_FORM_BYTES, MAX_FORM_PARAMETERS, WireRequest, WireResponse
from ramrole_creds.testing.services.metadata_service import error_page
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.faults.script import Faults
    from ramrole_creds.testing.request_log import RequestLog
    from ramrole_creds.testing.server.connection import Connection
    from ramrole_creds.testing.server.http_parser import DateHeader
    from ramrole_creds.testing.services.metadata_service import MetadataService
    from ramrole_creds.testing.services.service import Service

CONTROL_PREFIX = "/_fake/"
MAX_DEFECTS = 20
MAX_SHOWN_HOST_CHARACTERS = 100

# Names under which the cloud answers, whatever address it is bound to. No web page can make a browser send these.
_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "100.100.100.200"})
_OWN_SUFFIXES = (".localhost", ".127.0.0.1", ".aliyuncs.com", ".aliyun.com", ".alibabacloud.com", ".fcapp.run")
_KEY_HEADERS = ("x-acs-accesskey-id", "x-ots-accesskeyid")
_KEY_PARAMETERS = frozenset({"accesskeyid", "ossaccesskeyid", "awsaccesskeyid", "x-oss-credential", "x-amz-credential"})
_MAY_HOLD_KEY = re.compile("ccess|redential")


@dataclass(slots=True)
class Gateway:
    """The application of the fake cloud's server.

    `load_services` makes the endpoints; it is called at the first request that is not for metadata. `hosts` are names,
    in lower case, that are accepted in the Host header beside the cloud's own; `control` answers the control API.
    `defects` are tracebacks of errors inside the fake cloud.
    """

    metadata: MetadataService
    load_services: Callable[[], list[Service]]
    faults: Faults
    log: RequestLog
    hosts: frozenset[str]
    control: Callable[[WireRequest], WireResponse]
    defects: list[str] = field(default_factory=list)
    _services: list[Service] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards the loading of the services

    @property
    def services(self) -> list[Service]:
        """The endpoints in the order in which they are tried."""
        with self._lock:
            if self._services is None:
                self._services = self.load_services()
            return self._services

    def __call__(self, request: WireRequest, connection: Connection) -> bool:
        """Answer one request; runs on the thread of its connection. True keeps the connection."""
        try:
            if request.path.startswith(CONTROL_PREFIX):
                own = self._is_own_host(request.header("Host"))
                response = self.control(request) if own else error_page(403)
                return connection.respond(response, date=request.at, keep=keeps_alive(request))
            return self._serve(request, connection)
        except Exception:  # noqa: BLE001  # an exception of a thread would go unseen; check() raises it in the test
            self._note_defect()
            return False

    def _serve(self, request: WireRequest, connection: Connection) -> bool:
        entry = RecordedRequest(request, connection.number, access_key_id=signing_key_id(request))
        self.log.begin(entry)
        try:
            service = self._route(request)
            entry.service = service.name if service is not None else ""
            entry.step = self.metadata.step(request) if service is self.metadata else ""
            return self._answer(entry, request, connection, service)
        finally:
            self.log.finish(entry)

    def _note_defect(self) -> None:
        if len(self.defects) < MAX_DEFECTS:
            self.defects.append(traceback.format_exc())

    def _answer(
        self, entry: RecordedRequest, request: WireRequest, connection: Connection, service: Service | None
    ) -> bool:
        matched = self.faults.match(request, entry.names) if len(self.faults) else NOTHING
        entry.fault = str(matched)
        latency = self.faults.latency(matched)
        if latency and not connection.sleep(latency):
            return False
        request = replace(request, at=request.at + sum(one.clock_error() for one in matched.modifiers))
        date: DateHeader = request.at
        for modifier in matched.modifiers:
            date = modifier.dated(date)

        def answer() -> WireResponse:
            response = self._respond(request, service)
            for modifier in matched.modifiers:
                response = modifier.apply(response)
            if request.method == "HEAD":
                return replace(response.with_header("Content-Length", str(len(response.body))), body=b"")
            return response

        context = FaultContext(connection, entry, answer, date, keeps_alive(request))
        if matched.replacement is not None:
            return matched.replacement.apply(context)
        response = answer()
        # Before the answer is sent: a client that has it may send the next request, which is then the only one.
        self.log.finish(entry)
        return context.respond(response)

    def _respond(self, request: WireRequest, service: Service | None) -> WireResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if service is None:
            return error_page(404)
        try:
            return service.handle(request)
        except UnicodeError:  # a lone surrogate out of a JSON body, say, which the answer would repeat
            return _plain(400, "The request holds text that is not Unicode.\n")
        except ServiceError as error:
            return _plain(error.status, f"{error}\n")
        except Exception:  # noqa: BLE001  # as above
            self._note_defect()
            return _plain(500, "").with_header("X-Fake-Cloud-Defect", service.name)

    def _refusal(self, request: WireRequest) -> WireResponse | None:
        """The answer to what no service may see."""
        if not self._is_own_host(request.header("Host")):
            return _other_host(request.header("Host") or "")
        if request.path in ("", "/") and request.has_long_form:
            return _plain(413, f"A form has at most {MAX_FORM_BYTES} bytes and {MAX_FORM_PARAMETERS} parameters.\n")
        return None

    def _route(self, request: WireRequest) -> Service | None:
        if self.metadata.recognizes(request):
            return self.metadata
        return next((service for service in self.services if service.recognizes(request)), None)

    def _is_own_host(self, host: str | None) -> bool:
        """False for a request whose Host names another server, as in a DNS rebinding attack."""
        if host is None or "*" in self.hosts:
            return True
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        return name in self.hosts or name in _OWN_NAMES or name.endswith(_OWN_SUFFIXES)


def _plain(status: int, text: str) -> WireResponse:
    return WireResponse(status, (("Content-Type", "text/plain"),), text.encode())


def _other_host(host: str) -> WireResponse:
    shown = ascii(host[:MAX_SHOWN_HOST_CHARACTERS])
    if "://" in host:
        text = f"The Host header is a URL: {shown}. Set the endpoint of the client without http://, to HOST:PORT.\n"
        return _plain(403, text)
    text = (
        f"This is the fake cloud of a test, and the proxy of the programs that the test starts. It answers for its own "
        f"names only, not for {shown}, and forwards nothing. Name the host in "
        "no_proxy of the child, or in allowed_hosts of FakeCloud.\n"
    )
    return _plain(403, text)


def signing_key_id(request: WireRequest) -> str | None:
    """The AccessKey ID that signed a request, wherever its scheme puts it; None for an unsigned request."""
    values = [key_id_in(request.header("Authorization") or ""), *map(request.header, _KEY_HEADERS)]
    named = next(filter(None, values), None)
    if named is not None:
        return named
    if not _MAY_HOLD_KEY.search(request.target) and b"AccessKeyId=" not in request.body[:4096]:
        return None  # most requests; their parameters need not be parsed
    for name, value in (*request.query, *request.form):
        if name.lower() in _KEY_PARAMETERS:
            return value.partition("/")[0]
    return None
