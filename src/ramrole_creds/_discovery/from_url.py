"""Providers written as a URL, for places that take only text: storage options, connection fields, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import UnknownArgumentError, names_secret
from ramrole_creds._discovery.chain import ProviderChain
from ramrole_creds._discovery.default import default_provider
from ramrole_creds._discovery.entry_points import registered_provider
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ramrole_creds.provider import CredentialProvider

MAX_NESTED_URLS = 16

_SECONDS = frozenset(("connect_timeout", "read_timeout", "timeout", "duration"))
_FLAGS = frozenset(("vpc", "allow_http"))
_OF_TOKENS = ("token_mode", "token_file", "private_key_file")  # arguments that name a secret and hold none
_LISTS = frozenset(("only",))
_SOURCES = frozenset(("source", "link"))
_NO_SECRET = "Secrets are not allowed in the URL of a provider"  # noqa: S105  # words of a message


@hide_frames
def provider_from_url(url: str) -> CredentialProvider:
    """The provider that a URL names: `SCHEME://MAIN-ARGUMENT?NAME=VALUE&…`.

    The scheme is the name of the provider with hyphens, the main argument is the first one of its class, and the rest
    are keyword arguments, with times in seconds. All of it is percent-encoded.

        default://?only=env,ecs_ram_role&expect_role=web
        ecs-ram-role://web?token_mode=require
        cli-profile://prod?path=/etc/aliyun/config.json
        ram-role-arn://?role_arn=acs:ram::123:role/app&source=ecs-ram-role://
        chain://?link=env://&link=ecs-ram-role://
        credential-uri://?uri=http://localhost:7002/api/v1/credentials/0

    Other schemes are `env`, `oidc-role-arn`, `profile`, `rsa-key-pair` (public key id, `private_key_file`), `external`
    (`command`), `push`, and the names of providers that packages have registered. Fields of the refresh policy have
    the prefix `policy.`, as in `policy.advisory_window=600`.

    Raises:
        ConfigurationError: the scheme or an argument is unknown, or the URL contains a secret.
    """
    if not isinstance(url, str):
        raise ConfigurationError(
            f"provider_from_url takes a URL as text, for instance 'ecs-ram-role://web', not {type(url).__name__}."
        )
    return _from_url(url, 0)


def _from_url(url: str, depth: int) -> CredentialProvider:
    """The provider that a URL names, which is itself within `depth` other URLs."""
    if depth > MAX_NESTED_URLS:
        raise ConfigurationError(f"A provider URL may contain at most {MAX_NESTED_URLS} levels of other URLs.")
    scheme, main, pairs = _split(url)
    chained = [_from_url(value, depth + 1) for key, value in pairs if key == "link"]
    arguments: dict[str, Any] = {key: _value(key, value, depth) for key, value in pairs if key != "link"}
    try:
        _gather_policy(arguments)
        return _make(scheme.replace("-", "_").lower(), main, chained, arguments)
    except UnknownArgumentError as error:
        problem = str(error)
    except TypeError:
        given = ", ".join(sorted(arguments)) or "none"
        problem = f"an argument is unknown, or a required one is missing (given: {given})."
    except ConfigurationError as error:
        problem = str(error)
    raise ConfigurationError(f"{scheme}://: {problem}")


def _gather_policy(arguments: dict[str, Any]) -> None:
    """Put the arguments that begin with `policy.` into one RefreshPolicy."""
    policy = {key.removeprefix("policy."): arguments.pop(key) for key in list(arguments) if key.startswith("policy.")}
    if policy:
        arguments["policy"] = RefreshPolicy(**policy)


def _make(name: str, main: str, chained: list[CredentialProvider], arguments: dict[str, Any]) -> CredentialProvider:
    if name == "chain":
        return ProviderChain(*chained, **arguments)
    if chained:
        raise ConfigurationError("only chain:// takes link=.")
    make, main_argument = _maker(name)
    if not main:
        return make(**arguments)
    if main_argument is None or main_argument in arguments:
        raise ConfigurationError("it takes no main argument, or the main argument is given twice.")
    return make(**{main_argument: main}, **arguments) if main_argument else make(main, **arguments)


def _split(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Scheme, main argument and the rest."""
    scheme, separator, rest = url.partition("://")
    if not url.isprintable() or "#" in url:  # the parser would drop some of it
        raise ConfigurationError(
            "The URL of a provider contains a control character or a '#'. Write them percent-encoded ('%23')."
        )
    try:
        parts = urlsplit(f"{scheme.replace('_', '-')}{separator}{rest}")  # a scheme of RFC 3986 has no underscore
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=64)
    except ValueError:
        parts, pairs = None, []
    if parts is None or not parts.scheme:
        raise ConfigurationError(
            "The URL of a provider has the form NAME://…, for instance ecs-ram-role://web?token_mode=require."
        )
    main = unquote(parts.netloc + parts.path)
    _refuse_secrets(parts.scheme, parts.netloc, [name for name, _ in pairs])
    if any(_holds_user(text) for text in (main, *(value for _, value in pairs))):
        raise ConfigurationError(f"{parts.scheme}:// contains a URL with a user or password before @. {_NO_SECRET}.")
    # In a command, slashes are part of the path of the program.
    return parts.scheme, main if parts.scheme == "external" else main.strip("/"), pairs


def _maker(name: str) -> tuple[Callable[..., CredentialProvider], str | None]:
    """The class or function of a provider, and the name of its main argument: "" for the first, None for none."""
    if name == "default":
        return default_provider, None
    known = _known()
    if name in known:
        return known[name]
    spelled = [one.replace("_", "-") for one in ("default", "chain", *known)]
    return registered_provider(name.replace("_", "-"), spelled), ""


def _known() -> Mapping[str, tuple[Callable[..., CredentialProvider], str | None]]:
    from ramrole_creds.providers.credentials_uri import CredentialsUriProvider
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
    from ramrole_creds.providers.environment import EnvironmentProvider
    from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider
    from ramrole_creds.providers.process import ProcessProvider
    from ramrole_creds.providers.profiles.cli_profile import CliProfileProvider
    from ramrole_creds.providers.profiles.ini_profile import IniProfileProvider
    from ramrole_creds.providers.push import PushProvider
    from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider
    from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider

    return {
        "env": (EnvironmentProvider, None),
        "oidc_role_arn": (OidcRoleArnProvider, "role_arn"),
        "cli_profile": (CliProfileProvider, "profile_name"),
        "profile": (IniProfileProvider, "section"),
        "ecs_ram_role": (EcsRamRoleProvider, "role_name"),
        "credential_uri": (CredentialsUriProvider, "uri"),
        "credentials_uri": (CredentialsUriProvider, "uri"),
        "ram_role_arn": (RamRoleArnProvider, "role_arn"),
        "rsa_key_pair": (RsaKeyPairProvider, "public_key_id"),
        "external": (ProcessProvider, "command"),
        "push": (PushProvider, None),
    }


def _refuse_secrets(scheme: str, authority: str, names: list[str]) -> None:
    """Refuse secrets, since settings are logged, shown and stored. The error does not show the value."""
    if scheme.lower().startswith(("static", "bearer", "oauth", "cloud-sso", "cloud_sso")):
        raise ConfigurationError(
            f"{scheme}:// would contain secrets. Name a profile (cli-profile://NAME), or use the environment (env://)."
        )
    if "@" in authority:
        raise ConfigurationError(f"{scheme}:// contains a user or password before @. {_NO_SECRET}.")
    for name in names:
        if names_secret(name) or "access_key_id" in name.lower().replace("-", "_"):
            import difflib

            close = difflib.get_close_matches(name.lower().replace("-", "_"), _OF_TOKENS, 1, cutoff=0.85)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigurationError(
                f"{scheme}:// contains {name[:40]!r}. {_NO_SECRET}. Use a profile or the environment.{hint}"
            )


def _holds_user(text: str) -> bool:
    """True for a URL with a user or password, which a credentials URI may have."""
    try:
        return "@" in urlsplit(text).netloc
    except ValueError:
        return False


def _value(name: str, text: str, depth: int) -> object:
    """The argument as its class takes it."""
    if name in _SOURCES:
        return _from_url(text, depth + 1)
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name in _FLAGS:
        if text.lower() not in ("true", "false"):
            raise ConfigurationError(f"{name} must be true or false.")
        return text.lower() == "true"
    if name in _SECONDS or name.startswith("policy."):
        try:
            return float(text)
        except ValueError:
            raise ConfigurationError(f"{name} must be a number, such as 2.5.") from None
    return text
