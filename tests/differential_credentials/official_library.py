"""Asks the official library for credentials, in a process of its own: it reads the environment when it is imported.

    python official_library.py CA_FILE KIND ARGUMENTS

KIND is a class of its providers; ARGUMENTS are the keyword arguments as JSON. Prints the triple as JSON.
"""

from __future__ import annotations

import json
import sys

import certifi

CA_FILE, KIND, ARGUMENTS = sys.argv[1:]
certifi.where = lambda: CA_FILE  # the library gives requests no bundle, and so the one of certifi is used

from alibabacloud_credentials import provider as official  # noqa: E402 - after the bundle is set

arguments = json.loads(ARGUMENTS)
if "inner" in arguments:
    arguments["credentials_provider"] = official.StaticAKCredentialsProvider(**arguments.pop("inner"))
made = getattr(official, KIND)(**arguments)
got = made.get_credentials()
triple = [got.get_access_key_id(), got.get_access_key_secret(), got.get_security_token()]
print(json.dumps({"triple": triple, "name": got.get_provider_name()}))  # noqa: T201 - what the test reads
