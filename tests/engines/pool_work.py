"""Tasks of pools of processes, which import them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work import Report, work

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider

__all__ = ["Job", "keep", "work", "work_with_kept"]

_kept: list[Any] = []


def keep(provider: CredentialProvider, url: str) -> None:
    """Initialise a worker with a provider."""
    _kept[:] = [provider, url]


def work_with_kept() -> Report:
    """Work with the provider of this worker."""
    provider, url = _kept
    return work(provider, url)


class Job:
    """An object with a provider, whose method is a task.

    Args:
        provider: what the task works with.
    """

    def __init__(self, provider: CredentialProvider) -> None:
        self._provider = provider

    def work(self, url: str) -> Report:
        """Work with the provider."""
        return work(self._provider, url)
