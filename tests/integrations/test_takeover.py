"""The official SDKs' own providers, replaced and restored."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.integrations import takeover
from ramrole_creds.testing.services.metadata_service import ROLE_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import EcsRamRoleProvider
    from ramrole_creds.testing import FakeCloud

official = pytest.importorskip("alibabacloud_credentials.client", reason="alibabacloud-credentials")
models = importlib.import_module("alibabacloud_credentials.models")


@pytest.fixture
def taken(ramrole_cloud: FakeCloud) -> Iterator[FakeCloud]:
    """A cloud, with the takeover installed."""
    takeover.install()
    yield ramrole_cloud
    takeover.uninstall()


def client(kind: str) -> Any:
    return official.Client() if kind == "default" else official.Client(models.Config(type=kind))


@pytest.mark.parametrize("kind", ["default", "ecs_ram_role"])
def test_clients_of_every_kind_share_one_fetch(taken: FakeCloud, kind: str) -> None:
    ids = {client(kind).get_credential().access_key_id for _ in range(5)}
    assert len(ids) == 1
    taken.requests.assert_called_once("credentials")


def test_without_it_each_client_fetches(ramrole_cloud: FakeCloud) -> None:
    for _ in range(3):
        client("default").get_credential()
    assert len(ramrole_cloud.requests.to("credentials")) == 3


def test_coroutines_get_the_same(taken: FakeCloud) -> None:
    async def both() -> tuple[str, str]:
        one = await client("default").get_credential_async()
        two = await client("ecs_ram_role").get_credential_async()
        return one.security_token, two.security_token

    one, two = asyncio.run(both())
    assert one == two
    assert taken.requests


def test_a_client_keeps_its_type_and_gets_a_name_of_its_source(taken: FakeCloud) -> None:
    credential = client("default").get_credential()
    assert (credential.type, credential.provider_name) == ("default", "default/ecs_ram_role")
    assert taken.requests


@pytest.fixture
def taken_in_virtual_time(ramrole_cloud: FakeCloud, ramrole_provider: EcsRamRoleProvider) -> Iterator[FakeCloud]:
    """The same, with the provider whose clock the test moves."""
    takeover.install(ramrole_provider)
    yield ramrole_cloud
    takeover.uninstall()


def test_credentials_rotate_under_a_client_that_is_held(taken_in_virtual_time: FakeCloud) -> None:
    held = client("ecs_ram_role")
    first = held.get_credential().access_key_id
    taken_in_virtual_time.clock.advance(hours=6)
    assert held.get_credential().access_key_id != first


@pytest.fixture
def old() -> Any:
    """The classes of release 0.3, which 1.0 has too."""
    return importlib.import_module("alibabacloud_credentials.providers")


@pytest.mark.parametrize("kind", ["default", "ecs_ram_role"])
def test_clients_of_the_old_classes_share_one_fetch(taken: FakeCloud, old: Any, kind: str) -> None:
    def make() -> Any:
        return old.DefaultCredentialsProvider() if kind == "default" else old.EcsRamRoleCredentialProvider("web")

    held = [make().get_credentials() for _ in range(4)]
    assert len({one.get_access_key_id() for one in held}) == 1
    assert all(one.get_security_token() for one in held)
    taken.requests.assert_called_once("credentials")


def test_credentials_of_the_old_classes_rotate_while_they_are_held(taken_in_virtual_time: FakeCloud, old: Any) -> None:
    held = [
        old.DefaultCredentialsProvider().get_credentials(),
        old.EcsRamRoleCredentialProvider(role_name="web").get_credentials(),
    ]
    before = [one.get_access_key_id() for one in held]
    taken_in_virtual_time.clock.advance(hours=6)
    after = [one.get_access_key_id() for one in held]
    assert set(before).isdisjoint(after)
    assert [asyncio.run(one.get_access_key_id_async()) for one in held] == after


def archive_of_the_official_client(directory: Path) -> Path:
    archive = directory / "sdk.zip"
    folder = Path(official.__file__).parent
    with zipfile.ZipFile(archive, "w") as file:
        for source in folder.rglob("*.py"):
            file.write(source, Path(folder.name) / source.relative_to(folder))
    return archive


def test_modules_of_one_archive_are_patched_each(tmp_path: Path) -> None:
    archive = archive_of_the_official_client(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); from ramrole_creds import StaticProvider; "
        "from ramrole_creds.integrations import takeover; takeover.install(StaticProvider('STS.given', 's', 't')); "
        "from alibabacloud_credentials.client import Client; from alibabacloud_credentials import providers; "
        "print(Client().get_credential().access_key_id, providers.__file__.endswith('sdk.zip/alibabacloud_credentials/'"
        "'providers.py'), providers.DefaultCredentialsProvider().get_credentials().get_access_key_id())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "STS.given True STS.given\n", done.stderr


def test_another_module_of_an_archive_is_left_alone(tmp_path: Path) -> None:
    archive = archive_of_the_official_client(tmp_path)
    code = (
        f"import importlib.util, sys; sys.path.insert(0, {str(archive)!r}); from ramrole_creds import StaticProvider; "
        "from ramrole_creds.integrations import takeover; takeover.install(StaticProvider('STS.given', 's', 't')); "
        "importlib.util.find_spec('alibabacloud_credentials.providers'); "
        "from alibabacloud_credentials import exceptions; print('sdk.zip' in exceptions.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_a_module_that_is_imported_after_the_end_is_left_alone() -> None:
    code = (
        "import importlib.util, sys; from ramrole_creds import StaticProvider; "
        "from ramrole_creds.integrations import takeover; takeover.install(StaticProvider('STS.given', 's', 't')); "
        "import alibabacloud_credentials; name = 'alibabacloud_credentials.providers'; "
        "spec = importlib.util.find_spec(name); module = importlib.util.module_from_spec(spec); takeover.uninstall(); "
        "spec.loader.exec_module(module); print(module.DefaultCredentialsProvider.get_credentials.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "alibabacloud_credentials.providers\n", done.stderr


def test_an_error_is_one_of_the_sdk(taken: FakeCloud) -> None:
    exceptions = importlib.import_module("alibabacloud_credentials.exceptions")
    taken.detach_role()
    with pytest.raises(exceptions.CredentialException, match="No RAM role is attached"):
        client("ecs_ram_role").get_credential()


def test_a_role_that_is_pinned_is_the_role_that_is_asked_for(taken: FakeCloud) -> None:
    exceptions = importlib.import_module("alibabacloud_credentials.exceptions")
    pinned = official.Client(models.Config(type="ecs_ram_role", role_name="web"))
    assert pinned.get_credential().access_key_id
    other = official.Client(models.Config(type="ecs_ram_role", role_name="db"))
    with pytest.raises(exceptions.CredentialException, match="db"):
        other.get_credential()
    assert taken.requests


def test_an_error_of_oss2_is_one_of_oss2(taken: FakeCloud) -> None:
    credentials = pytest.importorskip("oss2.credentials", reason="oss2")
    taken.detach_role()
    provider = credentials.EcsRamRoleCredentialsProvider(f"http://100.100.100.200/latest/meta-data/{ROLE_DIRECTORY}web")
    with pytest.raises(credentials.ClientError, match="No RAM role is attached"):
        provider.get_credentials()


def test_an_error_of_the_core_sdk_is_one_of_the_core_sdk(taken: FakeCloud) -> None:
    signers = pytest.importorskip("aliyunsdkcore.auth.signers.ecs_ram_role_signer", reason="aliyun-python-sdk-core")
    exceptions = importlib.import_module("aliyunsdkcore.acs_exception.exceptions")
    credential = importlib.import_module("aliyunsdkcore.auth.credentials").EcsRamRoleCredential("web")
    request = importlib.import_module("aliyunsdkcore.request").RpcRequest("Ecs", "2014-05-26", "DescribeRegions")
    taken.detach_role()
    with pytest.raises(exceptions.ClientException, match="No RAM role is attached"):
        signers.EcsRamRoleSigner(credential).sign("cn-hangzhou", request)


def test_a_given_provider_of_another_role_than_the_pinned_one_is_refused(taken_in_virtual_time: FakeCloud) -> None:
    exceptions = importlib.import_module("alibabacloud_credentials.exceptions")
    pinned = official.Client(models.Config(type="ecs_ram_role", role_name="db"))
    with pytest.raises(exceptions.CredentialException, match=r"pins the role 'db', and .* of 'web'\. Attach 'db'"):
        pinned.get_credential()
    assert taken_in_virtual_time.requests


def test_without_the_metadata_service_the_credentials_uri_answers(
    taken: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", f"{taken.url}/credentials-uri")
    document = '{"Code": "Success", "AccessKeyId": "STS.uri", "AccessKeySecret": "s", "SecurityToken": "t", '
    taken.faults.add("*", 200, body=document + '"Expiration": "2099-01-01T00:00:00Z"}')
    assert client("ecs_ram_role").get_credential().access_key_id == "STS.uri"


def test_a_given_provider_answers_for_all() -> None:
    from ramrole_creds import StaticProvider

    takeover.install(StaticProvider("STS.given", "secret", "token"))
    try:
        for kind in ("default", "ecs_ram_role"):
            assert client(kind).get_credential().access_key_id == "STS.given"
    finally:
        takeover.uninstall()


def test_uninstalling_restores_classes_and_objects(ramrole_cloud: FakeCloud) -> None:
    providers = importlib.import_module("alibabacloud_credentials.provider.ecs_ram_role")
    owner = providers.EcsRamRoleCredentialsProvider
    before, finders = dict(vars(owner)), list(sys.meta_path)
    takeover.install()
    takeover.install()
    made_meanwhile = client("ecs_ram_role")
    made_meanwhile.get_credential()
    takeover.uninstall()
    takeover.uninstall()
    assert dict(vars(owner)) == before
    assert sys.meta_path == finders
    asked = len(ramrole_cloud.requests.to("credentials"))
    made_meanwhile.get_credential()
    assert len(ramrole_cloud.requests.to("credentials")) == asked + 1


def test_oss2_asks_us_for_the_role_and_another_service_itself(taken: FakeCloud) -> None:
    credentials = pytest.importorskip("oss2.credentials", reason="oss2")
    host = f"http://100.100.100.200/latest/meta-data/{ROLE_DIRECTORY}web"
    for _ in range(3):
        provider = credentials.EcsRamRoleCredentialsProvider(host)
        assert provider.get_credentials().get_security_token()
    taken.requests.assert_called_once("credentials")
    with pytest.raises(credentials.ClientError):
        credentials.EcsRamRoleCredentialsProvider(f"{taken.url}/elsewhere", max_retries=1).get_credentials()


def test_the_core_sdk_signs_with_our_credentials(taken_in_virtual_time: FakeCloud) -> None:
    signers = pytest.importorskip("aliyunsdkcore.auth.signers.ecs_ram_role_signer", reason="aliyun-python-sdk-core")
    credential = importlib.import_module("aliyunsdkcore.auth.credentials").EcsRamRoleCredential("web")
    request = importlib.import_module("aliyunsdkcore.request").RpcRequest("Ecs", "2014-05-26", "DescribeRegions")
    signer = signers.EcsRamRoleSigner(credential)
    _, url = signer.sign("cn-hangzhou", request)
    first = signer._session_credential  # noqa: SLF001  # what the SDK signs with
    assert first[0] in url
    taken_in_virtual_time.clock.advance(hours=6)
    signer.sign("cn-hangzhou", request)
    assert signer._session_credential[0] != first[0]  # noqa: SLF001  # as above


@pytest.mark.parametrize("version", ["9.1.0", "1", "1.x"])
def test_a_release_that_is_not_known_is_left_alone_with_one_warning(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    owner = importlib.import_module("alibabacloud_credentials.provider.default").DefaultCredentialsProvider
    before = dict(vars(owner))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        takeover.install()
    assert dict(vars(owner)) == before
    takeover.uninstall()
    ours = [str(one.message) for one in caught if "alibabacloud-credentials" in str(one.message)]
    assert len(ours) == 1
    assert f"alibabacloud-credentials {version} is not known to ramrole-creds" in ours[0]


def test_a_release_without_one_of_the_classes_is_left_alone_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("alibabacloud_credentials.provider.default")
    monkeypatch.delattr(module, "DefaultCredentialsProvider")
    with pytest.warns(RuntimeWarning, match="alibabacloud-credentials .* its own credential providers are left"):
        takeover.install()
    takeover.uninstall()
    assert not hasattr(module, "DefaultCredentialsProvider")


def test_a_method_that_a_class_inherits_is_inherited_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("alibabacloud_credentials.provider.default")
    heir = type("DefaultCredentialsProvider", (module.DefaultCredentialsProvider,), {})
    monkeypatch.setattr(module, "DefaultCredentialsProvider", heir)
    takeover.install()
    assert "get_credentials" in vars(heir)
    takeover.uninstall()
    assert "get_credentials" not in vars(heir)


def test_a_module_that_is_missing_is_reported_by_python_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("oss2")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "oss2", package)
    monkeypatch.delitem(sys.modules, "oss2.credentials", raising=False)
    takeover.install()
    try:
        with pytest.raises(ModuleNotFoundError, match=r"oss2\.credentials"):
            importlib.import_module("oss2.credentials")
    finally:
        takeover.uninstall()


def test_what_is_imported_later_is_replaced_then() -> None:
    code = (
        "import sys; from ramrole_creds import StaticProvider; from ramrole_creds.integrations import takeover; "
        "takeover.install(StaticProvider('STS.given', 's', 't')); "
        "assert not any(name.startswith(('alibabacloud', 'oss2', 'aliyunsdkcore')) for name in sys.modules); "
        "from alibabacloud_credentials.client import Client; print(Client().get_credential().access_key_id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "STS.given\n", done.stderr


def test_an_sdk_that_no_package_manager_knows_is_left_alone_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with warnings.catch_warnings(record=True) as caught:  # of each official SDK that is loaded
        warnings.simplefilter("always")
        takeover.install()
    takeover.uninstall()
    assert "alibabacloud-credentials of an unknown version is not known" in " ".join(str(one.message) for one in caught)
