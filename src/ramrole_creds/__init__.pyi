from ramrole_creds import signing as signing
from ramrole_creds._cache.fetch_context import FetchContext as FetchContext
from ramrole_creds._cache.policy import RefreshPolicy as RefreshPolicy
from ramrole_creds._cache.status import ProviderStatus as ProviderStatus
from ramrole_creds._discovery.chain import ProviderChain as ProviderChain
from ramrole_creds._discovery.default import default_provider as default_provider
from ramrole_creds._discovery.default import shared_provider as shared_provider
from ramrole_creds._discovery.from_config import provider_from_config as provider_from_config
from ramrole_creds._discovery.from_url import provider_from_url as provider_from_url
from ramrole_creds._discovery.region import default_region as default_region
from ramrole_creds.credentials import Credentials as Credentials
from ramrole_creds.errors import (
    ConfigurationError as ConfigurationError,
)
from ramrole_creds.errors import (
    CredentialsExpired as CredentialsExpired,
)
from ramrole_creds.errors import (
    FetchError as FetchError,
)
from ramrole_creds.errors import (
    FetchTimeout as FetchTimeout,
)
from ramrole_creds.errors import (
    IdentityMismatch as IdentityMismatch,
)
from ramrole_creds.errors import (
    LifetimeTooShort as LifetimeTooShort,
)
from ramrole_creds.errors import (
    MetadataError as MetadataError,
)
from ramrole_creds.errors import (
    MetadataUnreachable as MetadataUnreachable,
)
from ramrole_creds.errors import (
    NoCredentialsError as NoCredentialsError,
)
from ramrole_creds.errors import (
    ProcessError as ProcessError,
)
from ramrole_creds.errors import (
    ProfileError as ProfileError,
)
from ramrole_creds.errors import (
    ProviderUnavailable as ProviderUnavailable,
)
from ramrole_creds.errors import (
    RamRoleError as RamRoleError,
)
from ramrole_creds.errors import (
    RoleNotAttached as RoleNotAttached,
)
from ramrole_creds.errors import (
    SigningError as SigningError,
)
from ramrole_creds.errors import (
    StsError as StsError,
)
from ramrole_creds.errors import (
    WaitTimeout as WaitTimeout,
)
from ramrole_creds.provider import (
    CredentialProvider as CredentialProvider,
)
from ramrole_creds.provider import (
    ProviderOptions as ProviderOptions,
)
from ramrole_creds.providers.bearer_token import BearerTokenProvider as BearerTokenProvider
from ramrole_creds.providers.credentials_uri import CredentialsUriProvider as CredentialsUriProvider
from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider as EcsRamRoleProvider
from ramrole_creds.providers.environment import EnvironmentProvider as EnvironmentProvider
from ramrole_creds.providers.function import FunctionProvider as FunctionProvider
from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider as OidcRoleArnProvider
from ramrole_creds.providers.process import ProcessProvider as ProcessProvider
from ramrole_creds.providers.profiles.cli_profile import CliProfileProvider as CliProfileProvider
from ramrole_creds.providers.profiles.ini_profile import IniProfileProvider as IniProfileProvider
from ramrole_creds.providers.push import PushProvider as PushProvider
from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider as RamRoleArnProvider
from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider as RsaKeyPairProvider
from ramrole_creds.providers.sign_in.cloud_sso import CloudSsoProvider as CloudSsoProvider
from ramrole_creds.providers.sign_in.oauth import (
    OAuthProvider as OAuthProvider,
)
from ramrole_creds.providers.sign_in.oauth import (
    OAuthTokens as OAuthTokens,
)
from ramrole_creds.providers.static import StaticProvider as StaticProvider
from ramrole_creds.roles import (
    InstanceRoles as InstanceRoles,
)
from ramrole_creds.roles import (
    RoleApiError as RoleApiError,
)
from ramrole_creds.signing.signer import Signer as Signer

__version__: str

__all__: list[str]
