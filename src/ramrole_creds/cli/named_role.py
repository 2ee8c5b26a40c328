"""A role by its name alone, as the rules of `serve` may name it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from ramrole_creds import CredentialProvider, RamRoleArnProvider, RefreshPolicy
from ramrole_creds.sts import StsClient

if TYPE_CHECKING:
    from ramrole_creds import Credentials, FetchContext
    from ramrole_creds.events import EventListener

ROLE_NAME: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")


class NamedRoleProvider(CredentialProvider):
    """The role of that name in the account of other credentials: assumed with them, unless they are its own.

    The account is looked up at the first fetch, so that a service starts while STS does not answer.

    Args:
        source: the provider whose credentials assume the role.
        role: the role's name.
        on_event: takes the events.
    """

    name: ClassVar[str] = "ram_role_arn"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(
        fetch_timeout=RamRoleArnProvider.default_policy.fetch_timeout
    )

    def __init__(self, source: CredentialProvider, role: str, *, on_event: EventListener | None = None) -> None:
        super().__init__(on_event=on_event)
        self._source = source
        self._role = role
        self._assumed: RamRoleArnProvider | None = None

    def get_provider_name(self) -> str:
        """`ram_role_arn/` and the role's name, by which its events are found."""
        return f"{self.name}/{self._role}"

    def fetch(self, context: FetchContext) -> Credentials:
        """Assume the role now.

        Raises:
            RamRoleError: any error of the source or of STS.
        """
        held = self._source.get_credentials(timeout=context.remaining())
        if held.identity == self._role:
            return held
        if self._assumed is None:
            account = StsClient().get_caller_identity(held, context).account_id
            self._assumed = RamRoleArnProvider(self._source, f"acs:ram::{account}:role/{self._role}")
        return self._assumed.fetch(context)
