"""The examples of providers.md and of the page of each provider, and each URL of the table, run as they stand there."""

from __future__ import annotations

import os
import re
import runpy
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ramrole_creds
from ramrole_creds import (
    CliProfileProvider,
    CredentialProvider,
    Credentials,
    FunctionProvider,
    IniProfileProvider,
    MetadataError,
    NoCredentialsError,
    RefreshPolicy,
    default_provider,
    provider_from_url,
)
from ramrole_creds.providers.profiles.cli_modes import KEYLESS_MODES, MODES

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud, VirtualClock

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "providers.md").read_text(encoding="utf-8")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((DOCS / "providers").glob("*.md"))}
PARTS = ["When it applies", "Example", "Options", "What it reads", "Errors", "Refresh", "In other libraries"]
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
URLS = re.findall(r"^\| `([\w-]+://[^`]*)` \| `(.+)` \|$", PAGE, flags=re.MULTILINE)


@pytest.fixture(autouse=True)
def _surroundings(ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    ramrole_cloud.add_role("app")
    monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", ramrole_cloud.url)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "manual"}
    exec(compile(EXAMPLES[number], "docs/providers.md", "exec", dont_inherit=True), names)
    printed = capsys.readouterr().out
    assert ("Credentials(" in printed) == ("print(" in EXAMPLES[number])


@pytest.mark.parametrize("name", PAGES)
def test_the_example_of_each_page_runs(
    name: str,
    ramrole_cloud: FakeCloud,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pod = ramrole_cloud.add_role("pod", trust=ramrole_cloud.oidc.trust())
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", pod.arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", ramrole_cloud.oidc.provider_arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(tmp_path / "token"))
    path = "/latest/meta-data/ram/security-credentials/web"
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", ramrole_cloud.url + path)
    ramrole_cloud.oidc.write_token(tmp_path / "token")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGES[name], flags=re.MULTILINE | re.DOTALL)
    exec(compile(example, f"docs/providers/{name}.md", "exec", dont_inherit=True), {"__name__": "manual"})
    assert capsys.readouterr().out.strip() not in {"", "False"}


@pytest.mark.parametrize("name", PAGES)
def test_each_page_has_the_parts_of_the_template(name: str) -> None:
    assert re.findall(r"^## (.+)$", PAGES[name], re.MULTILINE) == PARTS
    assert f"providers/{name}.md)" in PAGE
    assert f"\nproviders/{name}\n" in PAGE


def test_every_provider_has_a_page_with_its_options_as_the_code_has_them() -> None:
    with_tables = runpy.run_path(str(DOCS / "generated.py"))["with_tables"]
    for name, page in PAGES.items():
        assert with_tables(page) == page, f"docs/providers/{name}.md is out of date. Run: python docs/generated.py"
    described = {re.findall(r"<!-- options of (\w+): begin", page)[0] for page in PAGES.values()}
    assert described == {name for name in ramrole_creds.__all__ if name.endswith("Provider")} - {"CredentialProvider"}


def test_every_message_that_a_page_shows_is_one_of_ours_or_of_a_service() -> None:
    texts = runpy.run_path(str(DOCS / "generated.py"))["error_texts"]
    for name, page in PAGES.items():
        table = page.partition("| message | class | what to do |")[2].partition("\n\n")[0]
        for message, kind in re.findall(r"^\| `+([^|]+)` \| \[(\w+)\]", table, re.MULTILINE):
            parts = [part.strip() for part in message.removesuffix(" `").split("…") if part.strip(" ():")]
            source = "".join(path.read_text("utf-8") for path in Path(ramrole_creds.__file__).parent.rglob("*.py"))
            known = " ".join([*texts(kind), source])
            assert all(part in known for part in parts), (name, message)


def test_the_package_of_the_manual_adds_its_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [example for example in EXAMPLES if example.startswith("# my_package.py\n")]
    (registration,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    group, point = re.fullmatch(r'\[project\.entry-points\."([\w.]+)"\]\n(.*)\n', registration).groups()  # type: ignore[union-attr]
    (tmp_path / "my_package.py").write_text(code, encoding="utf-8")
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{group}]\n{point.replace(chr(34), '')}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_package", raising=False)
    assert default_provider(only=("env", "my-vault")).get_credentials().provider_name == "default/vault"
    assert getattr(provider_from_url("my-vault://path"), "path") == "path"  # noqa: B009  # of a class made here
    with pytest.raises(NoCredentialsError, match="no vault here"):
        ramrole_creds.ProviderChain(provider_from_url("my-vault://nowhere")).get_credentials()


@pytest.mark.parametrize(("url", "code"), URLS, ids=[url.partition(":")[0] for url, _ in URLS])
def test_every_url_of_the_table_is_what_stands_beside_it(url: str, code: str) -> None:
    made, beside = provider_from_url(url), eval(code, vars(ramrole_creds) | names_of_the_package())
    assert isinstance(beside, CredentialProvider)
    assert type(made) is type(beside)
    assert describe_error(made) == describe_error(beside)


def describe_error(provider: CredentialProvider) -> tuple[str, str]:
    return provider.get_provider_name(), getattr(provider, "explain", str)()


def names_of_the_package() -> dict[str, object]:
    """Those that are loaded where somebody asks for them too."""
    return {name: getattr(ramrole_creds, name) for name in ramrole_creds.__all__}


def test_every_provider_has_a_url_in_the_table_or_holds_secrets() -> None:
    classes = {name for name in ramrole_creds.__all__ if name.endswith(("Provider", "Chain"))}
    with_secrets = {"StaticProvider", "BearerTokenProvider", "OAuthProvider", "CloudSsoProvider"}
    others = {"CredentialProvider", "FunctionProvider"}  # abstract; a function cannot be written into a URL
    assert classes - with_secrets - others == {type(provider_from_url(url)).__name__ for url, _ in URLS}


@pytest.mark.parametrize(
    ("hours", "left"),
    [
        pytest.param(6.0, 25, id="the role of an instance: its last 25 minutes"),
        pytest.param(1.0, 15, id="a session of an hour: its last quarter"),
        pytest.param(3.0, 25, id="a longer session: 25 minutes before its end"),
        pytest.param(12.0, 360, id="a session of half a day: after six hours"),
    ],
)
def test_the_pages_say_when_credentials_are_refreshed(hours: float, left: float, ramrole_clock: VirtualClock) -> None:
    end = datetime.fromtimestamp(ramrole_clock.time() + hours * 3600, timezone.utc)
    policy = RefreshPolicy(jitter=0.0)
    provider = FunctionProvider(lambda: Credentials("STS.NTexample", "secret", "token", end), policy=policy)
    provider.get_credentials()
    due = provider.status().next_attempt
    assert due is not None
    assert (end - due) / timedelta(minutes=1) == pytest.approx(left, abs=0.1)


def test_the_pages_say_when_credentials_without_an_expiration_are_fetched_again(ramrole_clock: VirtualClock) -> None:
    token, key = (
        FunctionProvider(lambda parts=parts: Credentials("LTAI5tExample", "secret", *parts))
        for parts in (("token",), ())
    )
    for provider in (token, key):
        provider.get_credentials()
    ramrole_clock.advance(minutes=6)
    for provider in (token, key):
        provider.get_credentials()
    assert (token.status().fetches, key.status().fetches) == (2, 1)


@pytest.mark.parametrize("provider", [CliProfileProvider, IniProfileProvider])
def test_the_settings_that_a_profile_takes_from_the_environment_are_those_on_its_page(
    provider: type[CliProfileProvider | IniProfileProvider],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "another")
    file = tmp_path / "profiles"
    if provider is CliProfileProvider:
        file.write_text('{"profiles": [{"name": "default", "mode": "EcsRamRole"}]}')
    else:
        file.write_text("[default]\ntype = ecs_ram_role\n")
    with pytest.raises(MetadataError, match="'another' is not attached"):
        provider(path=file).get_credentials()
    page = PAGES["cli-profile" if provider is CliProfileProvider else "profile"]
    assert (
        "`ALIBABA_CLOUD_ECS_METADATA`" in page.partition("does take from there")[2] + page.partition("it does take")[2]
    )


def test_every_variable_that_the_page_names_is_read() -> None:
    """That every variable is on a page is the business of the page of variables."""
    source = "".join(path.read_text("utf-8") for path in Path(ramrole_creds.__file__).parent.rglob("*.py"))
    pattern = r"\b((?:ALIBABA_CLOUD|ALIBABACLOUD|ALICLOUD|RAMROLE_CREDS)_[A-Z0-9_]+[A-Z0-9])\b"
    assert set(re.findall(pattern, PAGE + "".join(PAGES.values()))) - set(re.findall(rf'"{pattern}"', source)) == set()


def test_every_mode_of_the_cli_stands_on_the_page() -> None:
    table = PAGES["cli-profile"].partition("| mode | fields |")[2].partition("\n\n")[0]
    told = {name.lower() for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == set(MODES) | set(KEYLESS_MODES)
