"""The variables that decide about credentials, those that nobody reads, and those that look mistyped."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from ramrole_creds._http.transport import safe_url
from ramrole_creds.cli.diagnosis.report import Check
from ramrole_creds.providers.variables import FOREIGN_VARIABLES, OWN_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAIR: Final = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
TOKEN: Final = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105  # a variable's name
URI: Final = "ALIBABA_CLOUD_CREDENTIALS_URI"
TEMPORARY_PREFIX: Final = "STS."
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
FAMILY: Final = ("ALIBABA_CLOUD_", "RAMROLE_CREDS_")
OTHER_FAMILIES: Final = ("ALIBABACLOUD_", "ALICLOUD_", "ALIYUN_", "ALIBABA_")
MATCH_CUTOFF: Final = 0.86

# Their values are names, addresses and switches, and may be shown.
HARMLESS: Final = frozenset(
    {
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED",
        "ALIBABA_CLOUD_CONFIG_FILE",
        "ALIBABA_CLOUD_CREDENTIALS_FILE",
        "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS",
        "ALIBABA_CLOUD_ECS_METADATA",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED",
        "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT",
        "ALIBABA_CLOUD_IGNORE_PROFILE",
        "ALIBABA_CLOUD_IMDSV1_DISABLED",
        "ALIBABA_CLOUD_IMDS_ENDPOINT",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "ALIBABA_CLOUD_PROFILE",
        "ALIBABA_CLOUD_REGION_ID",
        "ALIBABA_CLOUD_ROLE_ARN",
        "ALIBABA_CLOUD_ROLE_SESSION_NAME",
        "ALIBABA_CLOUD_STS_ENDPOINT",
        "ALIBABA_CLOUD_STS_REGION",
        "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED",
        "ALIBABACLOUD_IGNORE_PROFILE",
        "ALIBABACLOUD_REGION_ID",
        "ALICLOUD_REGION_ID",
        "RAMROLE_CREDS_EXPECT_ACCOUNT",
        "RAMROLE_CREDS_EXPECT_ROLE",
        "RAMROLE_CREDS_METADATA_ATTEMPTS",
        "RAMROLE_CREDS_METADATA_ENDPOINT",
        "RAMROLE_CREDS_METADATA_TIMEOUT",
    }
)
SECRET: Final = frozenset(
    {
        *PAIR,
        TOKEN,
        URI,
        "ALIBABA_CLOUD_EXTERNAL_ID",
        "ALIBABACLOUD_EXTERNAL_ID",
        "ALIBABA_CLOUD_BEARER_TOKEN",
    }
)
# Read by others: the aliyun CLI, the SDKs' signing.
READ_ELSEWHERE: Final = frozenset(
    {
        "ALIBABA_CLOUD_BEARER_TOKEN_HEADER_KEY",
        "ALIBABA_CLOUD_CA_BUNDLE",
        "ALIBABA_CLOUD_PROFILE_MODE",
        "ALIBABA_CLOUD_SSO_CLIENT_ID",
    }
)
KNOWN: Final = HARMLESS | SECRET | READ_ELSEWHERE | OWN_VARIABLES


def check_variables(environ: Mapping[str, str]) -> Iterator[Check]:
    """One line about the variables that decide, one about each that is probably a mistake."""
    found = sorted(name for name in environ if name in HARMLESS | SECRET and environ[name])
    details = tuple(f"{name} {_shown(name, environ[name])}" for name in found)
    named = ", ".join(found)
    yield Check(
        "variables", "ok", f"Variables that decide: {named}." if found else "No variable decides here.", details
    )
    for name in sorted(environ):
        if name in KNOWN or not (name in FOREIGN_VARIABLES or name.startswith((*FAMILY, *OTHER_FAMILIES))):
            continue
        ours = FOREIGN_VARIABLES.get(name)
        if ours is None or environ.get(ours) != environ[name]:  # the same for another tool is fine
            yield Check("variables", "warning", _about_unknown(name))


def proxies_of(environ: Mapping[str, str]) -> list[str]:
    """The proxy variables that are set."""
    return sorted(name for name in environ if name.lower() in PROXIES and environ[name])


def stray_character(value: str) -> str:
    """What a value has that no key has ("a line end"), "" where it has nothing of the kind."""
    if "\n" in value or "\r" in value:
        return "a line end"
    if value.strip("\"'") != value:
        return "a quotation mark"
    if any(char.isspace() for char in value):
        return "a blank"
    return "" if value.isascii() and value.isprintable() else "a character that no key has"


def _shown(name: str, value: str) -> str:
    if name in HARMLESS:
        return f"= {value}" if value.isprintable() else "holds a control character"
    return f"= {safe_url(value)}" if name == URI else "is set"


def _about_unknown(name: str) -> str:
    if name in FOREIGN_VARIABLES:
        return f"{name} is set, but this library and the SDKs do not read it: rename it to {FOREIGN_VARIABLES[name]}."
    close = difflib.get_close_matches(name, sorted(KNOWN), n=1, cutoff=MATCH_CUTOFF)
    if close:
        return f"{name} is set, and no program reads it: did you mean {close[0]}?"
    return f"{name} is set: other programs read it, this library and the SDKs do not."
