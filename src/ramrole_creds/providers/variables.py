"""Environment variables that several providers read, and the names under which other tools read the same."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY_ID_VARIABLE: Final = "ALIBABA_CLOUD_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105  # the name of a variable
TOKEN_VARIABLE: Final = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105  # the name of a variable
PROFILE_VARIABLE: Final = "ALIBABA_CLOUD_PROFILE"
ROLE_ARN_VARIABLE: Final = "ALIBABA_CLOUD_ROLE_ARN"
SESSION_NAME_VARIABLE: Final = "ALIBABA_CLOUD_ROLE_SESSION_NAME"
URI_VARIABLE: Final = "ALIBABA_CLOUD_CREDENTIALS_URI"

# What the aliyun CLI, Terraform, ossutil and older SDKs read, and what has the same meaning here. A program that
# changes its library must not change its identity, so these are not read, but errors and `explain()` name them.
_FOREIGN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    KEY_ID_VARIABLE: (
        "ALIBABACLOUD_ACCESS_KEY_ID",
        "ALICLOUD_ACCESS_KEY_ID",
        "ALIYUN_ACCESS_KEY_ID",
        "OSS_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY",
        "ALICLOUD_ACCESS_KEY",
        "ALIBABA_CLOUD_ACCESSKEY_ID",
    ),
    SECRET_VARIABLE: (
        "ALIBABA_CLOUD_SECRET_ACCESS_KEY",
        "ALIBABACLOUD_ACCESS_KEY_SECRET",
        "ALICLOUD_ACCESS_KEY_SECRET",
        "ALIYUN_ACCESS_KEY_SECRET",
        "OSS_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_SECRET_KEY",
        "ALICLOUD_SECRET_KEY",
        "ALIBABA_CLOUD_ACCESSKEY_SECRET",
    ),
    TOKEN_VARIABLE: (
        "ALIBABACLOUD_SECURITY_TOKEN",
        "ALICLOUD_SECURITY_TOKEN",
        "ALIYUN_SECURITY_TOKEN",
        "OSS_SESSION_TOKEN",
        "ALIBABA_CLOUD_SESSION_TOKEN",
        "ALIBABA_CLOUD_STS_TOKEN",
    ),
    PROFILE_VARIABLE: ("ALIBABACLOUD_PROFILE", "ALICLOUD_PROFILE"),
    ROLE_ARN_VARIABLE: ("ALIBABACLOUD_ROLE_ARN", "ALICLOUD_ROLE_ARN"),
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": ("ALIBABACLOUD_OIDC_PROVIDER_ARN", "ALICLOUD_OIDC_PROVIDER_ARN"),
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": ("ALIBABACLOUD_OIDC_TOKEN_FILE", "ALICLOUD_OIDC_TOKEN_FILE"),
    URI_VARIABLE: ("ALIBABACLOUD_CREDENTIALS_URI", "ALICLOUD_CREDENTIALS_URI"),
    "ALIBABA_CLOUD_STS_ENDPOINT": ("ALIBABACLOUD_STS_ENDPOINT", "ALICLOUD_STS_ENDPOINT"),
    "ALIBABA_CLOUD_CONFIG_FILE": ("ALICLOUD_SHARED_CREDENTIALS_FILE",),
}
FOREIGN_VARIABLES: Final[Mapping[str, str]] = {name: ours for ours, names in _FOREIGN_NAMES.items() for name in names}
OWN_PREFIX: Final = "RAMROLE_CREDS_"
OWN_VARIABLES: Final = frozenset(
    f"{OWN_PREFIX}{name}"
    for name in (
        *("METADATA_ENDPOINT", "METADATA_TIMEOUT", "METADATA_ATTEMPTS", "EXPECT_ROLE", "EXPECT_ACCOUNT"),
        *("FAKE_KEY", "FAKE_URL", "TAKEOVER", "TEST_REDIRECT"),
    )
)

_log = logging.getLogger(__name__)
_warned: set[str] = set()


def env_flag(variable: str) -> bool:
    """A boolean variable as the official SDKs read it: only the word "true" counts, in any case."""
    return os.environ.get(variable, "").strip().lower() == "true"


def argument_or_variable(value: str | None, *variables: str) -> str | None:
    """The argument, else the first variable that is not empty, else None."""
    return value or next((text for name in variables if (text := os.environ.get(name))), None)


def rename_hint(*variables: str) -> str:
    """Says which variables of other tools are set in place of these, as sentences after a text; "" if none is."""
    return "".join(
        f" {name} is set, but this library does not read it: rename it to {ours}."
        for name, ours in FOREIGN_VARIABLES.items()
        if ours in variables and os.environ.get(name) and not os.environ.get(ours)
    )


def warn_of_misspelt_variables(environ: Iterable[str] = os.environ) -> None:
    """Log a warning, once for each, of variables that look like ones of this library: a misspelt guard is off.

    Case and underscores do not count: `RAM_ROLE_CREDS_EXPECT_ROLE` looks like one too.
    """
    for name in sorted(name for name in environ if _letters(name).startswith(_OWN_LETTERS)):
        if name in OWN_VARIABLES or name in _warned:
            continue
        import difflib

        _warned.add(name)
        own = {_letters(each).removeprefix(_OWN_LETTERS): each for each in OWN_VARIABLES}
        close = difflib.get_close_matches(_letters(name).removeprefix(_OWN_LETTERS), sorted(own), n=1)
        hint = f"did you mean {own[close[0]]}?" if close else f"the variables are {', '.join(sorted(OWN_VARIABLES))}"
        _log.warning("The environment variable %s is set, but has no effect: %s", name, hint)


def _letters(name: str) -> str:
    return name.upper().replace("_", "")


_OWN_LETTERS = _letters(OWN_PREFIX)
