"""Region ids: the one place that accepts or refuses one."""

from __future__ import annotations

import re

from ramrole_creds.errors import ConfigurationError

MAX_REGION_CHARACTERS = 63  # a region is one label of a host name

_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_SCOPE_REGION = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


def is_region(text: str) -> bool:
    """True if a text has the form of a region id."""
    return len(text) <= MAX_REGION_CHARACTERS and _REGION.fullmatch(text) is not None


def region_id(region: object, source: str = "region") -> str:
    """The region id in `region`, which becomes a part of host names and of signatures.

    OSS writes its regions with a prefix, and those of its internal endpoints with a suffix: `oss-cn-hongkong` and
    `oss-cn-hongkong-internal` mean `cn-hongkong`.

    Args:
        region: a region id, or the region in the form of OSS.
        source: the argument or variable that it comes from, for the error.

    Raises:
        ConfigurationError: it does not have the form of a region id.
    """
    text = _without_oss(region)
    if not is_region(text):
        raise _invalid(region, source)
    return text


def scope_region(region: object, source: str = "region") -> str:
    """The region id in `region`, which becomes a part of the scope of a signature and of nothing else.

    A private cloud may name its region with any word.

    Args:
        region: a region id, or the region in the form of OSS.
        source: the argument that it comes from, for the error.

    Raises:
        ConfigurationError: a scope cannot contain it.
    """
    text = _without_oss(region)
    if len(text) > MAX_REGION_CHARACTERS or _SCOPE_REGION.fullmatch(text) is None:
        raise _invalid(region, source)
    return text


def _without_oss(region: object) -> str:
    text = region if isinstance(region, str) else ""
    return text.removeprefix("oss-").removesuffix("-internal") if text.startswith("oss-") else text


def _invalid(region: object, source: str) -> ConfigurationError:
    shown = type(region).__name__ if not isinstance(region, str) else repr(region[:MAX_REGION_CHARACTERS])
    return ConfigurationError(f'{source} must be a region id, such as "cn-hangzhou", not {shown}.')
