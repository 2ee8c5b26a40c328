"""One set of credentials: an immutable snapshot of one fetch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, NoReturn, TypedDict, TypeVar

from ramrole_creds._sdk_names import SdkCredentialsMixin
from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.errors import ConfigurationError, cannot_be_pickled

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

SHOWN_HEAD_CHARACTERS: Final = 8
SHOWN_TAIL_CHARACTERS: Final = 4

ValueT = TypeVar("ValueT")


if TYPE_CHECKING:
    hidden_property = property
else:

    class hidden_property:  # noqa: N801  # as `property`
        """A `property` that is not found by tools which write out all properties of a class."""

        def __init__(self, read: Callable[[object], object]) -> None:
            self.__doc__ = read.__doc__
            self.fget = read

        def __get__(self, instance: object, owner: type | None = None) -> object:
            return self if instance is None else self.fget(instance)

        def __set__(self, instance: object, value: object) -> NoReturn:
            del value  # the traceback shows this frame
            raise AttributeError(f"{self.fget.__name__!r} of {type(instance).__name__} cannot be set.")


class CredentialsFields(TypedDict, total=False):
    """The fields of `Credentials`, as `Credentials.replace` takes them."""

    access_key_id: str
    access_key_secret: str
    security_token: str | None
    expiration: datetime | None
    provider_name: str
    identity: str | None


class Credentials(SdkCredentialsMixin):
    """An AccessKey pair, with its security token if it is temporary.

    ID, secret and token are always of one fetch. `repr`, `str`, logging and tracebacks show neither the secret nor
    the token, and no serializer finds them: they are not fields, only their properties and getters return them. A
    copy is the object itself. Pickling raises TypeError: pickle the provider, which carries no secrets.

    Args:
        access_key_id: the AccessKey ID; temporary ones begin with "STS.".
        access_key_secret: the secret that signs.
        security_token: the STS token, None for a long-term key; an empty one counts as None.
        expiration: aware datetime, kept in UTC. None means "never" for a long-term key and "unknown" for credentials
            with a security token.
        provider_name: the source, as the official SDKs spell it ("ecs_ram_role", "default/env" …).
        identity: role name or ARN, if the provider knows it.

    Raises:
        ConfigurationError: an empty or unprintable key, secret or token, or an expiration without a time zone.
    """

    __slots__ = ("_access_key_id", "_expiration", "_identity", "_provider_name", "_secrets")

    _access_key_id: str
    _secrets: Callable[[], tuple[str, str | None]]
    _expiration: datetime | None
    _provider_name: str
    _identity: str | None

    def __init__(
        self,
        access_key_id: str,
        access_key_secret: str,
        security_token: str | None = None,
        expiration: datetime | None = None,
        provider_name: str = "",
        identity: str | None = None,
    ) -> None:
        complaint = (
            _text_complaint("access_key_id", access_key_id)
            or _text_complaint("access_key_secret", access_key_secret)
            or (_text_complaint("security_token", security_token) if security_token not in (None, "") else "")
            or (_expiration_complaint(expiration) if expiration is not None else "")
        )
        if complaint:
            # A traceback may show the variables of this frame, and each may be a secret in the wrong place.
            access_key_id = access_key_secret = security_token = provider_name = identity = ""
            expiration = None
            raise ConfigurationError(complaint)
        _set_access_key_id(self, access_key_id)
        _set_secrets(self, sealed((access_key_secret, security_token or None)))
        _set_expiration(self, None if expiration is None else expiration.astimezone(timezone.utc))
        _set_provider_name(self, provider_name)
        _set_identity(self, identity)

    @property
    def access_key_id(self) -> str:
        """The AccessKey ID."""
        return self._access_key_id

    @hidden_property
    def access_key_secret(self) -> str:
        """The secret that signs."""
        return self._secrets()[0]

    @hidden_property
    def security_token(self) -> str | None:
        """The STS token, None for a long-term key."""
        return self._secrets()[1]

    @property
    def expiration(self) -> datetime | None:
        """When they expire, in UTC. None means "never" for a long-term key, else "unknown"."""
        return self._expiration

    @property
    def provider_name(self) -> str:
        """The source, as the official SDKs spell it."""
        return self._provider_name

    @property
    def identity(self) -> str | None:
        """Role name or ARN, if the provider knows it."""
        return self._identity

    def is_expired(self) -> bool:
        """True when `expiration` has passed by the local wall clock; a provider's cache uses a better one."""
        return self._expiration is not None and self._expiration.timestamp() <= DEFAULT_CLOCK.time()

    def replace(self, **changes: Unpack[CredentialsFields]) -> Credentials:
        """The same credentials with some fields changed.

        Args:
            changes: new values, by field name.

        Raises:
            ConfigurationError: a new value is not valid.
        """
        values = self._fields()
        values.update(changes)
        try:
            return Credentials(**values)
        finally:
            changes, values = {}, {}  # a traceback may show the variables of this frame

    def __repr__(self) -> str:
        if not hasattr(self, "_identity"):  # a traceback shows it before the constructor has filled it
            return "<Credentials without values>"
        parts = [f"access_key_id={shorten_id(self._access_key_id)!r}"]
        if self._provider_name:
            parts.append(f"provider_name={self._provider_name!r}")
        if self._identity:
            parts.append(f"identity={self._identity!r}")
        parts.append(_describe_expiration(self))
        return f"Credentials({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((self._access_key_id, self._secrets(), self._expiration, self._provider_name, self._identity))

    if not TYPE_CHECKING:  # a type checker must go on to refuse unknown attributes

        def __setattr__(self, name: str, value: object) -> NoReturn:
            del value  # the traceback shows this frame
            raise AttributeError(f"Credentials are immutable: {name!r} cannot be set. Use replace({name}=…).")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Credentials are immutable: {name!r} cannot be deleted.")

    def __dir__(self) -> list[str]:
        """All names but those that return secrets, since some tools print every attribute that `dir` lists."""
        return [name for name in super().__dir__() if "secret" not in name and "token" not in name]

    def __copy__(self) -> Credentials:
        return self

    def __deepcopy__(self, memo: object) -> Credentials:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise cannot_be_pickled(
            "Credentials cannot be pickled: the secret would go to other processes, queues and files. "
            "Pickle the provider instead: it carries only its configuration and fetches where it is unpickled."
        )

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(2)

    def __json__(self, *_: object) -> NoReturn:
        """What Celery's messages, among others, ask an object for."""
        raise cannot_be_pickled(
            "Credentials cannot be sent as JSON: the secret would go to other processes, queues and files. "
            "Make a provider where the task runs, at module level: it fetches there."
        )

    def _fields(self) -> CredentialsFields:
        return {
            "access_key_id": self.access_key_id,
            "access_key_secret": self.access_key_secret,
            "security_token": self.security_token,
            "expiration": self.expiration,
            "provider_name": self.provider_name,
            "identity": self.identity,
        }


# The setters of the slots, past the refusal of __setattr__; only the constructor uses them.
_set_access_key_id = Credentials.__dict__["_access_key_id"].__set__
_set_secrets = Credentials.__dict__["_secrets"].__set__
_set_expiration = Credentials.__dict__["_expiration"].__set__
_set_provider_name = Credentials.__dict__["_provider_name"].__set__
_set_identity = Credentials.__dict__["_identity"].__set__


def sealed(value: ValueT) -> Callable[[], ValueT]:
    """A function that returns `value`: serializers, debuggers and `repr` show a function, not what it holds."""
    return lambda: value


def same_keys(one: Credentials, other: Credentials) -> bool:
    """True if ID, secret and token are the same, whatever their expiration and identity."""
    return (one.access_key_id, one.access_key_secret, one.security_token) == (
        other.access_key_id,
        other.access_key_secret,
        other.security_token,
    )


def shorten_id(access_key_id: str) -> str:
    """The AccessKey ID as it may be shown: its first 8 and last 4 characters, enough to find it in an audit log."""
    if len(access_key_id) <= SHOWN_HEAD_CHARACTERS + SHOWN_TAIL_CHARACTERS:
        return access_key_id
    return f"{access_key_id[:SHOWN_HEAD_CHARACTERS]}…{access_key_id[-SHOWN_TAIL_CHARACTERS:]}"


def shown_identity(credentials: Credentials) -> str:
    """Role name or ARN, or the shortened AccessKey ID if neither is known."""
    return credentials.identity or shorten_id(credentials.access_key_id)


def _text_complaint(field: str, value: object) -> str:
    """What is wrong with a key, a secret or a token, without a character of it; "" if nothing is."""
    if not isinstance(value, str):
        return f"{field} must be a non-empty string, not {type(value).__name__}."
    if not value:
        return f"{field} is empty. Pass the value that the console or the service gave you."
    if "\n" in value or "\r" in value:
        return (
            f"{field} contains a line break. Keys and tokens are one line. Check where it was copied from, for "
            "instance a wrapped terminal line or a file that ends with a line break."
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        return (
            f"{field} contains whitespace, a control character or a non-ASCII character, which a key or token never "
            "does. Look for a stray blank or quotation mark where it was copied from."
        )
    return ""


def _expiration_complaint(expiration: object) -> str:
    if not isinstance(expiration, datetime):
        return f"expiration must be a datetime or None, not {type(expiration).__name__}."
    if expiration.tzinfo is None or expiration.utcoffset() is None:
        return (
            "expiration has no time zone. Pass an aware datetime, for instance "
            "datetime(2030, 1, 1, tzinfo=timezone.utc)."
        )
    try:
        expiration.astimezone(timezone.utc)
    except OverflowError:  # within hours of the first or the last moment that a datetime can hold
        return "expiration is outside of the years 1 to 9999 in UTC. Pass None if they do not expire."
    return ""


def _describe_expiration(credentials: Credentials) -> str:
    if credentials.expiration is None:
        return "expiry unknown" if credentials.security_token else "never expires"
    left = int(credentials.expiration.timestamp() - DEFAULT_CLOCK.time())
    return f"expires in {timedelta(seconds=left)}" if left > 0 else f"expired {timedelta(seconds=-left)} ago"
