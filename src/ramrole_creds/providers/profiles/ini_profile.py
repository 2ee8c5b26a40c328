"""Credentials of a section of the SDKs' ini file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import checked_text
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import ConfigurationError, ProfileError, ProviderUnavailable, RamRoleError, describe_error
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers._home import expand_path, home_directory
from ramrole_creds.providers.profiles._ini_document import DEFAULTS_SECTION, MalformedIni, parse_ini
from ramrole_creds.providers.profiles._options import ProfileOptions, fetch_from_profile
from ramrole_creds.providers.profiles.files import ProfilePath, is_there, read_profile_file, warn_of_readers
from ramrole_creds.providers.profiles.source_settings import BUILDERS, KEYLESS_REASON, SettingNames, build_source
from ramrole_creds.providers.variables import PROFILE_VARIABLE, argument_or_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

FILE_VARIABLE: Final = "ALIBABA_CLOUD_CREDENTIALS_FILE"
SECRET_FIELDS: Final = ("access_key_secret", "security_token", "bearer_token")
NAMES = SettingNames(
    {
        "session_name": ("role_session_name",),
        "session_policy": ("policy",),
        "duration": ("role_session_expiration", "session_expiration", "duration_seconds", "expired_seconds"),
        "oidc_token_file": ("oidc_token_file_path",),
        "region": ("sts_region", "sts_region_id"),
        "vpc": ("enable_vpc",),
    }
)


class IniProfileProvider(CredentialProvider):
    """Uses a section of ~/.alibabacloud/credentials.ini, or of ~/.alibabacloud/credentials.

    The file is read at each fetch, so a changed section takes effect.

    Args:
        section: name of the section; else ALIBABA_CLOUD_PROFILE, else "default".
        path: the file; else ALIBABA_CLOUD_CREDENTIALS_FILE, else the first of the two that exists.
        endpoint: base URL of the metadata service, for sections that ask it.
        sts_endpoint: host or URL of STS; takes precedence over the section.
        options: `policy`, `clock` and `on_event`, as for every provider.
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
        self._argument = checked_text("section", section) or None
        self._named = argument_or_variable(section, PROFILE_VARIABLE)
        self._path = path or None
        self._environ = {FILE_VARIABLE: os.environ.get(FILE_VARIABLE, "")}
        self._options = ProfileOptions(endpoint, sts_endpoint, clock=self._clock)
        self._made: Callable[[], tuple[IniSection, CredentialProvider] | None] = sealed(None)

    def fetch(self, context: FetchContext) -> Credentials:
        """Read the file and fetch from the source that the section names, now.

        Raises:
            ProviderUnavailable: the file certainly does not exist, or it was read and lacks the
                default section.
            ProfileError: file or section cannot be used.
            RamRoleError: any error of the source that the section names.
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

    def select(self) -> IniSection:
        """The selected section.

        Raises:
            ProviderUnavailable: there is no file, or it does not have the default section.
            ProfileError: file or section cannot be used.
        """
        file = self._find()
        text, path = read_profile_file(file), file.path
        try:
            sections = parse_ini(text)
        except MalformedIni as error:
            problem = str(error)
        else:
            return self._section(path, sections, _hint_of_defaults(text, sections))
        raise ProfileError(f"{path} cannot be used: {problem}. Correct this line.", unrecoverable=True)

    def _section(self, path: Path, sections: Mapping[str, Mapping[str, str]], hint: str) -> IniSection:
        name = self._named or "default"
        if self._argument is None and all(_is_unconfigured(keys) for keys in sections.values()):
            raise ProviderUnavailable(f"{path} has no credentials.{hint}")
        if name not in sections:
            raise self._not_found(path, name, list(sections), hint)
        section = IniSection(path, name, sections[name])
        if section.text("enable").lower() == "false":
            raise ProviderUnavailable(f"Section [{name}] in {path} has enable = false. Set enable = true to use it.")
        if self._argument is None and _is_unconfigured(section.fields):
            raise ProviderUnavailable(f"Section [{name}] in {path} has no credentials. Add its type and keys.")
        return section

    def _open(self) -> tuple[IniSection, CredentialProvider]:
        section = self.select()
        if any(section.text(name) for name in SECRET_FIELDS):
            warn_of_readers(section.path)
        made = self._made()
        if made is None or made[0] != section:
            made = (section, _make(section, self._options))
            self._made = sealed(made)
        return section, made[1]

    def _find(self) -> ProfilePath:
        if self._path is not None:
            return ProfilePath(expand_path(self._path))
        files = ini_paths(self._environ)
        found = next((file for file in files if file.variable or is_there(file.path)), None)
        if found is None:
            raise ProviderUnavailable(
                f"{' and '.join(str(file.path) for file in files)} do not exist.{_hint_of_other_files()}"
            )
        return found

    def _not_found(self, path: Path, name: str, there: list[str], hint: str) -> ProviderUnavailable | ProfileError:
        listed = ", ".join(f"[{one}]" for one in there[:20]) or "none"
        text = f"{path} has no section [{name}]; its sections: {listed}.{hint}"
        if self._named is None:
            return ProviderUnavailable(text)
        return ProfileError(f"{text} Correct {PROFILE_VARIABLE} or the name of the section.", unrecoverable=True)


@dataclass(frozen=True, slots=True, repr=False)
class IniSection:
    """One section of an ini file."""

    path: Path
    name: str
    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """The value of a key; "" if it is missing."""
        return self.fields.get(name, "")

    def seconds(self, name: str) -> float | None:
        """The number of a key; None if it is missing or 0.

        Raises:
            ProfileError: the value is not a number of seconds.
        """
        text = self.text(name)
        if text and not (text.isascii() and text.isdigit()):
            raise self.problem(f"{name} must be a number of seconds")
        return float(text or 0) or None

    def flag(self, name: str) -> bool | None:
        """The truth value of a key; None if it is missing."""
        text = self.text(name)
        return text.lower() == "true" if text else None

    def problem(self, what: str) -> ProfileError:
        """An error about this section; `what` must not contain a value of it."""
        return ProfileError(f"Section [{self.name}] in {self.path}: {what}.", unrecoverable=True)


def ini_paths(environ: Mapping[str, str] = os.environ) -> list[ProfilePath]:
    """The possible files: ALIBABA_CLOUD_CREDENTIALS_FILE, else those that the official libraries read.

    Python and Java read credentials.ini, Go reads credentials.

    Args:
        environ: the environment.

    Raises:
        ProviderUnavailable: there is no home directory.
    """
    given = environ.get(FILE_VARIABLE)
    if given:
        return [ProfilePath(expand_path(given), FILE_VARIABLE)]
    folder = home_directory() / ".alibabacloud"
    return [ProfilePath(folder / name, usual=True) for name in ("credentials.ini", "credentials")]


def _hint_of_other_files() -> str:
    """Names files of other tools that hold credentials, as sentences after a text; "" if there are none."""
    home = home_directory()
    return "".join(
        f" {path} exists, but only {tools} read it."
        for path, tools in (
            (home / ".oss" / "credentials", "OSS tools"),
            (home / ".ossutilconfig", "ossutil and OSS tools"),
            (home / ".aliyuncli" / "credentials", "old versions of the aliyun CLI"),
        )
        if is_there(path)
    )


def configured_region() -> str | None:
    """The `region_id` of the selected section; None if it names none.

    Raises:
        RamRoleError: there is no such section, or it cannot be used.
    """
    provider = IniProfileProvider(os.environ.get(PROFILE_VARIABLE) or "default")  # also a section without credentials
    return provider.select().text("region_id") or None


def _hint_of_defaults(text: str, sections: Collection[str]) -> str:
    """What to write if keys are in `[DEFAULT]` only, as a sentence after a text; "" if they are not."""
    if "default" in sections or f"[{DEFAULTS_SECTION}]" not in text:
        return ""
    return f" [{DEFAULTS_SECTION}] is not a section: its keys only complete other sections. Write [default]."


def _make(section: IniSection, options: ProfileOptions) -> CredentialProvider:
    kind = _type_of(section)
    if kind == "bearer":
        raise section.problem(KEYLESS_REASON)
    if kind not in BUILDERS:
        hint = ". A line that is indented continues the value above it" if "\n" in kind else ""
        raise section.problem(f"its type must be one of {', '.join(BUILDERS)}{hint}")
    settings = options.settings(section, NAMES)
    try:
        return build_source(kind, settings)
    except ConfigurationError as error:
        problem = settings.in_fields(error.message.rstrip("."))
    raise section.problem(problem)


def _is_unconfigured(keys: Mapping[str, str]) -> bool:
    """Whether a section says nothing about credentials."""
    if keys.get("type", "") not in ("", "access_key"):
        return False
    return not any(value for key, value in keys.items() if key not in ("type", *_SETTINGS))


# Keys that say nothing about credentials.
_SETTINGS = ("enable", "region_id", "timeout", "connect_timeout", "proxy", "host")


def _type_of(section: IniSection) -> str:
    # The official Java library reads a section without a type as a key pair.
    return section.text("type") or "access_key"
