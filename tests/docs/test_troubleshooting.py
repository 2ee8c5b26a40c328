"""The page of errors describes every error, and quotes errors as the code writes them."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ramrole_creds
from ramrole_creds import (
    EcsRamRoleProvider,
    FetchError,
    FunctionProvider,
    MetadataError,
    RamRoleError,
    StaticProvider,
    StsError,
    default_provider,
)
from ramrole_creds.errors import cannot_be_pickled

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^###+ (.+)$", PAGE, re.MULTILINE)
QUOTED = [
    text.removeprefix("``").removesuffix(" ``")
    for text in HEADINGS
    if text.startswith("`") and not re.fullmatch(r"(`[A-Z][A-Za-z.]+`(, )?)+", text)
]
SECTIONS = {re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in HEADINGS}
REFERENCE = re.compile(r" \(docs: troubleshooting\.html#([a-z-]+)\)$")
# What the package raises beside its own errors: who meets them, and why they need no section.
PLAIN = {
    "AssertionError": "a defect of this library",
    "AttributeError": "Python's own words for a missing or read-only attribute",
    "HTTPException": "caught where connections are opened",
    "KeyError": "the fake cloud's; AssertionErrors and ValueErrors of the testing toolkit name the argument",
    "OSError": "caught where files are read",
    "TimeoutError": "caught where connections are opened",
    "RuntimeError": "caught, or a defect of this library",
    "SystemExit": "the status of a command whose report says why",
    "ValueError": "caught by the reader of a format",
    "NotImplementedError": "a defect of this library",
}


def section_of(error: BaseException) -> str:
    """The section that the last line of an error's text names."""
    found = REFERENCE.search(str(error).splitlines()[-1])
    assert found is not None, str(error)
    return found.group(1)


def texts_of_the_code() -> str:
    """All text literals of the package, those of one expression together."""
    found = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(map(str, parts)))
    return "\n".join(found)


def classes_of_the_code() -> dict[str, set[str]]:
    """The names of the bases of every class of the package, by the name of the class."""
    nodes = [node for file in SOURCES for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    return {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }


CODE = texts_of_the_code()
CLASSES = classes_of_the_code()


def is_ours(name: str) -> bool:
    """True for RamRoleError and what derives from it."""
    return name == "RamRoleError" or any(is_ours(base) for base in CLASSES.get(name, ()) if base != name)


@pytest.mark.parametrize("text", QUOTED)
def test_a_quoted_error_is_one_of_ours(text: str) -> None:
    assert text.strip("`") in CODE


def test_every_error_class_has_a_section_of_its_name() -> None:
    public = [name for name in ramrole_creds.__all__ if is_ours(name)]
    assert len(public) > 15
    assert {name.lower() for name in public} <= SECTIONS


def test_the_text_of_a_public_error_leads_to_the_section_of_its_class() -> None:
    classes = [getattr(ramrole_creds, name) for name in ramrole_creds.__all__ if is_ours(name)]
    assert [cls.__name__ for cls in classes if not cls("m").section.startswith(cls.__name__.lower())] == []


def test_every_section_that_the_code_names_is_there() -> None:
    named = set(re.findall(r'_section = "([\w-]+)"|reference\("([\w-]+)"\)|": "(stserror-[\w-]+)"', "\n".join(
        file.read_text(encoding="utf-8") for file in SOURCES
    )))  # fmt: skip
    sections = {section for groups in named for section in groups if section}
    assert len(sections) > 15
    assert sections - SECTIONS == set()


@pytest.mark.parametrize("code", ["", "NoPermission", "Throttling.User", "InvalidParameter.RoleArn", "SomethingNew"])
@pytest.mark.parametrize("status", [None, 403])
def test_every_refusal_of_sts_leads_to_a_section(code: str, status: int | None) -> None:
    assert StsError("m", code=code, status=status).section in SECTIONS


@pytest.mark.parametrize("step", ["token", "role", "credentials", "item", "another", ""])
@pytest.mark.parametrize("status", [None, 404])
def test_every_failure_of_the_metadata_service_leads_to_a_section(step: str, status: int | None) -> None:
    assert MetadataError("m", step=step, status=status).section in SECTIONS


def test_every_raise_is_of_a_class_that_has_a_section_or_a_reason_to_have_none() -> None:
    """Of functions that make an error, the class that they make is looked at by the test of all texts."""
    for file in SOURCES:
        if "testing" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Raise) or node.exc is None:
                continue
            call = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(call).rpartition(".")[2]
            if name[0].isupper() and name not in PLAIN:
                known = is_ours(name) or name in {"ClickException", "UsageError"} or name in CLASSES
                official = name in {"ClientException", "ClientError", "CredentialException"}  # an SDK's, around ours
                wire = file.parent.name == "_http"  # caught there
                assert known or official or wire, (file.name, node.lineno, name)


def test_the_errors_of_a_user_end_with_a_section_of_the_page() -> None:
    calls: dict[str, Callable[[], object]] = {
        "nocredentialserror": lambda: default_provider(only=("env",)).get_credentials(),
        "metadataunreachable": EcsRamRoleProvider(endpoint="http://127.0.0.1:9").get_credentials,
        "configurationerror": lambda: EcsRamRoleProvider(endpoint="ftp://x"),
        "unknown-argument": lambda: EcsRamRoleProvider(timeout=5),  # type: ignore[call-arg]  # on purpose
        "cannot-be-pickled": StaticProvider("LTAI5tExample", "secret").__reduce__,
        "signingerror": lambda: ramrole_creds.signing.Request("GET", "x"),
    }
    for section, call in calls.items():
        with pytest.raises(Exception, match=rf"\(docs: troubleshooting\.html#{section}\)$") as raised:
            call()
        assert section_of(raised.value) in SECTIONS


def test_an_error_that_quotes_others_names_one_section_at_its_end() -> None:
    with pytest.raises(RamRoleError) as raised:
        default_provider().get_credentials()
    assert str(raised.value).count("troubleshooting.html") == 1
    assert raised.value.message == REFERENCE.sub("", str(raised.value))


def test_an_error_of_somebody_elses_provider_keeps_its_text() -> None:
    def fetch() -> None:
        raise FetchError("The vault is sealed.")

    with pytest.raises(FetchError) as raised:
        FunctionProvider(fetch).get_credentials()  # type: ignore[arg-type]  # it returns nothing
    assert str(raised.value) == raised.value.message == "The vault is sealed."


def test_status_and_explanations_leave_the_section_out() -> None:
    provider = EcsRamRoleProvider(endpoint="http://127.0.0.1:9")
    with pytest.raises(RamRoleError):
        provider.get_credentials()
    misconfigured = default_provider(endpoint="ftp://x").explain()
    assert "broken: endpoint must be" in misconfigured
    assert "troubleshooting" not in f"{provider.status()} {default_provider().explain()} {misconfigured}"
    with pytest.raises(FetchError, match=r"endpoint must be .* \(docs: troubleshooting\.html#configurationerror\)$"):
        default_provider(only=("ecs_ram_role",), endpoint="ftp://x").get_credentials()
    assert "troubleshooting" in str(cannot_be_pickled("x"))


def test_the_lists_of_texts_are_made_from_every_class_and_are_not_empty() -> None:
    generated = runpy.run_path(str(ROOT / "docs" / "generated.py"))
    listed = re.findall(r"^```\{error-texts\} (\w+)$", PAGE, re.MULTILINE)
    assert set(listed) == set(generated["error_classes"]()) - {"RamRoleError"}
    for name in listed:
        assert generated["error_texts"](name), name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ConfigurationError", "contains a line break"),
        ("FetchError", "the attempt to connect was not answered"),
        ("FetchTimeout", "did not answer within fetch_timeout"),
        ("LifetimeTooShort", "cannot provide credentials valid for"),
        ("MetadataError", "do not set token_mode='off'"),
        ("NoCredentialsError", "Each source in turn:\n…\nRun `ramrole-creds doctor`."),
        ("ProfileError", "source_profile leads back to itself"),
        ("RoleApiError", "The caller needs ram:PassRole"),
        ("StsError", "The OIDC token has expired"),
    ],
)
def test_the_list_of_an_error_has_the_parts_that_its_texts_are_made_of(name: str, part: str) -> None:
    generated = runpy.run_path(str(ROOT / "docs" / "generated.py"))
    assert any(part in text for text in generated["error_texts"](name))


def test_every_module_whose_texts_are_parts_of_an_error_is_there() -> None:
    parts = runpy.run_path(str(ROOT / "docs" / "generated.py"))["PARTS"]
    assert set(parts) <= set(ramrole_creds.__all__)
    assert [
        name for names in parts.values() for name in names if not (ROOT / "src/ramrole_creds" / name).is_file()
    ] == []


FAILURES = {
    "a source that is not there": ("export", "--only", "ecs"),
    "a setting that is not valid": ("export",),
    "a command that is not there": ("exec", "--only", "env", "--", "/no/such/command"),
    "a client that is not there": ("conformance", "--", "/no/such/client"),
    "an invalid recording": ("replay", __file__),
    "a file that cannot be written": ("replay", "{recording}", "--svg", "/no/such/folder/life.svg"),
    "a configuration that is not there": ("serve", "--config", "/no/such/file"),
    "an invalid map": ("serve", "--map", "web"),
    "an item without the protocol of items": ("serve", "--allow-item", "region-id"),
    "an address of another machine": ("fake-cloud", "--host", "192.0.2.1"),
    "an invalid region": ("role", "list", "--region", "Hangzhou"),
    "an identity that is not there": ("whoami",),
}


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_of_the_command_leads_to_a_section(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app
    from ramrole_creds.recorder import Recorder

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "ftp://127.0.0.1:9")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tExample" if name.startswith("a command") else "")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret" if name.startswith("a command") else "")
    Recorder(StaticProvider("LTAI5tExample", "secret")).dump(tmp_path / "recording")
    arguments = [one.format(recording=tmp_path / "recording") for one in FAILURES[name]]
    done = testing.CliRunner().invoke(app, arguments)
    assert done.exit_code in {1, 126, 127}, done.output
    found = REFERENCE.search(done.output.rstrip())
    assert found is not None, done.output
    assert found.group(1) in SECTIONS
