"""Mistakes of a first day: each is told where it is made."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CloudSsoProvider,
    ConfigurationError,
    CredentialProvider,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    EnvironmentProvider,
    FetchError,
    IniProfileProvider,
    OAuthProvider,
    OAuthTokens,
    OidcRoleArnProvider,
    ProcessProvider,
    ProviderChain,
    PushProvider,
    RamRoleArnProvider,
    RamRoleError,
    RefreshPolicy,
    RsaKeyPairProvider,
    Signer,
    StaticProvider,
    default_provider,
    provider_from_config,
    provider_from_url,
    signing,
)
from ramrole_creds.integrations.function_compute import push_from_headers
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.sts import StsClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import Credentials, FetchContext


def test_a_class_in_place_of_a_provider_is_called_a_class() -> None:
    link: Any = EnvironmentProvider
    with pytest.raises(ConfigurationError, match=r"not the class EnvironmentProvider\. Call the class"):
        ProviderChain(link)


def test_text_in_place_of_refused_credentials_is_refused_without_showing_it() -> None:
    rejected: Any = "STS.looks-like-a-key"
    with (
        StaticProvider("LTAI5tExample", "secret") as provider,
        pytest.raises(ConfigurationError, match="rejected must be the Credentials") as caught,
    ):
        provider.refresh(rejected)
    assert rejected not in str(caught.value)


@pytest.mark.parametrize("url", [None, 7, b"env://"])
def test_what_is_no_text_is_no_url(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes a URL as text"):
        provider_from_url(url)


def test_a_mistyped_argument_is_reported_with_the_nearest_name_and_all_names() -> None:
    options: dict[str, Any] = {"roel_name": "web"}
    says = (
        r"EcsRamRoleProvider\(\) takes no argument 'roel_name'\. Did you mean 'role_name'\? Its arguments: role_name, "
    )
    with pytest.raises(TypeError, match=says) as raised:
        EcsRamRoleProvider(**options)
    assert "read_timeout, policy, clock, on_event. (docs: " in str(raised.value)


def test_the_options_that_providers_on_sts_share_are_listed_too() -> None:
    options: dict[str, Any] = {"regoin": "cn-hangzhou"}
    with pytest.raises(TypeError, match=r"RamRoleArnProvider\(\) takes no argument 'regoin'\. Did you mean 'region'\?"):
        RamRoleArnProvider(StaticProvider("a", "b"), "acs:ram::1:role/x", **options)


def test_a_mistyped_guard_is_an_error_of_the_function_that_was_called() -> None:
    options: dict[str, Any] = {"expected_role": "web"}
    with pytest.raises(TypeError, match=r"default_provider\(\) takes no argument 'expected_role'.*'expect_role'\?"):
        default_provider(**options)


def test_an_argument_that_resembles_nothing_gets_the_list() -> None:
    options: dict[str, Any] = {"xyz": 1}
    with pytest.raises(TypeError, match=r"takes no argument 'xyz'\. Its arguments: policy, clock, on_event\."):
        EnvironmentProvider(**options)


def test_a_mistyped_argument_is_named_where_it_leaves_another_one_missing() -> None:
    options: dict[str, Any] = {"access_key_di": "LTAI", "access_key_secret": "hunter2"}
    with pytest.raises(
        TypeError, match=r"takes no argument 'access_key_di'\. Did you mean 'access_key_id'\?"
    ) as raised:
        StaticProvider(**options)
    frames = traceback.StackSummary.extract(traceback.walk_tb(raised.tb.tb_next), capture_locals=True)
    assert "hunter2" not in "".join(frames.format())


@pytest.mark.parametrize("clock", [3, "x", object()])
def test_what_is_no_clock_is_refused(clock: Any) -> None:
    makers: tuple[Any, ...] = (EcsRamRoleProvider, EnvironmentProvider, default_provider)
    for make in makers:
        with pytest.raises(ConfigurationError, match=r"clock must have time\(\) and monotonic\(\)"):
            make(clock=clock)


class Absent(EnvironmentProvider):
    """A package's own link, whose author forgot to return anything."""

    def fetch(self, context: FetchContext) -> Any:
        del context


def test_a_link_that_returns_no_credentials_is_named() -> None:
    with ProviderChain(Absent()) as chain, pytest.raises(FetchError, match="fetch of env must return Credentials"):
        chain.get_credentials()


def test_sign_says_what_it_needs_where_it_gets_something_else() -> None:
    signer = Signer(StaticProvider("LTAI5tExample", "secret"), signing.ACS3())
    request: Any = "https://ecs.aliyuncs.com/?SecurityToken=token"
    with pytest.raises(ConfigurationError, match=r"needs a signing\.Request, not str") as caught:
        signer.sign(request)
    assert "SecurityToken" not in str(caught.value)
    keys: Any = ("LTAI5tExample", "secret")
    with pytest.raises(ConfigurationError, match="credentials must be Credentials of one fetch, not tuple"):
        signer.sign(signing.Request("GET", "https://ecs.aliyuncs.com/?Action=A&Version=V"), credentials=keys)


def test_what_is_not_a_token_is_refused_before_sts_is_asked() -> None:
    token: Any = b"header.payload.signature"
    client = StsClient("http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="token must be the OpenID Connect token itself"):
        client.assume_role_with_oidc(token, role_arn="acs:ram::1:role/a", oidc_provider_arn="x", session_name="s1")


def test_an_argument_that_a_subclass_passes_on_by_mistake_is_reported() -> None:
    class Vault(CredentialProvider):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)

        def fetch(self, context: FetchContext) -> Credentials:
            raise NotImplementedError

    with pytest.raises(TypeError, match=r"Vault\(\) takes no argument 'colour'"):
        Vault(colour="red")


ROLE = "acs:ram::1234567890123456:role/app"


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("session_name", 5, "session_name must be a text, not int"),
        ("source_identity", 5, "source_identity must be a text, not int"),
        ("vpc", "false", "vpc must be True or False, not 'false'"),
        ("vpc", 1, "vpc must be True or False, not 1"),
    ],
)
def test_an_option_of_a_session_of_the_wrong_type_is_refused_where_it_is_passed(
    option: str, value: Any, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RamRoleArnProvider(StaticProvider("LTAI5tExample", "secret"), ROLE, **{option: value})


def test_a_text_does_not_allow_plain_http() -> None:
    text: Any = "false"
    with pytest.raises(ConfigurationError, match="allow_http must be True or False, not 'false'"):
        CredentialsUriProvider("http://203.0.113.1/", allow_http=text)


def test_a_file_that_is_not_named_by_a_path_is_refused() -> None:
    number: Any = 5
    with pytest.raises(ConfigurationError, match="A file must be named by its path, not by int"):
        RsaKeyPairProvider("LTAI5tPublicKey", number)
    with pytest.raises(ConfigurationError, match="A file must be named by its path, not by int"):
        OidcRoleArnProvider(ROLE, token_file=number)


def test_a_token_in_place_of_the_tokens_of_a_sign_in_is_refused_without_showing_it() -> None:
    token: Any = "hunter2"
    with pytest.raises(ConfigurationError, match=r"tokens must be OAuthTokens, or a store .*, not str") as caught:
        OAuthProvider(token)
    assert token not in str(caught.value)


def test_the_end_of_a_sign_in_is_a_number() -> None:
    soon: Any = "soon"
    with pytest.raises(ConfigurationError, match="access_token_expire must be a number of Unix seconds"):
        OAuthTokens("access", "refresh", soon)
    with pytest.raises(ConfigurationError, match="access_token_expire must be a number of Unix seconds"):
        CloudSsoProvider("https://signin.example.com/", "1", "ac-1", access_token="t", access_token_expire=soon)


ROLE = "acs:ram::1:role/app"
KEYS = StaticProvider("LTAI5tExample", "secret")
WRONG: Any = 5
FALSE: Any = "false"
PAIRLESS: Any = ["a"]
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "vpc as text": (lambda: RamRoleArnProvider(KEYS, ROLE, vpc=FALSE), "vpc must be True or False, not 'false'"),
    "an empty policy": (lambda: RamRoleArnProvider(KEYS, ROLE, session_policy={}), "session policy is not valid"),
    "a list as policy": (lambda: RamRoleArnProvider(KEYS, ROLE, session_policy=PAIRLESS), "policy is not valid"),
    "a scope without a policy": (lambda: RamRoleArnProvider(KEYS, ROLE).scoped(""), "scoped() needs a session policy"),
    "an empty scope": (lambda: RamRoleArnProvider(KEYS, ROLE).scoped({}), "session policy is not valid"),
    "a profile by number": (lambda: CliProfileProvider(WRONG), "profile_name must be a text, not int"),
    "a section by number": (lambda: IniProfileProvider(WRONG), "section must be a text, not int"),
    "a mistyped option": (lambda: provider_from_url("ecs-ram-role://web?tokenmode=off"), "Did you mean 'token_mode'?"),
    "seconds in words": (
        lambda: provider_from_url("ecs-ram-role://web?connect_timeout=fast"), "connect_timeout must be a number, such",
    ),
    "an unknown type": (lambda: provider_from_config({"type": "ecs"}), "credentials_uri, not 'ecs'."),
    "an open quotation": (lambda: ProcessProvider('tool "x'), "Correct its quotation marks, or pass a list"),
    "pauses swapped": (lambda: RefreshPolicy(retry_initial=10, retry_max=1), "Swap them, or raise retry_max"),
    "parameters that are no pairs": (
        lambda: signing.Request("GET", "https://h/", params=PAIRLESS), "Parameters are pairs of name and value",
    ),
    "a fixed nonce": (lambda: Signer(KEYS, signing.ACS3(), nonce=FALSE), "nonce must be a function that returns"),
    "one header to sign": (lambda: signing.ACS3(additional_headers="host"), "must be a list of names, not 'host'"),
    "a number of headers": (
        lambda: signing.OSSV4("cn-hangzhou", additional_headers=WRONG), "additional_headers must be a list of names",
    ),
    "an instance without a name": (lambda: signing.OTSV2(""), "instance must be the name of a Tablestore instance"),
    "a role by number": (
        lambda: MetadataClient("http://127.0.0.1:9").role_credentials(WRONG), "The name of a role must be a text",
    ),
    "a key as text for STS": (
        lambda: StsClient("http://127.0.0.1:9").get_caller_identity(FALSE), "credentials must be a Credentials object",
    ),
    "headers that are none": (
        lambda: push_from_headers(PushProvider(), WRONG), "headers must be a mapping of the request's headers, not int",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_reported_with_what_to_write(name: str) -> None:
    call, text = MISTAKES[name]
    with pytest.raises(RamRoleError) as raised:
        call()
    assert text in raised.value.message
    assert raised.value.message != str(raised.value), "the text names a section of the page of errors"
