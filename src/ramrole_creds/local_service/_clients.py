"""Who asks, and which provider answers: by the user of a Unix socket's peer, or by the source address."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.provider import CredentialProvider

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_UID = re.compile(r"uid:[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request.

    Args:
        uid: the user id of the process at the other end of a Unix socket, None for TCP.
        address: the source address, "" for a Unix socket.
    """

    uid: int | None
    address: str

    @property
    def key(self) -> str:
        """The name under which the requests of this client are counted."""
        return f"uid:{self.uid}" if self.uid is not None else self.address


@dataclass(frozen=True, slots=True)
class ClientRule:
    """Which clients a rule is for.

    Args:
        text: as it was written.
        uid: this user id only.
        network: these source addresses only.
    """

    text: str
    uid: int | None = None
    network: Network | None = None

    def matches(self, client: Client) -> bool:
        """True where the rule is for that client."""
        if self.uid is not None:
            return client.uid == self.uid
        if self.network is None:
            return True
        try:
            return ipaddress.ip_address(client.address.partition("%")[0]) in self.network
        except ValueError:
            return False


class ClientRules:
    """The provider for each client: the first rule that matches; a client without a rule gets nothing.

    Args:
        rules: pairs of a rule, as `parse_rule` makes it, and a provider.
    """

    def __init__(self, rules: Iterable[tuple[ClientRule, CredentialProvider]]) -> None:
        self._rules = tuple(rules)

    @classmethod
    def everybody(cls, provider: CredentialProvider) -> ClientRules:
        """One provider for all clients."""
        return cls([(ClientRule("*"), provider)])

    @property
    def providers(self) -> tuple[CredentialProvider, ...]:
        """The providers of all rules, each once, in the order of the rules."""
        return tuple({id(provider): provider for _, provider in self._rules}.values())

    def provider_for(self, client: Client) -> CredentialProvider | None:
        """The provider for that client; None if no rule matches."""
        return next((provider for rule, provider in self._rules if rule.matches(client)), None)


def parse_rule(text: str) -> ClientRule:
    """A rule from text: "uid:1000", "user:alice", "addr:10.0.0.0/8", or "*" for everybody.

    Raises:
        ConfigurationError: the text has another form, or this machine does not know the user.
    """
    given: object = text
    kind, colon, value = text.partition(":") if isinstance(given, str) else ("", "", "")
    if text == "*":
        return ClientRule(text)
    if colon and kind == "user":
        return ClientRule(text, uid=_uid_of(value))
    if colon and _UID.fullmatch(text):
        return ClientRule(text, uid=int(value))
    if colon and kind == "addr":
        with suppress(ValueError):
            return ClientRule(text, network=ipaddress.ip_network(value, strict=False))
    raise ConfigurationError(
        f"{text!r} does not name clients. Write uid:NUMBER, user:NAME, addr:ADDRESS or addr:NETWORK/BITS, or * for all."
    )


def _uid_of(name: str) -> int:
    try:
        import pwd

        return pwd.getpwnam(name).pw_uid
    except (KeyError, ImportError):
        raise ConfigurationError(f"This machine has no user {name!r}. Write uid:NUMBER instead.") from None
