"""How much of what its clients send a service keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_KEPT_BYTES = 64 * 1024 * 1024
ENTRY_BYTES = 512  # what Python needs for an entry besides its texts


class Room:
    """The memory that a service may fill, so that no client fills all of it. The service's lock guards it.

    `kept` gives the sizes of the entries that are kept now; `code` is the error code when the service is full.
    """

    def __init__(
        self, kept: Callable[[], Iterable[int]], code: str = "QuotaExceeded", max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self.max_bytes: int = max_bytes
        self._kept = kept
        self._code = code
        self._taken = 0  # bytes that were stored, perhaps more than there still are

    def take(self, size: int) -> None:
        """Count an entry of that size before it is stored.

        Raises:
            ServiceError: the service is full.
        """
        self._taken += size
        if self._taken > self.max_bytes:  # count again: entries were deleted or replaced
            self._taken = size + sum(self._kept())
        if self._taken > self.max_bytes:
            self._taken -= size
            message = (
                f"The fake cloud keeps at most {self.max_bytes} bytes here. Delete something, or start a new cloud."
            )
            raise ServiceError(self._code, message)


def entry_size(*contents: str | bytes) -> int:
    """The size of an entry that holds these."""
    return ENTRY_BYTES + sum(map(len, contents))
