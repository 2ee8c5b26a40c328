"""STS: the calls that return temporary credentials."""

from __future__ import annotations

from ramrole_creds.sts.client import CallerIdentity, StsClient

__all__ = ["CallerIdentity", "StsClient"]
