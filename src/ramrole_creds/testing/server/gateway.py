"""Where every request of the fake cloud arrives: routed, met by faults, answered and recorded."""

from __future__ import annotations

import re
import threading
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.faults.player import FaultContext, modify, play, with_header
from ramrole_creds.testing.faults.script import NOTHING
from ramrole_creds.testing.request_log import RecordedRequest
from ramrole_creds.testing.server.http_parser import keeps_alive
from ramrole_creds.testing.server.messages import WireRequest, WireResponse
from ramrole_creds.testing.services.metadata_service import error_page
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.faults.script import Faults
    from ramrole_creds.testing.request_log import RequestLog
    from ramrole_creds.testing.server.http_server import Connection
    from ramrole_creds.testing.services.metadata_service import MetadataService
    from ramrole_creds.testing.services.service import Service

CONTROL_PREFIX = "/_fake/"

# Names under which the cloud answers whatever it is bound to: no web page can make a browser send these.
_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "100.100.100.200"})
_OWN_SUFFIXES = (".localhost", ".127.0.0.1", ".aliyuncs.com", ".aliyun.com", ".alibabacloud.com", ".fcapp.run")
_KEY_IN_HEADER = re.compile(
    r"(?:Credential=|AccessKeyId:|acs |OSS |LOG |MNS |FC |ODPS |DATAHUB |AWS )\s*([A-Za-z0-9][A-Za-z0-9._-]{3,127})"
)


@dataclass(slots=True)
class Gateway:
    """The application of the fake cloud's server.

    Args:
        metadata: answers metadata paths.
        load_services: gives the other endpoints; called at the first request that is not for metadata.
        faults: what goes wrong.
        log: what was asked.
        hosts: names accepted in the Host header beside the cloud's own, in lower case.
        control: answers the control API.
        defects: tracebacks of what went wrong in here.
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
        """The endpoints in the order in which they are asked."""
        with self._lock:
            if self._services is None:
                self._services = self.load_services()
            return self._services

    def __call__(self, request: WireRequest, connection: Connection) -> bool:
        """Answer one request; runs on the thread of its connection. True keeps the connection."""
        if request.path.startswith(CONTROL_PREFIX):
            own = self._is_own_host(request.header("Host"))
            response = self.control(request) if own else error_page(403)
            return connection.respond(response, date=request.at, keep=keeps_alive(request))
        entry = RecordedRequest(request, connection.number, access_key_id=signing_key_id(request))
        self.log.begin(entry)
        try:
            service = self._route(request)
            entry.service = service.name if service is not None else ""
            entry.step = self.metadata.step(request) if service is self.metadata else ""
            return self._answer(entry, connection, service)
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - a thread's exception would go unseen; check() raises it in the test
            self.defects.append(traceback.format_exc())
            return False
        finally:
            self.log.finish(entry)

    def _answer(self, entry: RecordedRequest, connection: Connection, service: Service | None) -> bool:
        request = entry.request
        played = self.faults.match(request, {entry.service, entry.step, entry.action}) if len(self.faults) else NOTHING
        entry.fault = str(played)
        latency = self.faults.latency(played)
        if latency and not connection.sleep(latency):
            return False
        skew = played.total("skew")
        if skew:
            request = replace(request, at=request.at + skew)
        _, date = modify(WireResponse(), played, request.at)

        def answer() -> WireResponse:
            response, _ = modify(self._respond(request, service), played, request.at)
            if request.method == "HEAD":
                return replace(with_header(response, "Content-Length", str(len(response.body))), body=b"")
            return response

        context = FaultContext(connection, entry, answer, date, keeps_alive(request))
        if played.replacement is not None:
            return play(played.replacement, context)
        response = answer()
        # Before the answer is sent: who has it may ask the next at once, and is then asking one at a time.
        self.log.finish(entry)
        return context.respond(response)

    def _respond(self, request: WireRequest, service: Service | None) -> WireResponse:
        if not self._is_own_host(request.header("Host")):
            return error_page(403)
        if service is None:
            return error_page(404)
        try:
            return service.handle(request)
        except ServiceError as refusal:
            return WireResponse(refusal.status, (("Content-Type", "text/plain"),), f"{refusal}\n".encode())
        except Exception:  # noqa: BLE001 - as above
            self.defects.append(traceback.format_exc())
            return WireResponse(500, (("Content-Type", "text/plain"), ("X-Fake-Cloud-Defect", service.name)))

    def _route(self, request: WireRequest) -> Service | None:
        if self.metadata.recognizes(request):
            return self.metadata
        return next((service for service in self.services if service.recognizes(request)), None)

    def _is_own_host(self, host: str | None) -> bool:
        """A request whose Host names somebody else was sent here by a trick on names (DNS rebinding)."""
        if host is None or "*" in self.hosts:
            return True
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        return name in self.hosts or name in _OWN_NAMES or name.endswith(_OWN_SUFFIXES)


def signing_key_id(request: WireRequest) -> str | None:
    """The AccessKey ID that signed a request, wherever its scheme puts it; None for an unsigned request."""
    authorization = request.header("Authorization")
    if authorization:
        found = _KEY_IN_HEADER.search(authorization)
        if found is not None:
            return found.group(1)
    for header in ("x-acs-accesskey-id", "x-ots-accesskeyid"):
        value = request.header(header)
        if value:
            return value
    if "ccess" in request.target or "redential" in request.target or b"AccessKeyId=" in request.body[:4096]:
        for name, value in (*request.query, *request.form):
            if name in {"AccessKeyId", "OSSAccessKeyId", "AWSAccessKeyId"}:
                return value
            if name.lower() in {"x-oss-credential", "x-amz-credential"}:
                return value.partition("/")[0]
    return None
