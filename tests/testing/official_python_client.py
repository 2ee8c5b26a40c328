"""The official Python client, unmodified, as a program of its own: prints what it got, without secrets."""

from __future__ import annotations

import json

from alibabacloud_credentials.client import Client
from alibabacloud_credentials.models import Config

credential = Client(Config(type="ecs_ram_role")).get_credential()
print(json.dumps({"accessKeyId": credential.access_key_id, "tokenCharacters": len(credential.security_token)}))  # noqa: T201 - what the test reads
