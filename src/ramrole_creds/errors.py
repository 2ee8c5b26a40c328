"""Every error this library raises.

Two questions matter to a caller and to the provider chain: *is there nothing here* (`ProviderUnavailable`: move
on to the next source) or *is what is here broken* (`FetchError`: stop and say so). All errors derive from
`RamRoleError`. Messages say what was tried, what came back and what to do next; none ever holds a secret, a token
or an unredacted body.
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
    """An argument, a variable or a setting makes no sense; raised before anything is asked of the network."""


class SigningError(RamRoleError):
    """A request cannot be signed as asked."""


class WaitTimeout(RamRoleError, TimeoutError):
    """The caller's own `timeout` ran out; the fetch it waited for goes on for the others."""


class NoCredentialsError(RamRoleError):
    """No link of a chain had credentials; the message has one line per link."""


class ProviderUnavailable(RamRoleError):
    """This source does not apply here: nothing is configured, or nothing is attached."""


class RoleNotAttached(ProviderUnavailable):
    """The metadata service answers, and says that no RAM role is attached to the instance.

    `attempts` and `elapsed` (seconds) tell what it took to find out.
    """

    attempts: int = 0
    elapsed: float = 0.0


class MetadataUnreachable(ProviderUnavailable):
    """No metadata service answers at the address: not on ECS, blocked, or routed elsewhere.

    `attempts` and `elapsed` (seconds) tell what it took to find out.
    """

    attempts: int = 0
    elapsed: float = 0.0


class FetchError(RamRoleError):
    """The source applies but could not give credentials.

    Args:
        message: what was tried, what came back, what to do next.
        unrecoverable: True where trying again cannot help until somebody changes something (no permission).
        retry_after: seconds that the source asked to be left alone, where it said so.
    """

    def __init__(self, message: str = "", *, unrecoverable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.unrecoverable = unrecoverable
        self.retry_after = retry_after


class FetchTimeout(FetchError, TimeoutError):
    """A fetch did not end within its time limit and was abandoned."""


class IdentityMismatch(FetchError):
    """The source gave credentials of another identity than the one that was expected."""


class MetadataError(FetchError):
    """The metadata service answered something that cannot be used.

    Args:
        step: the step that failed: "token", "role", "credentials" or "item".
        status: HTTP status of the answer, None where there was none.

    `attempts` and `elapsed` (seconds) tell what it took to find out.
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
        self.step = step
        self.status = status


class StsError(FetchError):
    """STS refused or could not answer a call.

    Args:
        code: the service's error code, for instance "NoPermission".
        request_id: the service's request id, for a support ticket.
        status: HTTP status of the answer, None where there was none.
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
        self.code = code
        self.request_id = request_id
        self.status = status


class ProfileError(FetchError):
    """A profile file is there but cannot be used; the message names file and profile, never a value."""


class ProcessError(FetchError):
    """An external credential command failed, timed out or printed something unusable."""


class CredentialsExpired(RamRoleError):
    """The credentials held have expired and no newer ones could be had; `__cause__` says why."""


class LifetimeTooShort(RamRoleError):
    """No credentials live as long as `valid_for` asks.

    Args:
        best: the most seconds of life that the source gave when it was last asked.
    """

    def __init__(self, message: str = "", *, best: float = 0.0) -> None:
        super().__init__(message)
        self.best = best


def describe_error(error: RamRoleError) -> str:
    """What `explain()` tells of a source that would raise this: `broken` where a chain would stop."""
    return str(error) if isinstance(error, (ProviderUnavailable, NoCredentialsError)) else f"broken: {error}"
