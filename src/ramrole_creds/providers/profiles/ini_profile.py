"""Credentials of a section of the SDKs' ini file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.errors import ConfigurationError, ProfileError, ProviderUnavailable, RamRoleError, describe_error
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers._home import expand_path, home_directory
from ramrole_creds.providers.profiles._ini_document import MalformedIni, parse_ini
from ramrole_creds.providers.profiles._options import (
    NO_PROCESS_VARIABLE,
    ProfileOptions,
    external_forbidden,
    fetch_from_profile,
)
from ramrole_creds.providers.profiles.files import ProfilePath, is_there, read_profile_file, warn_of_readers
from ramrole_creds.providers.session_arguments import DEFAULT_SESSION_SECONDS
from ramrole_creds.providers.static import StaticProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

FILE_VARIABLE = "ALIBABA_CLOUD_CREDENTIALS_FILE"
SECTION_VARIABLE = "ALIBABA_CLOUD_PROFILE"


class IniProfileProvider(CredentialProvider):
    """Does what a section of ~/.alibabacloud/credentials.ini says, or of ~/.alibabacloud/credentials.

    The file is read at each fetch, so that an edited section is seen.

    Args:
        section: the section; else ALIBABA_CLOUD_PROFILE, else "default".
        path: the file; else ALIBABA_CLOUD_CREDENTIALS_FILE, else the first of the two that is there.
        endpoint: base URL of the metadata service, for sections that ask it.
        sts_endpoint: host or URL of STS; before the section's own.
        options: `policy`, `clock` and `on_event` of every provider.
    """

    name: ClassVar[str] = "profile"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=60.0)

    def __init__(
        self,
        section: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        endpoint: str | None = None,
        sts_endpoint: str | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        self._named = section or os.environ.get(SECTION_VARIABLE) or None
        self._path = path or None
        self._environ = {FILE_VARIABLE: os.environ.get(FILE_VARIABLE, "")}
        self._options = ProfileOptions(endpoint, sts_endpoint, clock=self._clock)
        self._made: tuple[IniSection, CredentialProvider] | None = None

    def fetch(self, context: FetchContext) -> Credentials:
        """Read the file and do what the section says, now.

        Raises:
            ProviderUnavailable: there is no file, or no section is meant.
            ProfileError: file or section cannot be used.
            RamRoleError: what the section's own source raised.
        """
        section, provider = self._open()
        where = f"Section [{section.name}] in {section.path}"
        return fetch_from_profile(provider, context, kind=self.name, profile=where)

    def explain(self) -> str:
        """What a fetch would do."""
        try:
            section, provider = self._open()
        except RamRoleError as error:
            return describe_error(error)
        detail = getattr(provider, "explain", lambda: "would use the keys in it")()
        return f"section [{section.name}] in {section.path}, type {_type_of(section)}: {detail}"

    def _open(self) -> tuple[IniSection, CredentialProvider]:
        section = self.select()
        if any(section.get(name) for name in ("access_key_secret", "security_token", "bearer_token")):
            warn_of_readers(section.path)
        if self._made is None or self._made[0] != section:
            self._made = (section, _make(section, self._options))
        return section, self._made[1]

    def select(self) -> IniSection:
        """The section that is meant.

        Raises:
            ProviderUnavailable: there is no file, or no section is meant.
            ProfileError: file or section cannot be used.
        """
        file = self._find()
        text, path = read_profile_file(file), file.path
        try:
            sections = parse_ini(text)
        except MalformedIni as error:
            problem = str(error)
        else:
            name = self._named or "default"
            if name not in sections:
                raise self._not_found(path, name, list(sections))
            section = IniSection(path, name, sections[name])
            if section.get("enable").lower() == "false":
                raise ProviderUnavailable(f"Section [{name}] in {path} says enable = false.")
            return section
        raise ProfileError(f"{path} cannot be used: {problem}.", unrecoverable=True)

    def _find(self) -> ProfilePath:
        if self._path is not None:
            return ProfilePath(expand_path(self._path))
        files = ini_paths(self._environ)
        found = next((file for file in files if file.variable or is_there(file.path)), None)
        if found is None:
            raise ProviderUnavailable(f"{' and '.join(str(file.path) for file in files)} not there.")
        return found

    def _not_found(self, path: Path, name: str, there: list[str]) -> ProviderUnavailable | ProfileError:
        text = f"{path} has no section [{name}] (it has {', '.join(f'[{one}]' for one in there[:20]) or 'none'})."
        if self._named is None:
            return ProviderUnavailable(text)
        return ProfileError(f"{text} Correct {SECTION_VARIABLE} or the section's name.", unrecoverable=True)


@dataclass(frozen=True, slots=True, repr=False)
class IniSection:
    """One section of an ini file."""

    path: Path
    name: str
    fields: Mapping[str, str]

    def get(self, *keys: str) -> str:
        """The first value there is under one of the keys, "" where there is none."""
        return next((self.fields[key] for key in keys if self.fields.get(key)), "")

    def required(self, *keys: str) -> list[str]:
        """The values of all the keys.

        Raises:
            ProfileError: one is missing; it is never taken from elsewhere.
        """
        missing = [key for key in keys if not self.get(key)]
        if missing:
            raise self.problem(f"{' and '.join(missing)} missing")
        return [self.get(key) for key in keys]

    def duration(self) -> float:
        """Seconds that a session is to last."""
        text = self.get("role_session_expiration", "session_expiration", "duration_seconds", "expired_seconds")
        if not text:
            return DEFAULT_SESSION_SECONDS
        if not (text.isascii() and text.isdigit()):
            raise self.problem("the duration of the session is no number of seconds")
        return float(text) or DEFAULT_SESSION_SECONDS

    def problem(self, what: str) -> ProfileError:
        """An error about this section; `what` holds no value of it."""
        return ProfileError(f"Section [{self.name}] in {self.path}: {what}.", unrecoverable=True)


def ini_paths(environ: Mapping[str, str] = os.environ) -> list[ProfilePath]:
    """Where the file may be: ALIBABA_CLOUD_CREDENTIALS_FILE, else what Python and Java read, else what Go reads.

    Args:
        environ: where the variable is looked for.

    Raises:
        ProviderUnavailable: there is no home directory.
    """
    given = environ.get(FILE_VARIABLE)
    if given:
        return [ProfilePath(expand_path(given), FILE_VARIABLE)]
    folder = home_directory() / ".alibabacloud"
    return [ProfilePath(folder / name, usual=True) for name in ("credentials.ini", "credentials")]


def configured_region() -> str | None:
    """The `region_id` of the section that is meant, None where it names none.

    Raises:
        RamRoleError: there is no such section, or it cannot be used.
    """
    return IniProfileProvider().select().get("region_id") or None


# Each kind of provider is loaded where a section names it: most programs have no such file.


def _make(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    make = _TYPES.get(_type_of(section))
    if make is None:
        raise section.problem(f"its type is none of {', '.join(_TYPES)}")
    try:
        return make(section, options)
    except ConfigurationError as error:
        problem = str(error).rstrip(".")
    raise section.problem(problem)


def _type_of(section: IniSection) -> str:
    # The Java library takes a section without a type for a key pair.
    return section.get("type") or "access_key"


def _access_key(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    key_id, secret = section.required("access_key_id", "access_key_secret")
    return StaticProvider(key_id, secret, clock=options.clock)


def _sts(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    key_id, secret, token = section.required("access_key_id", "access_key_secret", "security_token")
    return StaticProvider(key_id, secret, token, clock=options.clock)


def _ram_role_arn(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider

    key_id, secret, role_arn = section.required("access_key_id", "access_key_secret", "role_arn")
    source = StaticProvider(key_id, secret, section.get("security_token") or None, clock=options.clock)
    return RamRoleArnProvider(
        source,
        role_arn,
        session_name=section.get("role_session_name") or None,
        duration=section.duration(),
        session_policy=section.get("policy") or None,
        external_id=section.get("external_id") or None,
        endpoint=options.sts_endpoint or section.get("sts_endpoint") or None,
        region=section.get("sts_region", "sts_region_id") or None,
        vpc=_vpc(section),
        clock=options.clock,
    )


def _oidc_role_arn(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider

    role_arn, provider_arn, file = section.required("role_arn", "oidc_provider_arn", "oidc_token_file_path")
    return OidcRoleArnProvider(
        role_arn,
        provider_arn,
        file,
        session_name=section.get("role_session_name") or None,
        duration=section.duration(),
        session_policy=section.get("policy") or None,
        endpoint=options.sts_endpoint or section.get("sts_endpoint") or None,
        region=section.get("sts_region", "sts_region_id") or None,
        vpc=_vpc(section),
        clock=options.clock,
    )


def _ecs_ram_role(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider

    return EcsRamRoleProvider(section.get("role_name") or None, endpoint=options.endpoint, clock=options.clock)


def _rsa_key_pair(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider

    key_id, file = section.required("public_key_id", "private_key_file")
    return RsaKeyPairProvider(
        key_id,
        file,
        duration=section.duration(),
        endpoint=options.sts_endpoint or section.get("sts_endpoint") or None,
        region=section.get("sts_region", "sts_region_id") or None,
        clock=options.clock,
    )


def _credentials_uri(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    from ramrole_creds.providers.credentials_uri import CredentialsUriProvider

    (uri,) = section.required("credentials_uri")
    _refuse_external(section)
    return CredentialsUriProvider(uri, clock=options.clock)


def _external(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    from ramrole_creds.providers.process import ProcessProvider

    (command,) = section.required("process_command")
    _refuse_external(section)
    return ProcessProvider(command, clock=options.clock)


def _bearer(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    del options
    raise section.problem(
        "it holds a bearer token and no keys to sign with: give BearerTokenProvider to a client that takes one"
    )


_TYPES: Mapping[str, Callable[[IniSection, ProfileOptions], CredentialProvider]] = {
    "access_key": _access_key,
    "sts": _sts,
    "ram_role_arn": _ram_role_arn,
    "oidc_role_arn": _oidc_role_arn,
    "ecs_ram_role": _ecs_ram_role,
    "rsa_key_pair": _rsa_key_pair,
    "credentials_uri": _credentials_uri,
    "external": _external,
    "bearer": _bearer,
}


def _vpc(section: IniSection) -> bool | None:
    text = section.get("enable_vpc")
    return text.lower() == "true" if text else None


def _refuse_external(section: IniSection) -> None:
    if external_forbidden():
        raise section.problem(f"{NO_PROCESS_VARIABLE} forbids profiles that run a command or ask a URL")
