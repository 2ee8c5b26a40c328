from ramrole_creds.testing.account.access import (
    Access as Access,
)
from ramrole_creds.testing.account.access import (
    Authorizer as Authorizer,
)
from ramrole_creds.testing.account.access import (
    JudgedAccess as JudgedAccess,
)
from ramrole_creds.testing.account.account import (
    Account as Account,
)
from ramrole_creds.testing.account.account import (
    Role as Role,
)
from ramrole_creds.testing.account.account import (
    User as User,
)
from ramrole_creds.testing.account.credential_store import (
    CredentialStore as CredentialStore,
)
from ramrole_creds.testing.account.credential_store import (
    Identity as Identity,
)
from ramrole_creds.testing.account.credential_store import (
    IssuedCredentials as IssuedCredentials,
)
from ramrole_creds.testing.account.least_privilege import (
    UnusedPermission as UnusedPermission,
)
from ramrole_creds.testing.account.oidc_issuer import OidcIssuer as OidcIssuer
from ramrole_creds.testing.clocks import (
    TickingClock as TickingClock,
)
from ramrole_creds.testing.clocks import (
    VirtualClock as VirtualClock,
)
from ramrole_creds.testing.fake_cloud import (
    FakeCloud as FakeCloud,
)
from ramrole_creds.testing.fake_cloud import (
    FakeCloudDefect as FakeCloudDefect,
)
from ramrole_creds.testing.faults.hostile import HostileAnswer as HostileAnswer
from ramrole_creds.testing.faults.hostile import hostile_answers as hostile_answers
from ramrole_creds.testing.faults.script import (
    Fault as Fault,
)
from ramrole_creds.testing.faults.script import (
    Faults as Faults,
)
from ramrole_creds.testing.in_place import cloud_in_place as cloud_in_place
from ramrole_creds.testing.in_place import process_clock as process_clock
from ramrole_creds.testing.machine_time import system_time as system_time
from ramrole_creds.testing.network import (
    RealAddressError as RealAddressError,
)
from ramrole_creds.testing.network import (
    connect_rule as connect_rule,
)
from ramrole_creds.testing.network import (
    forbid_metadata as forbid_metadata,
)
from ramrole_creds.testing.network import (
    forbid_network as forbid_network,
)
from ramrole_creds.testing.network import (
    redirect_metadata as redirect_metadata,
)
from ramrole_creds.testing.request_log import (
    RecordedRequest as RecordedRequest,
)
from ramrole_creds.testing.request_log import (
    RequestLog as RequestLog,
)
from ramrole_creds.testing.request_log import (
    assert_no_secret_in as assert_no_secret_in,
)
from ramrole_creds.testing.server.messages import (
    WireRequest as WireRequest,
)
from ramrole_creds.testing.server.messages import (
    WireResponse as WireResponse,
)
from ramrole_creds.testing.server.standalone import serve as serve
from ramrole_creds.testing.services.instance import (
    Instance as Instance,
)
from ramrole_creds.testing.services.instance import (
    RoleAlreadyAttached as RoleAlreadyAttached,
)
from ramrole_creds.testing.services.metadata_service import Quirks as Quirks
from ramrole_creds.testing.services.service import (
    Service as Service,
)
from ramrole_creds.testing.services.service import (
    ServiceError as ServiceError,
)
from ramrole_creds.testing.unittest_case import RamRoleTestCase as RamRoleTestCase

__all__: list[str]
