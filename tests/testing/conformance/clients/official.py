"""Adapter of alibabacloud-credentials for Python."""

import json
import sys

from alibabacloud_credentials.client import Client
from alibabacloud_credentials.models import Config

client = Client(Config(type="ecs_ram_role"))
for _ in sys.stdin:
    try:
        held = client.get_credential()
        answer = {
            "access_key_id": held.access_key_id,
            "access_key_secret": held.access_key_secret,
            "security_token": held.security_token,
        }
    except Exception as error:  # noqa: BLE001  # it raises errors of many kinds
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)  # noqa: T201  # the protocol
