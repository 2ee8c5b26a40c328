"""The recipes of `docs/integrations.md`, run as they stand there."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ramrole_creds import Signer, signing
from ramrole_creds.integrations.requests import RequestsAuth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integrations.sdk.conftest import Stage

PAGE = Path(__file__).parents[3] / "docs" / "integrations.md"
RECIPES = dict(
    re.findall(
        r"<!-- recipe: (\w+) -->\n```python\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
)
MAX_RECIPE_LINES = 7

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.may_leak,  # some SDKs print the token at DEBUG
]

Names = dict[str, Any]


def nothing(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    return {}


def plain_http(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    return {"endpoint": stage.address, "protocol": "http"}


def bucket_with_a_key(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    import oss2

    bucket = oss2.Bucket(oss2.ProviderAuthV4(stage.provider), stage.url, "bucket", region="cn-hangzhou")
    bucket.put_object("key", b"body")
    bucket.put_object("key.csv", b"a,b\n1,2\n")
    return {"bucket": bucket}


def acs_address(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    def at_endpoint(request: Any) -> Any:
        request.set_endpoint(stage.address)
        request.set_protocol_type("http")
        return request

    return {"at_endpoint": at_endpoint}


def async_oss(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    import alibabacloud_oss_v2 as oss

    request = oss.PutObjectRequest(bucket="bucket", key="key", body=b"body")
    return {"config": oss.Config(region="cn-hangzhou", endpoint=stage.url), "request": request}


def log_by_address(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    from aliyun.log.consumer import ConsumerProcessorBase
    from aliyun.log.util import Util

    patch.setattr(Util, "is_row_ip", staticmethod(lambda _: True))
    patch.setattr(Util, "get_host_ip", staticmethod(lambda _: "127.0.0.1"))
    return {"Processor": ConsumerProcessorBase}


def log_by_proxy(stage: Stage, patch: pytest.MonkeyPatch) -> Names:
    for name in ("http_proxy", "HTTP_PROXY"):
        patch.setenv(name, stage.url)
    for name in ("no_proxy", "NO_PROXY"):
        patch.delenv(name, raising=False)
    return {"endpoint": stage.url.replace("127.0.0.1", "localhost")}


def s3_options(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    from botocore.config import Config

    when = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    return {"config": Config(signature_version="s3v4", s3={"addressing_style": "virtual"}, **when)}


def arrow_options(stage: Stage, patch: pytest.MonkeyPatch) -> Names:  # noqa: ARG001  # all setups are called alike
    return {"address": stage.address, "options": {"scheme": "http", "force_virtual_addressing": False}}


def parquet(stage: Stage, patch: pytest.MonkeyPatch) -> Names:
    """A file that the readers of the data stack can read, in a bucket reached over http."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), content)
    put(stage, "key.parquet", content.getvalue())
    return by_url(stage, patch)


def put(stage: Stage, key: str, content: bytes) -> None:
    signer = Signer(stage.provider, signing.SigV4("cn-hangzhou"))
    requests.put(f"{stage.url}/bucket/{key}", content, auth=RequestsAuth(signer), timeout=10).raise_for_status()


def by_url(stage: Stage, patch: pytest.MonkeyPatch) -> Names:
    """For those who name their provider by a URL, and for the object store written in Rust."""
    patch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", stage.url)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        patch.setenv(name, "cn-hangzhou")
    patch.setenv("AWS_ALLOW_HTTP", "true")
    for name in ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"):
        patch.setenv(name, "when_required")
    return {
        "options": {"aws_endpoint_url": stage.url, "aws_region": "cn-hangzhou", "aws_allow_http": "true"},
    }


def lance_table(stage: Stage, patch: pytest.MonkeyPatch) -> Names:
    import lance
    import pyarrow as pa

    from ramrole_creds.integrations.lance import LanceTables

    names = by_url(stage, patch)
    tables = LanceTables(stage.provider, "s3://bucket/tables", aws_endpoint=stage.url, allow_http="true")
    lance.write_dataset(pa.table({"a": [1, 2]}), namespace_client=tables, table_id=["table"])
    return names


def iceberg_table(stage: Stage, patch: pytest.MonkeyPatch) -> Names:
    import tempfile

    import pyarrow as pa
    from pyiceberg.catalog import load_catalog

    by_url(stage, patch)
    folder = tempfile.mkdtemp()
    options = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": "s3://bucket/warehouse"}
    options["s3.force-virtual-addressing"] = "false"
    files = {"py-io-impl": "ramrole_creds.integrations.iceberg.RamRoleFileIO", "ramrole.provider": "ecs-ram-role://web"}
    catalog = load_catalog("catalog", **files, **options, **{"s3.endpoint": stage.url, "s3.region": "cn-hangzhou"})
    catalog.create_namespace("database")
    catalog.create_table("database.table", schema=pa.schema([("a", pa.int64())])).append(pa.table({"a": [1, 2]}))
    return {"options": options}


def store_by_django(names: Names) -> None:
    from django.conf import settings
    from django.core.files.base import ContentFile
    from django.core.files.storage.handler import StorageHandler

    if not settings.configured:
        settings.configure()
    StorageHandler(names["STORAGES"])["default"].save("key", ContentFile(b"body"))


def call_by_the_default_session(names: Names) -> None:
    import boto3

    boto3.client("s3", endpoint_url=names["endpoint"]).put_object(Bucket="bucket", Key="key", Body=b"body")
    boto3.DEFAULT_SESSION = None


# recipe: what is done with its names afterwards, where it makes no call itself
AFTERWARDS: dict[str, Callable[[Names], None]] = {
    "django_storages": store_by_django,
    "mlflow": call_by_the_default_session,
}
# recipe: (what must be importable, what is prepared)
PREPARED: dict[str, tuple[str, Callable[..., Names]]] = {
    "retry": ("oss2", bucket_with_a_key),
    "tea_openapi": ("alibabacloud_sts20150401", plain_http),
    "credentials_client": ("alibabacloud_credentials", nothing),
    "acs_client": ("aliyunsdkecs", acs_address),
    "oss2": ("oss2", nothing),
    "oss_v2": ("alibabacloud_oss_v2", nothing),
    "oss_v2_async": ("alibabacloud_oss_v2", async_oss),
    "ossfs": ("ossfs pandas", bucket_with_a_key),
    "log": ("aliyun.log", log_by_address),
    "log_handler": ("aliyun.log", log_by_address),
    "log_consumer": ("aliyun.log", log_by_address),
    "log_producer": ("aliyun_log_producer", log_by_proxy),
    "tablestore": ("tablestore", nothing),
    "odps": ("odps", nothing),
    "mns": ("mns", nothing),
    "datahub": ("datahub", nothing),
    "fc2": ("fc2", nothing),
    "boto3": ("boto3", s3_options),
    "opendal": ("opendal", lambda *_: {"options": {"addressing_style": "path"}}),
    "pyarrow": ("pyarrow", arrow_options),
    "polars": ("polars pyarrow", parquet),
    "obstore": ("obstore", by_url),
    "daft": ("daft pyarrow", parquet),
    "lance": ("lance pyarrow", lance_table),
    "lancedb": ("lance lancedb", lance_table),
    "iceberg": ("pyiceberg s3fs sqlalchemy", iceberg_table),
    "django_storages": ("boto3 storages", by_url),
    "mlflow": ("boto3", by_url),
    "dvc_oss": ("dvc_oss oss2", bucket_with_a_key),
}


def is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize(
    "name", [name for name, (modules, _) in PREPARED.items() if all(map(is_there, modules.split()))]
)
async def test_a_recipe_works_as_it_stands(stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    names = {"provider": stage.provider, "endpoint": stage.url, **PREPARED[name][1](stage, monkeypatch)}

    code = compile(RECIPES[name], str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
        AFTERWARDS.get(name, dict)(names)

    refused = [one for one in stage.cloud.requests if (one.status or 500) >= 400]
    assert [one for one in refused if (one.method, one.status) != ("HEAD", 404)] == []  # asks whether a file is there
    stage.cloud.check()


def test_every_recipe_is_run_and_short() -> None:
    assert set(RECIPES) == set(PREPARED)
    for recipe in RECIPES.values():
        assert len([line for line in recipe.splitlines() if line.strip()]) <= MAX_RECIPE_LINES
