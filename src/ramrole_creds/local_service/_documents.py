"""Credentials as the JSON document that the SDKs of all languages read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ramrole_creds.errors import ProviderUnavailable

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials

UNKNOWN_LIFE_SECONDS = 900
"""The life that the document states if the end of a token is not known: the client then asks again in time."""
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"  # the only one that every official SDK reads


class LongTermKey(ProviderUnavailable):
    """The provider holds a long-term key, which this service does not serve."""


def credential_document(credentials: Credentials, now: float) -> bytes:
    """The document.

    Args:
        credentials: what the provider gave.
        now: Unix seconds.

    Raises:
        LongTermKey: they have no security token. A key that never ends must not leave its program.
    """
    if credentials.security_token is None:
        raise LongTermKey(
            f"{credentials.provider_name or 'The provider'} holds a long-term key, which this service does not "
            "serve. Run it where a role is attached, or give it a role to assume."
        )
    moment = datetime.fromtimestamp(now, timezone.utc)
    expiration = credentials.expiration or moment + timedelta(seconds=UNKNOWN_LIFE_SECONDS)
    document = {
        "AccessKeyId": credentials.access_key_id,
        "AccessKeySecret": credentials.access_key_secret,
        "SecurityToken": credentials.security_token,
        "Expiration": expiration.strftime(TIME_FORMAT),
        "LastUpdated": moment.strftime(TIME_FORMAT),
        "Code": "Success",
    }
    return json.dumps(document, indent=2).encode("ascii")


def role_name_of(credentials: Credentials) -> str:
    """The role's name for the listing of the metadata protocol."""
    identity = credentials.identity or "default"
    return identity.rpartition(":")[2].removeprefix("assumed-role/").removeprefix("role/").partition("/")[0]
