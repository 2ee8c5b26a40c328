"""`oss://` in fsspec and pandas, with a provider in place of keys."""

from __future__ import annotations

import json
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import fsspec
import pandas as pd
import pytest

from ramrole_creds import ConfigurationError, EcsRamRoleProvider, RamRoleArnProvider
from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ramrole_creds.integrations.ossfs import AioOSSFileSystem, OSSFileSystem, region_of, register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import CredentialProvider
    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")


@pytest.fixture(autouse=True)
def _fresh_instances() -> Iterator[None]:
    """Keep fsspec's cache of instances from leading one test's provider into another."""
    yield
    OSSFileSystem.clear_instance_cache()  # type: ignore[attr-defined]  # of fsspec
    AioOSSFileSystem.clear_instance_cache()  # type: ignore[attr-defined]  # of fsspec


def options(stage: Stage, **more: Any) -> dict[str, Any]:
    return {"endpoint": stage.url, "provider": stage.provider} | more


@pytest.mark.parametrize("region", [None, "cn-hangzhou"])
@pytest.mark.parametrize("kind", [OSSFileSystem, AioOSSFileSystem])
def test_files_are_written_and_read_over_rotations(stage: Stage, kind: Any, region: str | None) -> None:
    fs = kind(**options(stage, region=region))
    writer = OSSFileSystem(**options(stage, region=region))  # aiooss2 cannot upload with the aiohttp of today

    def call() -> None:
        writer.pipe_file("bkt/dir/a b", b"body")
        fs.invalidate_cache()
        assert fs.cat_file("bkt/dir/a b") == b"body"
        assert [path.rpartition("/")[2] for path in fs.ls("bkt/dir", detail=False)] == ["a b"]

    stage.assert_rotates("oss", call)


def test_pandas_reads_with_the_credentials_of_the_moment(stage: Stage) -> None:
    register()
    storage = options(stage)
    pd.DataFrame({"a": [1, 2]}).to_csv("oss://bkt/key.csv", index=False, storage_options=storage)

    stage.assert_rotates("oss", lambda: pd.read_csv("oss://bkt/key.csv", storage_options=storage)["a"].sum() == 3)


def test_pandas_reads_with_options_that_are_only_strings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", stage.url)
    storage = {"endpoint": stage.url, "provider": "ecs-ram-role://web?token_mode=require"}

    pd.DataFrame({"a": [1, 2]}).to_csv("oss://bkt/key.csv", index=False, storage_options=storage)
    stage.cloud.rotate()

    assert pd.read_csv("oss://bkt/key.csv", storage_options=storage)["a"].tolist() == [1, 2]
    assert json.loads(fsspec.filesystem("oss", **storage).to_json())["provider"] == storage["provider"]


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage) -> None:
    fs = OSSFileSystem(**options(stage))
    fs.pipe_file("bkt/key", b"body")
    stage.expire()

    with pytest.raises(OSError, match="SecurityTokenExpired"):
        fs.cat_file("bkt/key")
    assert retry_on_rejected(stage.provider)(fs.cat_file)("bkt/key") == b"body"


def test_no_secret_travels_in_a_pickle_or_in_options(stage: Stage) -> None:
    provider = EcsRamRoleProvider(endpoint=stage.url)
    fs = OSSFileSystem(endpoint=stage.url, provider=provider)
    secret = provider.get_credentials().access_key_secret

    pickled = pickle.dumps(fs)

    assert secret.encode() not in pickled
    assert secret not in repr(fs.storage_options)


def test_a_pickled_file_system_goes_on_with_its_provider(stage: Stage) -> None:
    """Setting `_auth` would be lost: fsspec makes the object anew from its options where it arrives."""
    provider = EcsRamRoleProvider(endpoint=stage.url)
    pickled = pickle.dumps(OSSFileSystem(endpoint=stage.url, provider=provider))
    OSSFileSystem.clear_instance_cache()  # type: ignore[attr-defined]  # of fsspec

    fs = pickle.loads(pickled)
    fs.pipe_file("bkt/key", b"body")

    assert stage.accepted("oss") == [provider.get_credentials().access_key_id]


@pytest.mark.parametrize("protocol", ["oss", "simplecache"])
def test_the_file_systems_of_two_roles_are_two_and_each_stays_the_same(stage: Stage, protocol: str) -> None:
    """fsspec keeps file systems by the texts of their options, also those of one behind another."""
    register()
    roles = [
        RamRoleArnProvider(stage.provider, stage.cloud.add_role(name).arn, endpoint=stage.url, clock=stage.clock)
        for name in ("first", "second")
    ]

    def of(provider: CredentialProvider) -> Any:
        storage = options(stage, provider=provider)
        behind = {"target_protocol": "oss", "target_options": storage}
        return fsspec.filesystem(protocol, **(storage if protocol == "oss" else behind))

    before = [of(provider) for provider in roles]
    for number, fs in enumerate(before):
        with fs.open(f"bkt/key-{number}", "wb") as file:
            file.write(b"body")

    keys = [provider.get_credentials().access_key_id for provider in roles]
    assert list(dict.fromkeys(stage.accepted("oss"))) == keys
    assert [of(provider) for provider in roles] == before


def test_keys_beside_a_provider_are_refused(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="key, secret were given"):
        OSSFileSystem(**options(stage, key="id", secret="secret"))


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("http://oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("oss-cn-shanghai-internal.aliyuncs.com", "cn-shanghai"),
        ("https://bucket.oss-ap-southeast-1.aliyuncs.com/", "ap-southeast-1"),
        ("https://oss-accelerate.aliyuncs.com", None),
        ("http://127.0.0.1:8080", None),
        (None, None),
    ],
)
def test_the_region_is_read_from_the_endpoint(endpoint: str | None, region: str | None) -> None:
    assert region_of(endpoint) == region


def test_a_region_that_is_given_is_that_of_an_endpoint_or_refused(stage: Stage) -> None:
    OSSFileSystem(**options(stage, region="oss-cn-hangzhou"))
    with pytest.raises(ConfigurationError, match=r'region must be a region id.*Write "cn-hangzhou"'):
        OSSFileSystem(**options(stage, region="https://oss-cn-hangzhou.aliyuncs.com"))


@pytest.mark.parametrize("make", [OSSFileSystem, AioOSSFileSystem])
def test_swapped_arguments_are_reported(stage: Stage, make: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"swapped: write {make.__name__}\(endpoint, provider\)"):
        make(stage.provider, stage.url)


def test_a_file_system_without_a_provider_is_that_of_ossfs(stage: Stage) -> None:
    key = stage.cloud.access_key()
    fs = OSSFileSystem(endpoint=stage.url, key=key.access_key_id, secret=key.access_key_secret)
    fs.pipe_file("bkt/key", b"body")
    assert fs.cat_file("bkt/key") == b"body"
    assert set(stage.accepted("oss")) == {key.access_key_id}
