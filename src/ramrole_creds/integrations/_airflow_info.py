"""What Airflow asks of a package that brings hooks; it asks while it is being imported, so this imports none of it."""

from __future__ import annotations

from typing import Any

CONNECTION_TYPE = "ramrole"
HOOK_NAME = "Alibaba Cloud RAM role"
HOOK_CLASS = "ramrole_creds.integrations.airflow.RamRoleHook"


def get_provider_info() -> dict[str, Any]:
    """The connection type and the class of its hook."""
    return {
        "package-name": "ramrole-creds",
        "name": HOOK_NAME,
        "description": "Credentials of the RAM role of an instance or a pod, kept fresh.",
        "connection-types": [
            {"connection-type": CONNECTION_TYPE, "hook-class-name": HOOK_CLASS, "hook-name": HOOK_NAME}
        ],
    }
