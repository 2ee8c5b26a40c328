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
FOREIGN_VARIABLES: Final[Mapping[str, str]] = {
    **{f"{family}_ACCESS_KEY_ID": KEY_ID_VARIABLE for family in ("ALIBABACLOUD", "ALICLOUD", "ALIYUN", "OSS")},
    **{f"{family}_ACCESS_KEY_SECRET": SECRET_VARIABLE for family in ("ALIBABACLOUD", "ALICLOUD", "ALIYUN", "OSS")},
    **{f"{family}_SECURITY_TOKEN": TOKEN_VARIABLE for family in ("ALIBABACLOUD", "ALICLOUD", "ALIYUN")},
    **{f"{family}_ACCESS_KEY": KEY_ID_VARIABLE for family in ("ALIBABA_CLOUD", "ALICLOUD")},
    **{f"{family}_SECRET_KEY": SECRET_VARIABLE for family in ("ALIBABA_CLOUD", "ALICLOUD")},
    "OSS_SESSION_TOKEN": TOKEN_VARIABLE,
    **{f"{family}_PROFILE": PROFILE_VARIABLE for family in ("ALIBABACLOUD", "ALICLOUD")},
    **{f"{family}_ROLE_ARN": ROLE_ARN_VARIABLE for family in ("ALIBABACLOUD", "ALICLOUD")},
    **{
        f"{family}_OIDC_{name}": f"ALIBABA_CLOUD_OIDC_{name}"
        for family in ("ALIBABACLOUD", "ALICLOUD")
        for name in ("PROVIDER_ARN", "TOKEN_FILE")
    },
    **{f"{family}_CREDENTIALS_URI": URI_VARIABLE for family in ("ALIBABACLOUD", "ALICLOUD")},
    "ALICLOUD_SHARED_CREDENTIALS_FILE": "ALIBABA_CLOUD_CONFIG_FILE",
}
OWN_PREFIX: Final = "RAMROLE_CREDS_"
OWN_VARIABLES: Final = frozenset(
    f"{OWN_PREFIX}{name}"
    for name in (
        *("METADATA_ENDPOINT", "METADATA_TIMEOUT", "METADATA_ATTEMPTS", "EXPECT_ROLE", "EXPECT_ACCOUNT"),
        *("FAKE_KEY", "TAKEOVER", "TEST_REDIRECT"),
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
    """Log a warning, once for each, of variables that look like ones of this library: a misspelt guard is off."""
    for name in sorted(name for name in environ if name.startswith(OWN_PREFIX)):
        if name in OWN_VARIABLES or name in _warned:
            continue
        import difflib

        _warned.add(name)
        close = difflib.get_close_matches(name, sorted(OWN_VARIABLES), n=1)
        hint = f"did you mean {close[0]}?" if close else f"the variables are {', '.join(sorted(OWN_VARIABLES))}"
        _log.warning("The environment variable %s is set, but has no effect: %s", name, hint)
