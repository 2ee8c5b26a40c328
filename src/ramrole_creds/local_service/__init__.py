"""Credentials for the other programs of this host, in any language: a small HTTP service on loopback.

    with LocalService(default_provider()) as service:
        subprocess.run(command, env={**os.environ, "ALIBABA_CLOUD_CREDENTIALS_URI": service.uri})

One provider fetches for all. The service speaks the credentials-URI protocol of the official SDKs and, where it is
asked to, the metadata protocol in security-hardened mode. Needs the extra `serve`.
"""

from __future__ import annotations

from ramrole_creds.local_service._clients import Client, ClientRules, parse_rule
from ramrole_creds.local_service._history import History
from ramrole_creds.local_service._limits import ServiceLimits
from ramrole_creds.local_service._service import LocalService

__all__ = ["Client", "ClientRules", "History", "LocalService", "ServiceLimits", "parse_rule"]
