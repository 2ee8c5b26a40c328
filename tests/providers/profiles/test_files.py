"""The files of profiles: where they are, and what is wrong with them."""

from __future__ import annotations

import errno
import logging
import os
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
from ramrole_creds.providers.profiles.files import warn_of_readers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files


def cli(cloud: FakeCloud, name: str | None = None, **more: Any) -> CliProfileProvider:
    return CliProfileProvider(name, endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock, **more)


def ini(cloud: FakeCloud, section: str | None = None) -> IniProfileProvider:
    return IniProfileProvider(section, endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock)


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


def test_a_platform_without_file_modes_gets_no_warning(
    cloud: FakeCloud, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    path.chmod(0o666)
    warn_of_readers(path, posix=False)
    assert not caplog.records
    if os.name == "posix":
        cli(cloud).get_credentials()
        assert "chmod 600" in caplog.text


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
def test_the_home_directory_of_another_user_is_skipped(cloud: FakeCloud, files: Files, home: Path) -> None:
    files.write_cli({"mode": "AK"})
    files.write_ini("[default]\n")
    with shut(home):
        for provider in (cli(cloud), ini(cloud)):
            assert home.name in provider.explain()
            with pytest.raises(ProviderUnavailable):
                provider.get_credentials()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_folder_that_may_not_be_entered_is_an_error_for_a_file_that_was_named(
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
    """As in the official libraries; but the user who set the variable means the file."""
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


def test_a_file_that_cannot_be_opened_for_want_of_descriptors_stops_the_chain(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    opened = os.open

    def refuse(file: Any, *flags: Any, **more: Any) -> int:
        if file == path:
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(file, *flags, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ProfileError, match="Too many open files"):
        default_provider(endpoint=cloud.url, clock=cloud.clock).get_credentials()


@pytest.mark.skipif(os.name != "posix", reason="links are POSIX's")
@pytest.mark.parametrize("name", ["cli", "ini"])
def test_a_file_that_cannot_be_looked_at_is_an_error_and_not_absent(cloud: FakeCloud, files: Files, name: str) -> None:
    path: Path = getattr(files, name)
    path.parent.mkdir()
    path.symlink_to(path)
    provider = cli(cloud) if name == "cli" else ini(cloud)
    with pytest.raises(ProfileError, match="cannot be accessed"):
        provider.get_credentials()


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
def test_without_home_the_home_directory_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_value_that_is_not_a_path_is_refused(make: Any) -> None:
    assert "by its path, not by int" in make(path=5).explain()
    with pytest.raises(ProfileError, match="not a valid path"):
        make(path="a\0b").get_credentials()


def test_an_unset_userprofile_is_reported() -> None:
    with pytest.raises(ProviderUnavailable, match="USERPROFILE"):
        home_directory({}, windows=True)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name are POSIX's")
@pytest.mark.parametrize(
    ("change", "error", "said"),
    [(a_pipe, ProfileError, "is not a regular file"), (Path.unlink, ProviderUnavailable, "does not exist")],
    ids=["a pipe", "gone"],
)
def test_a_file_that_is_replaced_while_it_is_looked_at_is_reported(
    cloud: FakeCloud,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    error: type[RamRoleError],
    said: str,
) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    opened = os.open

    def changing(name: Any, *more: Any, **options: Any) -> int:
        if name == path:
            change(path)
        return opened(name, *more, **options)

    monkeypatch.setattr(os, "open", changing)
    with pytest.raises(error, match=said):
        cli(cloud).get_credentials()


def test_a_file_that_goes_after_it_was_read_is_used(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    opened = os.open

    def removing(name: Any, *more: Any, **options: Any) -> int:
        descriptor = opened(name, *more, **options)
        if name == path:
            path.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", removing)
    assert cli(cloud).get_credentials().access_key_id == "a"
