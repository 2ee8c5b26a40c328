from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramrole_creds import (
    CliProfileProvider,
    IniProfileProvider,
    ProfileError,
    ProviderUnavailable,
    RamRoleError,
    default_provider,
)
from ramrole_creds.providers._home import home_directory
from ramrole_creds.providers.profiles._ini_document import MalformedIni, parse_ini
from ramrole_creds.providers.profiles.cli_config import load_config
from ramrole_creds.providers.profiles.files import ProfilePath, warn_of_readers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files

METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


def cli(cloud: FakeCloud, name: str | None = None, **more: Any) -> CliProfileProvider:
    return CliProfileProvider(name, endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock, **more)


def ini(cloud: FakeCloud, section: str | None = None) -> IniProfileProvider:
    return IniProfileProvider(section, endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock)


def modes(cloud: FakeCloud, keys: dict[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    app = cloud.add_role("app").arn
    pod = cloud.add_role("pod", trust=cloud.oidc.trust()).arn
    printed = folder / "printed.json"
    printed.write_text(json.dumps({"mode": "AK", **keys}))
    command = shlex.join([sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(printed)])
    return {
        "static_ak": {"mode": "AK", **keys},
        "static_sts": {"mode": "StsToken", **keys, "sts_token": "a-token"},
        "ram_role_arn/static_ak": {
            "mode": "RamRoleArn",
            **keys,
            "ram_role_arn": app,
            "ram_session_name": "me",
            "expired_seconds": 900,
        },
        "ecs_ram_role": {"mode": "EcsRamRole", "ram_role_name": "web"},
        "ram_role_arn/ecs_ram_role": {"mode": "RamRoleArnWithRoleName", "ram_role_arn": app, "ram_session_name": "me"},
        "ram_role_arn/ram_role_arn/static_ak": {
            "mode": "ChainableRamRoleArn",
            "source_profile": "ram_role_arn/static_ak",
            "ram_role_arn": app,
            "ram_session_name": "me",
        },
        "oidc_role_arn": {
            "mode": "OIDC",
            "ram_role_arn": pod,
            "oidc_provider_arn": cloud.oidc.provider_arn,
            "oidc_token_file": str(cloud.oidc.write_token(folder / "token")),
            "ram_session_name": "from-the-file",
        },
        "external": {"mode": "External", "process_command": command},
        "credential_uri": {"mode": "CredentialsURI", "credentials_uri": cloud.url + METADATA_PATH},
    }


MODES = [
    "static_ak",
    "static_sts",
    "ram_role_arn/static_ak",
    "ecs_ram_role",
    "ram_role_arn/ecs_ram_role",
    "ram_role_arn/ram_role_arn/static_ak",
    "oidc_role_arn",
    "external",
    "credential_uri",
]


@pytest.mark.parametrize("name", MODES)
def test_every_mode_of_the_cli_gives_credentials(
    cloud: FakeCloud, keys: dict[str, str], files: Files, tmp_path: Path, name: str
) -> None:
    files.write_cli(*({**profile, "name": title} for title, profile in modes(cloud, keys, tmp_path).items()))
    provider = cli(cloud, name)
    assert provider.get_credentials().provider_name == f"cli_profile/{name}"
    assert "mode" in provider.explain()


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"mode": "AK", "access_key_id": "LTAI"}, "access_key_secret is missing"),
        ({"mode": "StsToken", "access_key_id": "LTAI", "access_key_secret": "s3cr3t"}, "sts_token is missing"),
        ({"mode": "RamRoleArn", "access_key_id": "a", "access_key_secret": "s3cr3t"}, "ram_role_arn is missing"),
        ({"mode": "ChainableRamRoleArn", "ram_role_arn": "acs:ram::1:role/x"}, "source_profile is missing"),
        (
            {"mode": "ChainableRamRoleArn", "ram_role_arn": "acs:ram::1:role/x", "source_profile": "nobody"},
            "no profile of the name",
        ),
        (
            {"mode": "ChainableRamRoleArn", "ram_role_arn": "acs:ram::1:role/x", "source_profile": "default"},
            r"leads back to itself \(default → default\)",
        ),
        ({"mode": "OIDC"}, "ram_role_arn and oidc_provider_arn and oidc_token_file are missing"),
        ({"mode": "External"}, "process_command is missing"),
        ({"mode": "External", "process_command": "'unbalanced"}, "cannot be split"),
        ({"mode": "CredentialsURI"}, "credentials_uri is missing"),
        ({"mode": "CredentialsURI", "credentials_uri": "http://example.com/s3cr3t"}, "plain http"),
        ({"mode": "CloudSSO"}, "missing"),
        ({"mode": "OAuth"}, "oauth_access_token is missing"),
        ({"mode": "RsaKeyPair", "private_key": "/x"}, "key_pair_name is missing"),
        ({"mode": "BearerToken", "bearer_token": "s3cr3t"}, "BearerTokenProvider"),
        ({"mode": "Anonymous"}, "Anonymous"),
        ({"mode": "Quantum"}, "not supported by this version"),
        ({"mode": 7}, "mode must be a text"),
        ({"mode": "AK", "access_key_id": 7, "access_key_secret": "s3cr3t"}, "access_key_id must be a text"),
        ({"mode": "AK", "access_key_id": "a", "access_key_secret": "s3cr3t with blank"}, "blank"),
        ({"mode": "CloudSSO", "sts_expiration": "9" * 5000}, "missing"),
        (
            {
                "mode": "RamRoleArn",
                "access_key_id": "a",
                "access_key_secret": "s3cr3t",
                "ram_role_arn": "acs:ram::1:role/x",
                "expired_seconds": "9" * 5000,
            },
            "expired_seconds must be a number",
        ),
        (
            {
                "mode": "RamRoleArn",
                "access_key_id": "a",
                "access_key_secret": "s3cr3t",
                "ram_role_arn": "s3cr3t",
                "expired_seconds": 1,
            },
            "role_arn must be",
        ),
    ],
)
def test_a_broken_profile_is_told_with_file_and_name_and_without_values(
    cloud: FakeCloud, files: Files, profile: dict[str, Any], says: str
) -> None:
    path = files.write_cli(profile)
    with pytest.raises(ProfileError, match=says) as raised:
        cli(cloud).get_credentials()
    assert str(path) in str(raised.value)
    assert "'default'" in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


def test_an_edited_profile_is_seen_at_the_next_fetch(cloud: FakeCloud, files: Files) -> None:
    provider = cli(cloud)
    files.write_cli({"mode": "AK", "access_key_id": "first", "access_key_secret": "s"})
    assert provider.get_credentials().access_key_id == "first"
    files.write_cli({"mode": "AK", "access_key_id": "second", "access_key_secret": "s"})
    assert provider.refresh().access_key_id == "second"


def test_the_profile_is_that_of_the_argument_then_the_variable_then_current(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_cli(
        *({"name": name, "mode": "AK", "access_key_id": name, "access_key_secret": "s"} for name in ("a", "b", "c")),
        current="c",
    )
    assert cli(cloud).get_credentials().access_key_id == "c"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "b")
    assert cli(cloud).get_credentials().access_key_id == "b"
    assert cli(cloud, "a").get_credentials().access_key_id == "a"


def test_what_the_cli_writes_when_it_is_first_run_is_no_source(cloud: FakeCloud, files: Files) -> None:
    files.write_cli({"mode": "AK", "access_key_id": "", "access_key_secret": "", "region_id": "cn-hangzhou"})
    with pytest.raises(ProviderUnavailable, match="has no credentials"):
        cli(cloud).get_credentials()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "True"), ("ALIBABA_CLOUD_IGNORE_PROFILE", "TRUE")],
)
def test_profiles_can_be_switched_off(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    monkeypatch.setenv(variable, value)
    with pytest.raises(ProviderUnavailable, match=variable):
        cli(cloud).get_credentials()


def test_commands_and_urls_of_profiles_can_be_forbidden(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "1")
    files.write_cli({"mode": "External", "process_command": "true"})
    with pytest.raises(ProfileError, match="ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"):
        cli(cloud).get_credentials()


def test_a_profile_whose_role_is_not_there_is_broken_and_not_absent(cloud: FakeCloud, files: Files) -> None:
    files.write_cli({"mode": "EcsRamRole"})
    cloud.detach_role()
    with pytest.raises(ProfileError, match="No RAM role is attached"):
        cli(cloud).get_credentials()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_with_secrets_that_everybody_may_read_warns_once(
    cloud: FakeCloud, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    path.chmod(0o644)
    provider = cli(cloud)
    with caplog.at_level(logging.WARNING):
        provider.get_credentials()
        provider.refresh()
    warnings = [record for record in caplog.records if "chmod 600" in record.getMessage()]
    assert len(warnings) == 1


def test_where_files_have_no_modes_nobody_is_warned_of_them(
    cloud: FakeCloud, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    path.chmod(0o666)
    warn_of_readers(path, posix=False)
    assert not caplog.records
    if os.name == "posix":
        cli(cloud).get_credentials()
        assert "chmod 600" in caplog.text


INI_TYPES = {
    "static_ak": "type = access_key\n{keys}",
    "static_sts": "type = sts\n{keys}\nsecurity_token = a-token",
    "ram_role_arn/static_ak": "type = ram_role_arn\n{keys}\nrole_arn = {app}\nrole_session_name = me",
    "ecs_ram_role": "type = ecs_ram_role\nrole_name = web",
    "oidc_role_arn": (
        "type = oidc_role_arn\nrole_arn = {pod}\noidc_provider_arn = {issuer}\noidc_token_file_path = {token}"
    ),
    "credential_uri": "type = credentials_uri\ncredentials_uri = {url}",
    "external": "type = external\nprocess_command = {command}",
}


@pytest.mark.parametrize("name", INI_TYPES)
def test_every_type_of_the_ini_file_gives_credentials(
    cloud: FakeCloud, keys: dict[str, str], files: Files, tmp_path: Path, name: str
) -> None:
    text = INI_TYPES[name].format(
        keys="\n".join(f"{key} = {value}" for key, value in keys.items()),
        app=cloud.add_role("app").arn,
        pod=cloud.add_role("pod", trust=cloud.oidc.trust()).arn,
        issuer=cloud.oidc.provider_arn,
        token=cloud.oidc.write_token(tmp_path / "token"),
        url=cloud.url + METADATA_PATH,
        command=modes(cloud, keys, tmp_path)["external"]["process_command"],
    )
    files.write_ini(f"[default]\n{text}\n")
    assert ini(cloud).get_credentials().provider_name == f"profile/{name}"


def test_a_key_pair_of_either_file_signs_for_a_session(cloud: FakeCloud, files: Files, tmp_path: Path) -> None:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra rsa")
    from cryptography.hazmat.primitives import serialization as form

    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()
    key_id = cloud.account.add_public_key(cloud.add_user("rsa"), public, cloud.clock.time())
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    files.write_cli({"mode": "RsaKeyPair", "private_key": str(path), "key_pair_name": key_id, "expired_seconds": 900})
    files.write_ini(f"[default]\ntype = rsa_key_pair\npublic_key_id = {key_id}\nprivate_key_file = {path}\n")
    assert cli(cloud).get_credentials().provider_name == "cli_profile/rsa_key_pair"
    assert ini(cloud).get_credentials().provider_name == "profile/rsa_key_pair"


def test_signs_that_ini_files_are_fond_of_are_parts_of_secrets(cloud: FakeCloud, files: Files) -> None:
    files.write_ini(
        "\ufeff; a comment\r\n# another\r\n[default]\r\nenable = true\r\nTYPE = access_key\r\n"
        "access_key_id = id ; trailing\r\naccess_key_secret = a%b#c;d%(x)s=e\r\n"
    )
    credentials = ini(cloud).get_credentials()
    assert (credentials.access_key_id, credentials.access_key_secret) == ("id", "a%b#c;d%(x)s=e")


def test_the_file_of_the_go_library_is_found_too(cloud: FakeCloud, files: Files) -> None:
    path = files.write_ini("[default]\naccess_key_id = a\naccess_key_secret = b\n")
    path.rename(path.with_name("credentials"))
    assert ini(cloud).get_credentials().access_key_id == "a"


def test_a_disabled_section_is_not_here(cloud: FakeCloud, files: Files) -> None:
    files.write_ini("[default]\nenable = false\ntype = access_key\naccess_key_id = a\naccess_key_secret = b\n")
    with pytest.raises(ProviderUnavailable, match="enable"):
        ini(cloud).get_credentials()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("access_key_id = s3cr3t\n", "line 1"),
        ("[default]\ns3cr3t\n", "line 2"),
        ("[default]\ntype = access_key\naccess_key_id = a\n", "access_key_secret is missing"),
        ("[default]\ntype = s3cr3t\n", "type must be one of"),
        ("[default]\ntype = bearer\nbearer_token = s3cr3t\n", "BearerTokenProvider"),
        ("[default]\ntype = ram_role_arn\naccess_key_id=a\naccess_key_secret=s3cr3t\nrole_arn=s3cr3t\n", "role_arn"),
    ],
)
def test_a_broken_section_is_told_with_its_file_and_without_values(
    cloud: FakeCloud, files: Files, text: str, says: str
) -> None:
    path = files.write_ini(text)
    with pytest.raises(ProfileError, match=says) as raised:
        ini(cloud).get_credentials()
    assert str(path) in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"{", "line 1"),
        (b"[]", "not hold a JSON object"),
        (b'{"profiles": 3}', "profiles"),
        (b'{"profiles": [3]}', "profiles"),
        (b'{"current": "gone", "profiles": []}', "gone"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b"\xff{}", "UTF-8"),
        (b"[" * 100_000, "JSON"),
        (b" " * 1_100_000, "longer than"),
    ],
)
def test_an_unusable_file_is_named(cloud: FakeCloud, files: Files, content: bytes, says: str) -> None:
    path = files.write_cli()
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=says) as raised:
        cli(cloud).get_credentials()
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("make", [cli, ini])
def test_a_directory_in_place_of_the_file_is_named(cloud: FakeCloud, files: Files, make: Any) -> None:
    files.cli.mkdir(parents=True)
    files.ini.mkdir(parents=True)
    with pytest.raises(ProfileError, match="directory"):
        make(cloud).get_credentials()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, and those above it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def shut(path: Path) -> Iterator[None]:
    """Nobody may open the file or enter the folder; root, which may everything, becomes nobody meanwhile."""
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_home_directory_of_somebody_else_is_no_source_and_no_trouble(
    cloud: FakeCloud, files: Files, home: Path
) -> None:
    files.write_cli({"mode": "AK"})
    files.write_ini("[default]\n")
    with shut(home):
        for provider in (cli(cloud), ini(cloud)):
            assert home.name in provider.explain()
            with pytest.raises(ProviderUnavailable):
                provider.get_credentials()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_folder_that_may_not_be_entered_is_told_where_the_file_in_it_was_named(
    cloud: FakeCloud, files: Files, home: Path
) -> None:
    path = files.write_cli({"mode": "AK"})
    with shut(home), pytest.raises(ProfileError, match="cannot be accessed"):
        cli(cloud, path=path).get_credentials()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_may_not_be_read_is_named(cloud: FakeCloud, open_folder: Path) -> None:
    path = open_folder / "config.json"
    path.write_text("{}")
    with shut(path), pytest.raises(ProfileError, match=rf"{path} cannot be read \(Permission denied\)"):
        cli(cloud, path=path).get_credentials()


@pytest.mark.parametrize(
    ("variable", "make"), [("ALIBABA_CLOUD_CONFIG_FILE", cli), ("ALIBABA_CLOUD_CREDENTIALS_FILE", ini)]
)
@pytest.mark.parametrize("name", ["missing", "~no-such-user/missing"])
def test_a_missing_file_that_a_variable_names_is_passed_over_with_a_warning(
    cloud: FakeCloud,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    make: Any,
    name: str,
) -> None:
    """As the official libraries do it; but whoever set the variable meant the file."""
    monkeypatch.setattr("ramrole_creds.providers.profiles.files._warned", set())
    monkeypatch.setenv(variable, name)
    with pytest.raises(ProviderUnavailable, match=rf"missing does not exist, and {variable} names it"):
        make(cloud).get_credentials()
    assert "does not exist" in make(cloud).explain()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([text for text in warnings if f"does not exist, although {variable} names it" in text]) == 1
    monkeypatch.setenv(variable, os.devnull)
    with pytest.raises(ProviderUnavailable, match="use no profile file"):
        make(cloud).get_credentials()


def test_a_file_that_an_argument_names_may_be_missing(cloud: FakeCloud) -> None:
    with pytest.raises(ProviderUnavailable):
        cli(cloud, path="/no/such/file").get_credentials()
    with pytest.raises(ProviderUnavailable):
        IniProfileProvider(path="~no-such-user/file").get_credentials()


def test_a_tilde_in_a_variable_is_the_home_directory(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_cli({"mode": "AK", "access_key_id": "LTAI", "access_key_secret": "s"})
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", "~/.aliyun/config.json")
    assert cli(cloud).get_credentials().access_key_id == "LTAI"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("mode", "access_key_id", "access_key_secret", "sts_token", "ram_role_arn", "expired_seconds", "policy"),
        *("source_profile", "ram_session_name", "sts_region", "sts_expiration", "credentials_uri", "enable_vpc"),
    ]
)
MODE_WORDS = st.sampled_from(["AK", "StsToken", "RamRoleArn", "ChainableRamRoleArn", "OIDC", "OAuth", "CloudSSO", ""])
PROFILES = st.dictionaries(FIELDS, JSON | st.text(max_size=10), max_size=6) | st.fixed_dictionaries(
    {"mode": MODE_WORDS, "access_key_id": st.text(max_size=5), "access_key_secret": st.text(max_size=5)}
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profile=PROFILES)
def test_no_profile_ends_in_anything_but_a_typed_error_that_names_the_file(files: Files, profile: Any) -> None:
    path = files.write_cli({**profile, "name": "default"})
    text = CliProfileProvider().explain()  # opens, never fetches
    assert text
    assert load_config(ProfilePath(path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_in_a_file_end_in_anything_but_a_typed_error_that_names_it(files: Files, content: bytes) -> None:
    def outcome(provider: CliProfileProvider | IniProfileProvider, path: Path) -> str:
        path.write_bytes(content)
        try:
            return repr(provider.get_credentials()) and str(path)
        except RamRoleError as error:
            return str(error)

    files.write_cli()
    files.write_ini("")
    assert str(files.cli) in outcome(CliProfileProvider(), files.cli)
    assert str(files.ini) in outcome(IniProfileProvider(), files.ini)


NAME = st.text("abcdefghij_", min_size=1, max_size=8)
SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).filter(
    lambda text: text[0] not in "'\"{;#=" and text[-1] not in "'\""
)


@given(
    sections=st.dictionaries(NAME, st.dictionaries(NAME, SECRET, max_size=4), max_size=4),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_an_ini_file_gives_back_what_was_written_into_it(sections: dict[str, dict[str, str]], newline: str) -> None:
    lines = []
    for name, fields in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in fields.items()), ""]
    assert parse_ini(newline.join(lines)) == sections


@given(text=st.text())
def test_any_text_is_an_ini_file_or_malformed(text: str) -> None:
    try:
        parse_ini(text)
    except MalformedIni as error:
        assert "line" in str(error)  # noqa: PT017  # either is right


@pytest.mark.parametrize(
    ("environ", "windows", "home"),
    [
        ({"HOME": "/h"}, False, "/h"),
        ({"HOME": "/h", "USERPROFILE": "/u"}, True, "/h"),
        ({"HOMEDRIVE": "C:", "HOMEPATH": "/p", "USERPROFILE": "/u"}, True, "C:/p"),
        ({"USERPROFILE": "/u"}, True, "/u"),
    ],
)
def test_the_home_directory_is_where_the_official_libraries_look(
    environ: dict[str, str], windows: object, home: str
) -> None:
    assert home_directory(environ, windows=bool(windows)) == Path(home)


@pytest.mark.skipif(os.name != "posix", reason="the users of POSIX")
def test_without_home_it_is_that_of_the_user_where_the_system_knows_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(_: int) -> None:
        raise KeyError

    assert home_directory({}, windows=False) == Path(pwd.getpwuid(os.getuid()).pw_dir)
    monkeypatch.setattr(pwd, "getpwuid", nobody)  # as in a container that runs as a number
    with pytest.raises(ProviderUnavailable, match="Set HOME"):
        home_directory({}, windows=False)
    monkeypatch.delenv("HOME")
    assert "Set HOME" in default_provider().explain()


@pytest.mark.parametrize("make", [CliProfileProvider, IniProfileProvider])
def test_a_path_that_is_none_is_refused(make: Any) -> None:
    assert "by its path, not by int" in make(path=5).explain()
    with pytest.raises(ProfileError, match="not a valid path"):
        make(path="a\0b").get_credentials()


def test_an_unset_userprofile_is_told_and_not_ignored() -> None:
    with pytest.raises(ProviderUnavailable, match="USERPROFILE"):
        home_directory({}, windows=True)
