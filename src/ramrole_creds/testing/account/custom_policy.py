"""A custom policy and its versions, of which one is the default: the one that counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]

MAX_VERSIONS = 5


class TooManyVersionsError(Exception):
    """The policy has as many versions as RAM keeps."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a policy.

    Args:
        version_id: "v1", "v2" …; the number of a deleted version is not used again.
        document: its content.
        created_at: Unix time.
    """

    version_id: str
    document: Document
    created_at: float


@dataclass(eq=False, slots=True)
class CustomPolicy:
    """A policy of the account.

    Args:
        name: its name.
        description: free text.
        versions: by their ids, the oldest first.
        default_id: the id of the version that counts.
    """

    name: str
    description: str = ""
    versions: dict[str, PolicyVersion] = field(default_factory=dict)
    default_id: str = ""
    _last_number: int = 0

    @property
    def default(self) -> PolicyVersion:
        """The version that counts."""
        return self.versions[self.default_id]

    @property
    def document(self) -> Document:
        """The content of the version that counts."""
        return self.default.document

    def add(self, document: Document, at: float = 0.0, *, default: bool = True, rotate: bool = True) -> PolicyVersion:
        """Add a version.

        Args:
            document: its content.
            at: Unix time.
            default: whether it counts from now on; the first version does in any case.
            rotate: whether the oldest version that does not count makes room where there are too many.

        Raises:
            TooManyVersionsError: there are five, and `rotate` is false.
        """
        if len(self.versions) >= MAX_VERSIONS:
            if not rotate:
                raise TooManyVersionsError(self.name)
            del self.versions[next(one for one in self.versions if one != self.default_id)]
        self._last_number += 1
        version = PolicyVersion(f"v{self._last_number}", document, at)
        self.versions[version.version_id] = version
        if default or not self.default_id:
            self.default_id = version.version_id
        return version
