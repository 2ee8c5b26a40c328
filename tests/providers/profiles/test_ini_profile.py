"""Sections of the SDKs' ini file."""

from __future__ import annotations

import configparser
import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds import (
    IniProfileProvider,
    ProfileError,
    ProviderUnavailable,
    default_provider,
)
from ramrole_creds.providers.profiles._ini_document import MalformedIni, parse_ini

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files


METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


def ini(cloud: FakeCloud, section: str | None = None) -> IniProfileProvider:
    return IniProfileProvider(section, endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock)


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
        command=shlex.join([sys.executable, "-c", f"print({json.dumps(keys)!r})"]),
    )
    files.write_ini(f"[default]\n{text}\n")
    assert ini(cloud).get_credentials().provider_name == f"profile/{name}"


def test_special_characters_of_ini_files_are_parts_of_secrets(cloud: FakeCloud, files: Files) -> None:
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


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("; a comment\n", id="comment"),
        pytest.param("[default]\n", id="no-keys"),
        pytest.param("[default]\nregion_id = cn-hangzhou\n", id="region-only"),
        pytest.param("[default]\ntype = access_key\naccess_key_id =\naccess_key_secret =\n", id="template"),
        pytest.param("[DEFAULT]\nregion_id = cn-hangzhou\n", id="defaults-only"),
    ],
)
@pytest.mark.parametrize("named", [None, "prod"], ids=["default", "variable"])
def test_a_file_without_anything_about_credentials_is_skipped(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch, content: str, named: str | None
) -> None:
    if named:
        monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", named)
    files.write_ini(content)
    with pytest.raises(ProviderUnavailable, match="has no"):
        ini(cloud).get_credentials()
    chain = default_provider(endpoint=cloud.url, clock=cloud.clock)
    assert chain.get_credentials().provider_name == "default/ecs_ram_role"


@pytest.mark.parametrize("more", ["", "[other]\nregion_id = cn-hangzhou\n"])
def test_keys_in_the_defaults_only_are_pointed_out(cloud: FakeCloud, files: Files, more: str) -> None:
    files.write_ini(f"[DEFAULT]\naccess_key_id = a\naccess_key_secret = b\n{more}")
    with pytest.raises(ProviderUnavailable, match=r"its keys only complete other sections\. Write \[default\]"):
        ini(cloud).get_credentials()


@pytest.mark.parametrize("text", ["type = sts\n", "type = access_key\naccess_key_id = a\n", "role_arn = x\n"])
def test_a_section_that_says_anything_about_credentials_is_not_skipped(
    cloud: FakeCloud, files: Files, text: str
) -> None:
    files.write_ini(f"[default]\n{text}")
    with pytest.raises(ProfileError, match="missing"):
        ini(cloud).get_credentials()


def test_what_configparser_reads_is_read(cloud: FakeCloud, files: Files) -> None:
    files.write_ini(
        "[DEFAULT]\naccess_key_secret: of-all\n\n[default]\n  # indented\n  TYPE: access_key\n"
        "  access_key_id:\n     continued\n  enable = true\n"
    )
    credentials = ini(cloud).get_credentials()
    assert (credentials.access_key_id, credentials.access_key_secret) == ("continued", "of-all")


def test_a_policy_may_have_several_lines() -> None:
    text = '[default]\npolicy = {\n  "Version": "1", ; no comment\n\n  "Statement": []\n  }\nrole_name = web\n'
    keys = parse_ini(text)["default"]
    assert keys == {"policy": '{\n"Version": "1", ; no comment\n\n"Statement": []\n}', "role_name": "web"}


def test_a_line_that_is_indented_by_mistake_is_explained(cloud: FakeCloud, files: Files) -> None:
    files.write_ini("[default]\ntype = access_key\n  access_key_id = a\n  access_key_secret = s3cr3t\n")
    with pytest.raises(ProfileError, match="A line that is indented continues the value above it") as raised:
        ini(cloud).get_credentials()
    assert "s3cr3t" not in str(raised.value)


LINES = st.sampled_from(
    [
        *("[a]", "[b]", "[DEFAULT]", " [c]", "[d", "x = 1", "x: 2", "y=", " z = 3", "\tk: v", "A:b=c"),
        *("  more", "    deeper", "", "  ", "# c", "  ; c", "=", ":", "word"),
    ]
)


@settings(max_examples=500)
@given(lines=st.lists(LINES, max_size=8))
def test_a_file_is_read_or_refused_as_configparser_does(lines: list[str]) -> None:
    text = "\n".join(lines)
    parser = configparser.ConfigParser(interpolation=None)
    theirs: dict[str, dict[str, str]] | None
    try:
        parser.read_string(text)
        theirs = {name: {key: value.strip() for key, value in parser.items(name)} for name in parser.sections()}
    except configparser.Error:
        theirs = None
    try:
        ours = parse_ini(text)
    except MalformedIni:
        assert theirs is None  # either is right
    else:
        assert ours == theirs


def test_a_disabled_section_is_skipped(cloud: FakeCloud, files: Files) -> None:
    files.write_ini("[default]\nenable = false\ntype = access_key\naccess_key_id = a\naccess_key_secret = b\n")
    with pytest.raises(ProviderUnavailable, match="enable"):
        ini(cloud).get_credentials()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("access_key_id = s3cr3t\n", "line 1"),
        ("[default]\ns3cr3t\n", "line 2"),
        (
            "[default]\naccess_key_id=a\naccess_key_secret=b\nACCESS_KEY_ID=s3cr3t\n",
            "line 4 repeats the key access_key_id of line 2",
        ),
        ("[default]\naccess_key_id=a\n[x]\n[default]\n", r"line 4 repeats the section \[default\] of line 1"),
        ("[default]\ntype = access_key\naccess_key_id = a\n", "access_key_secret is missing"),
        ("[default]\ntype = s3cr3t\n", "type must be one of"),
        ("[default]\ntype = bearer\nbearer_token = s3cr3t\n", "BearerTokenProvider"),
        ("[default]\ntype = ram_role_arn\naccess_key_id=a\naccess_key_secret=s3cr3t\nrole_arn=s3cr3t\n", "role_arn"),
    ],
)
def test_an_error_of_a_section_names_the_file_and_shows_no_value(
    cloud: FakeCloud, files: Files, text: str, says: str
) -> None:
    path = files.write_ini(text)
    with pytest.raises(ProfileError, match=says) as raised:
        ini(cloud).get_credentials()
    assert str(path) in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


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


def test_an_empty_section_beside_a_complete_one_is_skipped(cloud: FakeCloud, files: Files) -> None:
    files.write_ini("[default]\n[other]\ntype = access_key\naccess_key_id = a\naccess_key_secret = b\n")
    with pytest.raises(ProviderUnavailable, match=r"Section \[default\] in .* has no credentials"):
        ini(cloud).get_credentials()


def test_a_section_is_followed_as_its_file_changes(cloud: FakeCloud, files: Files) -> None:
    provider = ini(cloud)
    seen = []
    for key in ("first", "first", "second"):
        files.write_ini(f"[default]\ntype = access_key\naccess_key_id = {key}\naccess_key_secret = b\n")
        seen.append(provider.refresh().access_key_id)
    assert seen == ["first", "first", "second"]
