"""A policy that can be attached, and its versions, of which one is the default: the one that counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds.testing.account.ram_policy import Document

MAX_VERSIONS = 5


class TooManyVersionsError(Exception):
    """The policy has as many versions as RAM keeps."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version, "v1", "v2" …; the number of a deleted one is not used again. Times are Unix times."""

    version_id: str
    document: Document
    created_at: float


@dataclass(eq=False, slots=True)
class Policy:
    """A policy by its name; `kind` is "System" or "Custom", `versions` are by their ids, the oldest first.

    Whoever has it attached is bound by its default version at once.
    """

    name: str
    kind: str = "Custom"
    description: str = ""
    versions: dict[str, PolicyVersion] = field(default_factory=dict)
    default_id: str = ""
    _last_number: int = 0

    @classmethod
    def of(cls, name: str, document: Document, kind: str = "Custom") -> Policy:
        """A policy with one version."""
        policy = cls(name, kind, name if kind == "System" else "")
        policy.add(document)
        return policy

    @property
    def default(self) -> PolicyVersion:
        """The version that counts."""
        return self.versions[self.default_id]

    @property
    def document(self) -> Document:
        """The content of the version that counts."""
        return self.default.document

    def add(self, document: Document, at: float = 0.0, *, default: bool = True, rotate: bool = True) -> PolicyVersion:
        """Add a version, which counts from now on if it is to be the `default`, or the first one.

        With `rotate` the oldest version that does not count makes room where there are too many.

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
