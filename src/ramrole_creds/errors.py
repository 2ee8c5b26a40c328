"""Every error this library raises.

A caller and the provider chain need to know one thing: is the source *not here* (`ProviderUnavailable`: ask the next
source) or is it *here but broken* (`FetchError`: stop and report it). All errors derive from `RamRoleError`. Messages
say what was tried, what came back and what to do next. They never contain a secret, a token or an unredacted body.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar, Final

from ramrole_creds._signatures import ConstructorSignature

if TYPE_CHECKING:
    from typing_extensions import Self

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


BROKEN: Final = "broken: "
REFERENCE: Final = " (docs: troubleshooting.html#"
_GENERAL = "fetcherror"


class RamRoleError(Exception):
    """Base class of all errors of this library.

    The text of an error that this library itself raises ends with the section of the page on troubleshooting that
    describes it; `message` is the text without it. A text that your own provider raises is left as it is.
    """

    __signature__: ClassVar[ConstructorSignature] = ConstructorSignature()
    _section: ClassVar[str] = "ramroleerror"
    _ours: bool = False

    def __new__(cls, *args: object, **_: object) -> Self:
        error = super().__new__(cls, *args)
        if str(sys._getframe(1).f_globals.get("__name__")).startswith("ramrole_creds."):  # noqa: SLF001  # who raises it
            error._ours = True  # in its __dict__, so that a pickle carries it
        return error

    @property
    def message(self) -> str:
        """The text without the reference to the documentation."""
        return _split(super().__str__())[0]

    def __str__(self) -> str:
        if not self._ours:
            return super().__str__()
        text, quoted = _split(super().__str__())
        # A general text that quotes a specific error leads where the specific one leads.
        section = quoted[-1] if quoted and self._section == _GENERAL else self.section
        return text + reference(section) if text else ""

    @property
    def section(self) -> str:
        """The section of the page on troubleshooting that describes it."""
        return self._section


def message_of(error: BaseException | None) -> str:
    """The text of any exception, without the reference to the documentation; empty for None."""
    if isinstance(error, RamRoleError):
        return error.message
    return "" if error is None else str(error)


def on_one_line(value: object) -> str:
    """The text of a value for a line of a log: without line breaks, control characters and halves of characters."""
    text = " ".join(line.strip() for line in str(value).splitlines() if line.strip())
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def cannot_be_pickled(text: str) -> TypeError:
    """The error for pickling what holds secrets."""
    return TypeError(text + reference("cannot-be-pickled"))


def install_command(extra: str) -> str:
    """The command that installs an extra of this package; it has no address on an index yet."""
    return f"in a checkout of ramrole-creds, pip install '.[{extra}]'"


def reference(section: str) -> str:
    """What the last line of an error text ends with: where the page on troubleshooting describes it."""
    return f"{REFERENCE}{section})"


def _split(text: str) -> tuple[str, list[str]]:
    """A text without references, and the sections that it referred to: texts of errors quote those of others."""
    text, *quoted = text.split(REFERENCE)
    sections = []
    for part in quoted:
        section, _, rest = part.partition(")")
        sections.append(section)
        text += rest
    return text, sections


class ConfigurationError(RamRoleError, ValueError):
    """An argument, a variable or a setting is not valid; raised before any network call."""

    _section = "configurationerror"


class SigningError(RamRoleError):
    """The request cannot be signed."""

    _section = "signingerror"


class WaitTimeout(RamRoleError, TimeoutError):
    """The caller's own `timeout` ended. The fetch that it waited for continues for the other callers."""

    _section = "waittimeout"


class NoCredentialsError(RamRoleError):
    """No provider of a chain had credentials; the message has one line per provider."""

    _section = "nocredentialserror"


class ProviderUnavailable(RamRoleError):
    """The source does not apply here: nothing is configured, or nothing is attached."""

    _section = "providerunavailable"


class RoleNotAttached(ProviderUnavailable):
    """The metadata service answers that no RAM role is attached to the instance."""

    _section = "rolenotattached"

    attempts: int = 0
    """How many requests were sent."""

    elapsed: float = 0.0
    """Seconds from the first request to the error."""


class MetadataUnreachable(ProviderUnavailable):
    """No metadata service answers at the address: not on ECS, blocked, or routed elsewhere."""

    _section = "metadataunreachable"

    attempts: int = 0
    """How many requests were sent."""

    elapsed: float = 0.0
    """Seconds from the first request to the error."""


class FetchError(RamRoleError):
    """The source applies, but it did not return credentials.

    Args:
        message: what was tried, what came back, what to do next.
        unrecoverable: True if trying again cannot help until somebody changes something, for instance a permission.
        retry_after: seconds to wait before the next attempt, if the source named them.
    """

    _section = _GENERAL

    def __init__(self, message: str = "", *, unrecoverable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.unrecoverable: bool = unrecoverable
        self.retry_after: float | None = retry_after


class FetchTimeout(FetchError, TimeoutError):
    """A fetch did not end within its time limit and was abandoned."""

    _section = "fetchtimeout"

    hanging: int = 0
    """How many abandoned fetches of this source, this one included, have not returned."""


class IdentityMismatch(FetchError):
    """The source returned credentials of an identity other than the expected one."""

    _section = "identitymismatch"


class MetadataError(FetchError):
    """The answer of the metadata service cannot be used.

    Args:
        step: the step that failed: "token", "role", "credentials" or "item".
        status: HTTP status of the answer, None if there was no answer.
    """

    _section = "metadataerror"

    attempts: int = 0
    """How many requests were sent."""

    elapsed: float = 0.0
    """Seconds from the first request to the error."""

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

    @property
    def section(self) -> str:
        """The section of the page on troubleshooting that describes it."""
        status = self.status
        if status is None:
            return "metadataerror-no-answer"
        if 300 <= status < 400 or status == 407:
            return "metadataerror-proxy"
        if status == 429 or (status >= 500 and status != 501):
            return "metadataerror-overloaded"
        if status in (401, 403) and self.step != "token":
            return "metadataerror-refused"
        return f"metadataerror-{self.step}" if self.step in {"token", "role", "credentials", "item"} else self._section


_STS_SECTIONS = {
    "AuthenticationFail.OIDCToken": "stserror-oidc-token",
    "AuthenticationFail.NoPermission": "stserror-role",
    "EntityNotExist.Role": "stserror-role",
    "ImplicitDeny": "stserror-role",
    "NoPermission": "stserror-role",
    "InvalidAccessKeyId": "stserror-source",
    "InvalidSecurityToken": "stserror-source",
    "MissingSecurityToken": "stserror-source",
    "SignatureDoesNotMatch": "stserror-source",
    "InvalidParameter": "stserror-argument",
    "InvalidTimeStamp": "stserror-clock",
    "Throttling": "stserror-throttled",
}
"""By the start of the error code, the section of the page on troubleshooting."""


class StsError(FetchError):
    """STS refused a call or did not answer it.

    Args:
        code: the service's error code, for instance "NoPermission".
        request_id: the service's request ID, for a support ticket.
        status: HTTP status of the answer, None if there was no answer.
    """

    _section = "stserror"

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

    @property
    def section(self) -> str:
        """The section of the page on troubleshooting that describes it."""
        if self.status is None or not self.code:  # an answer without a code is not one of STS
            return "stserror-no-answer"
        return next((section for start, section in _STS_SECTIONS.items() if self.code.startswith(start)), self._section)


class ProfileError(FetchError):
    """A profile file exists but cannot be used; the message names file and profile, never a value."""

    _section = "profileerror"


class ProcessError(FetchError):
    """A credential command failed, did not end in time, or its output cannot be used."""

    _section = "processerror"


class CredentialsExpired(RamRoleError):
    """The held credentials have expired and there are no newer ones; `__cause__` says why."""

    _section = "credentialsexpired"


class LifetimeTooShort(RamRoleError):
    """No credentials are valid for as long as `valid_for` requests.

    Args:
        available: the longest validity in seconds that the source can provide now.
    """

    _section = "lifetimetooshort"

    def __init__(self, message: str = "", *, available: float = 0.0) -> None:
        super().__init__(message)
        self.available: float = available


def describe_error(error: RamRoleError) -> str:
    """What `explain()` says about a source that raises this error: `broken` if a chain stops at it."""
    return error.message if isinstance(error, (ProviderUnavailable, NoCredentialsError)) else BROKEN + error.message
