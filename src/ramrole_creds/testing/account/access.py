"""A permission that a call needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """One action on one resource, as RAM policies name them.

    Args:
        action: "oss:GetObject" for instance.
        resource: "acs:oss:oss-cn-hangzhou:1234567890123456:bucket/key" for instance; "*" where the API has none.
    """

    action: str
    resource: str = "*"
