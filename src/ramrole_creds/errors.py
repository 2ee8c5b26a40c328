"""Every error this library raises.

A caller and the provider chain need to know one thing: is the source *not here* (`ProviderUnavailable`: ask the next
source) or is it *here but broken* (`FetchError`: stop and report it). All errors derive from `RamRoleError`. Messages
say what was tried, what came back and what to do next. They never contain a secret, a token or an unredacted body.
"""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "CredentialsExpired",
    "FetchError",
    "FetchTimeout",
    "IdentityMismatch",
    "LifetimeTooShort",
    "MetadataError",
    "MetadataUnreachable",
    "NoCredentialsError",
    "ProcessError",
    "ProfileError",
    "ProviderUnavailable",
    "RamRoleError",
    "RoleNotAttached",
    "SigningError",
    "StsError",
    "WaitTimeout",
]


class RamRoleError(Exception):
    """Base class of all errors of this library."""


class ConfigurationError(RamRoleError, ValueError):
    """An argument, a variable or a setting is not valid; raised before any network call."""


class SigningError(RamRoleError):
    """The request cannot be signed."""


class WaitTimeout(RamRoleError, TimeoutError):
    """The caller's own `timeout` ended. The fetch that it waited for continues for the other callers."""


class NoCredentialsError(RamRoleError):
    """No provider of a chain had credentials; the message has one line per provider."""


class ProviderUnavailable(RamRoleError):
    """The source does not apply here: nothing is configured, or nothing is attached."""


class RoleNotAttached(ProviderUnavailable):
    """The metadata service answers that no RAM role is attached to the instance.

    `attempts` and `elapsed` (seconds) say how many requests were sent and how long they took.
    """

    attempts: int = 0
    elapsed: float = 0.0


class MetadataUnreachable(ProviderUnavailable):
    """No metadata service answers at the address: not on ECS, blocked, or routed elsewhere.

    `attempts` and `elapsed` (seconds) say how many requests were sent and how long they took.
    """

    attempts: int = 0
    elapsed: float = 0.0


class FetchError(RamRoleError):
    """The source applies, but it did not return credentials.

    Args:
        message: what was tried, what came back, what to do next.
        unrecoverable: True if trying again cannot help until somebody changes something, for instance a permission.
        retry_after: seconds to wait before the next attempt, if the source named them.
    """

    def __init__(self, message: str = "", *, unrecoverable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.unrecoverable: bool = unrecoverable
        self.retry_after: float | None = retry_after


class FetchTimeout(FetchError, TimeoutError):
    """A fetch did not end within its time limit and was abandoned.

    `hanging` is how many abandoned fetches of this source, this one included, have not returned.
    """

    hanging: int = 0


class IdentityMismatch(FetchError):
    """The source returned credentials of an identity other than the expected one."""


class MetadataError(FetchError):
    """The answer of the metadata service cannot be used.

    Args:
        step: the step that failed: "token", "role", "credentials" or "item".
        status: HTTP status of the answer, None if there was no answer.

    `attempts` and `elapsed` (seconds) say how many requests were sent and how long they took.
    """

    attempts: int = 0
    elapsed: float = 0.0

    def __init__(
        self,
        message: str = "",
        *,
        step: str = "",
        status: int | None = None,
        unrecoverable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, unrecoverable=unrecoverable, retry_after=retry_after)
        self.step: str = step
        self.status: int | None = status


class StsError(FetchError):
    """STS refused a call or did not answer it.

    Args:
        code: the service's error code, for instance "NoPermission".
        request_id: the service's request id, for a support ticket.
        status: HTTP status of the answer, None if there was no answer.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        request_id: str = "",
        status: int | None = None,
        unrecoverable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, unrecoverable=unrecoverable, retry_after=retry_after)
        self.code: str = code
        self.request_id: str = request_id
        self.status: int | None = status


class ProfileError(FetchError):
    """A profile file exists but cannot be used; the message names file and profile, never a value."""


class ProcessError(FetchError):
    """A credential command failed, did not end in time, or its output cannot be used."""


class CredentialsExpired(RamRoleError):
    """The held credentials have expired and there are no newer ones; `__cause__` says why."""


class LifetimeTooShort(RamRoleError):
    """No credentials are valid for as long as `valid_for` requests.

    Args:
        available: the longest validity in seconds that the source can provide now.
    """

    def __init__(self, message: str = "", *, available: float = 0.0) -> None:
        super().__init__(message)
        self.available: float = available


def describe_error(error: RamRoleError) -> str:
    """What `explain()` says about a source that raises this error: `broken` if a chain stops at it."""
    return str(error) if isinstance(error, (ProviderUnavailable, NoCredentialsError)) else f"broken: {error}"
