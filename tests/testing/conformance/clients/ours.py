"""Adapter of this library."""

import json
import sys

from ramrole_creds import EcsRamRoleProvider, RamRoleError

with EcsRamRoleProvider() as provider:
    for _ in sys.stdin:
        try:
            held = provider.get_credentials()
            answer = {
                "access_key_id": held.access_key_id,
                "access_key_secret": held.access_key_secret,
                "security_token": held.security_token,
            }
        except RamRoleError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201  # the protocol
