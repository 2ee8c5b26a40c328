"""Apache Airflow: a hook and a connection type `ramrole`.

    provider = RamRoleHook("my_connection").get_conn()
    bucket = oss2.Bucket(oss2.ProviderAuthV4(provider), endpoint, "bucket", region="cn-hangzhou")

The connection holds no key. Its extra field `provider` is a provider's URL (see `provider_from_url`); without one it is
the default chain. Airflow finds the hook by the entry point `apache_airflow_provider`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ramrole_creds.errors import ConfigurationError, RamRoleError
from ramrole_creds.integrations._airflow_info import CONNECTION_TYPE, HOOK_NAME
from ramrole_creds.integrations._sdk import as_provider, load_sdk

if TYPE_CHECKING:
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

load_sdk("airflow", "airflow")

from airflow.sdk import BaseHook  # noqa: E402  # after the check that says what to install

__all__ = ["RamRoleHook"]

DEFAULT_CONNECTION = "ramrole_default"
DEFAULT_URL = "default://"
PROVIDER_FIELD = "provider"
TEST_SECONDS = 30.0


if TYPE_CHECKING:
    _BaseHook = SdkBase
else:
    _BaseHook = BaseHook


class RamRoleHook(_BaseHook):
    """Returns the provider that a connection describes; one per process and URL, so that tasks share its cache.

    Args:
        ramrole_conn_id: id of a connection of type `ramrole`.
        options: what Airflow's own hooks take.
    """

    conn_name_attr = "ramrole_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, ramrole_conn_id: str = DEFAULT_CONNECTION, **options: Any) -> None:  # noqa: ANN401  # Airflow's
        super().__init__(**options)
        self.ramrole_conn_id = ramrole_conn_id

    def get_conn(self) -> CredentialProvider:
        """The provider.

        Raises:
            ConfigurationError: the connection holds a login, a password or other extra fields, or the URL is not valid.
        """
        connection = self.get_connection(self.ramrole_conn_id)
        if connection.login or connection.password:
            raise ConfigurationError(
                f"The connection {self.ramrole_conn_id!r} holds a login or a password, and a connection of type "
                f"{CONNECTION_TYPE} has none. Clear both. Name the source of credentials in the extra field "
                '"provider", for instance "ecs-ram-role://web".'
            )
        extra = connection.extra_dejson
        unknown = sorted(set(extra) - {PROVIDER_FIELD})
        if unknown:
            raise ConfigurationError(
                f"The connection {self.ramrole_conn_id!r} has the extra fields {', '.join(unknown)}, and one of type "
                f"{CONNECTION_TYPE} has {PROVIDER_FIELD!r} only. Remove them. A key does not belong there: name the "
                f'source of credentials in {PROVIDER_FIELD!r}, for instance "ecs-ram-role://web".'
            )
        return as_provider(str(extra.get(PROVIDER_FIELD) or DEFAULT_URL))

    def test_connection(self) -> tuple[bool, str]:
        """Whether there are credentials, and whose. Airflow calls this for the button "Test" of a connection."""
        try:
            held = self.get_conn().get_credentials(timeout=TEST_SECONDS)
        except RamRoleError as error:
            return False, str(error)
        return True, f"Credentials of {held.identity or held.access_key_id} from {held.provider_name}."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Which fields the form of a connection shows."""
        return {
            "hidden_fields": ["host", "schema", "login", "password", "port"],
            "relabeling": {},
            "placeholders": {"extra": '{"provider": "default://?expect_role=web"}'},
        }
