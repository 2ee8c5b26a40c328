"""One odd answer, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.fake_cloud import FakeCloud

Outcome = Literal["ok", "refused", "either"]


@dataclass(frozen=True, slots=True)
class HostileAnswer:
    """One odd answer.

    Args:
        id: a short name; members of one family share the part before "/": "token-5xx-twice/503".
        title: what the client meets, in a few words.
        outcome: how a careful client ends.
        faults: the faults that make the answer, as `Faults.load` takes them.
        role: the role of the instance, None for no role.
    """

    id: str
    title: str
    outcome: Outcome
    faults: tuple[Mapping[str, Any], ...]
    role: str | None = "web"

    @property
    def family(self) -> str:
        """The part of the id before "/"."""
        return self.id.partition("/")[0]

    @property
    def where(self) -> str:
        """The step that the first fault strikes: "token", "role", "credentials" or "metadata"."""
        return str(self.faults[0]["where"]) if self.faults else "role"

    def play(self, cloud: FakeCloud) -> None:
        """Let the cloud answer this way from now on."""
        if self.role is None and cloud.instance.attached():
            cloud.detach_role()
        cloud.faults.load([{"label": self.id, **fault} for fault in self.faults])

    def __str__(self) -> str:
        return self.id
