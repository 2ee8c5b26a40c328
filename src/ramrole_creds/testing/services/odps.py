"""MaxCompute: enough of its REST interface for a client to start and to list things, of which there are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import error_content, json_response, xml_response
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.verify.error_catalogs import ODPS

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.verify import Rejected

ENDPOINT_PATH = "/api"
# The collections below a project, with the elements of an empty listing.
_COLLECTIONS = {
    "tables": "Tables",
    "instances": "Instances",
    "resources": "Resources",
    "registration/functions": "Functions",
    "volumes": "Volumes",
}


class OdpsService(SignedService):
    """One MaxCompute, at the path `/api`."""

    name = "odps"
    catalog = ODPS
    request_id_form = "hex"
    product = "odps"
    request_id_header = "x-odps-request-id"

    def looks_familiar(self, request: WireRequest) -> bool:
        """By its token header, or by the path."""
        return request.header("authorization-sts-token") is not None or request.path.startswith(ENDPOINT_PATH + "/")

    def permission(self, call: SignedCall) -> tuple[str, str]:
        """Reading or writing a project.

        Assumed: MaxCompute judges data by its own grants, of which the fake cloud has none. `odps:Read` and
        `odps:Write` on `projects/<name>` stand for them.
        """
        return "Read" if call.method in ("GET", "HEAD") else "Write", f"projects/{_project(call)[0]}"

    def answer(self, call: SignedCall) -> WireResponse:
        """What a client asks at its start, and empty listings."""
        path = call.path.removeprefix(ENDPOINT_PATH)
        project, below = _project(call)
        if path == "/logview/host":
            return WireResponse(200, (("Content-Type", "text/plain"),), b"http://logview.example.invalid")
        if path == "/tenants":
            return json_response({"Name": "fake-tenant", "Parameters": {"odps.namespace.schema": "false"}})
        if path == "/projects":
            return xml_response("Projects", {"Marker": "", "MaxItems": 0})
        if below.startswith("instances") and (call.method == "POST" or "/" in below):
            return _instance(call, project)
        if below in _COLLECTIONS:
            return xml_response(_COLLECTIONS[below], {"Marker": "", "MaxItems": 0})
        if project != "*" and not below:
            return xml_response("Project", {"Name": project, "Owner": "ALIYUN$fake", "State": "AVAILABLE"})
        message = f"The requested resource was not found. [Resource: {path}]"
        raise ServiceError("NoSuchObject", message, 404)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """A document in XML."""
        return xml_response("Error", error_content(request, request_id, refused), status=refused.status)


def _instance(call: SignedCall, project: str) -> WireResponse:
    """A job: a new one is named by `Location`; every job has ended, and its result is empty."""
    if call.method == "POST":
        instance = f"fake{call.request_id[:24]}"
        location = f"http://{call.host}{ENDPOINT_PATH}/projects/{quote(project, safe='')}/instances/{instance}"
        return WireResponse(201, (("Location", location),))
    task: dict[str, Node] = {"Name": "AnonymousSQLTask", "Status": "Success"}
    if "result" in call.query:
        task = {"Name": "AnonymousSQLTask", 'Result Format="text"': ""}
    content: dict[str, Node] = {"Status": "Terminated", "Tasks": {'Task Type="SQL"': task}}
    return xml_response("Instance", content)


def _project(call: SignedCall) -> tuple[str, str]:
    """The project, or "*", and the path below it."""
    match = re.fullmatch(r"/projects/([^/]+)(?:/(.*))?", call.path.removeprefix(ENDPOINT_PATH))
    return (match[1], match[2] or "") if match else ("*", "")
