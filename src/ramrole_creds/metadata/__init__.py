"""The instance metadata service."""

from __future__ import annotations

from ramrole_creds.metadata.client import DEFAULT_ENDPOINT, ENDPOINT_VARIABLES, MetadataClient
from ramrole_creds.metadata.token_mode import TokenMode

__all__ = ["DEFAULT_ENDPOINT", "ENDPOINT_VARIABLES", "MetadataClient", "TokenMode"]
