"""Region ids: the one place that accepts or refuses one."""

from __future__ import annotations

import re

from ramrole_creds.errors import ConfigurationError

MAX_REGION_CHARACTERS = 63  # a region is one label of a host name

_NETWORKS = ("-internal", "-intranet")  # as endpoints of OSS and Simple Log Service have them; no region ends so
_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_SCOPE_REGION = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")

# What the public cloud names: zones, and regions within the names of endpoints. No region id ends as a zone does.
_AREA = "(?:cn|ap|us|eu|me|na|sa|rus)"
_ZONE = re.compile(rf"(?P<region>{_AREA}-[a-z0-9-]*[a-z0-9])-[a-z]|(?P<numbered>{_AREA}-[a-z]+-[0-9])[a-z]")
_IN_ENDPOINT = re.compile(rf"(?:^|[./]|oss-){_AREA}-[a-z0-9]+(?:-[a-z0-9]+)*(?=$|[./:])")
MAX_ENDPOINT_CHARACTERS = 255


def is_region(text: str) -> bool:
    """True if a text has the form of a region id."""
    return len(text) <= MAX_REGION_CHARACTERS and _REGION.fullmatch(text) is not None and not _ZONE.fullmatch(text)


def region_id(region: object, source: str = "region") -> str:
    """The region id in `region`, which becomes a part of host names and of signatures.

    OSS writes its regions with a prefix, and internal endpoints have a suffix: `oss-cn-hongkong`,
    `oss-cn-hongkong-internal`, `vpc100-oss-cn-hongkong` and `cn-hongkong-intranet` mean `cn-hongkong`. Zones and the
    names of endpoints are refused with the region that they contain.

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

    A private cloud may name its region with any word. The names of the public cloud are in lower case.

    Args:
        region: a region id, or the region in the form of OSS.
        source: the argument that it comes from, for the error.

    Raises:
        ConfigurationError: a scope cannot contain it.
    """
    text = _without_oss(region)
    if len(text) > MAX_REGION_CHARACTERS or _SCOPE_REGION.fullmatch(text) is None:
        raise _invalid(region, source)
    if _ZONE.fullmatch(text) or (not text.islower() and _region_within(text)):
        raise _invalid(region, source)
    return text


def written_region(region: object, source: str = "region") -> str:
    """The region as it was written, for a service that accepts `oss-cn-hangzhou` and `cn-hangzhou` in a scope.

    Args:
        region: a region id, or the region in the form of OSS.
        source: the argument that it comes from, for the error.

    Raises:
        ConfigurationError: a scope cannot contain it.
    """
    scope_region(region, source)
    return str(region)


def _without_oss(region: object) -> str:
    text = region if isinstance(region, str) else ""
    if text == "oss" or text.startswith("oss-accelerate"):
        return ""  # transfer acceleration is an endpoint of every region, and not a region
    for suffix in _NETWORKS:
        text = text.removesuffix(suffix)
    return text.removeprefix("vpc100-").removeprefix("oss-")


def _region_within(text: str) -> str:
    """The region that a zone or the name of an endpoint contains; "" if it contains no region."""
    match = _IN_ENDPOINT.search(text[:MAX_ENDPOINT_CHARACTERS].strip().lower())
    if match is None:
        return ""
    found = _without_oss(match.group().lstrip("./"))
    zone = _ZONE.fullmatch(found)
    return found if zone is None else zone["region"] or zone["numbered"]


def _invalid(region: object, source: str) -> ConfigurationError:
    if not isinstance(region, str):
        return ConfigurationError(f'{source} must be a region id, such as "cn-hangzhou", not {type(region).__name__}.')
    within = _region_within(region)
    what = f'{source} must be a region id, such as "cn-hangzhou", not {region[:MAX_REGION_CHARACTERS]!r}.'
    return ConfigurationError(f'{what} Write "{within}".' if within else what)
