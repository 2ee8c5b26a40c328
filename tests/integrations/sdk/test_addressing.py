"""With the settings of the manual each library puts the bucket into the host, which alone OSS accepts.

The hosts are those of OSS. The fake cloud is reached as a proxy, so no name is looked up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ramrole_creds.testing import FakeCloud

PAGE = (Path(__file__).parents[3] / "docs" / "integrations.md").read_text(encoding="utf-8")
HOST = "s3.oss-cn-hangzhou.aliyuncs.com"
BEGIN = f"""
import os
from ramrole_creds import EcsRamRoleProvider
proxy = os.environ["http_proxy"]
provider = EcsRamRoleProvider(endpoint=proxy)
held = provider.get_credentials()
endpoint, with_bucket, region = "http://{HOST}", "http://bkt.{HOST}", "cn-hangzhou"
when = dict(request_checksum_calculation="when_required", response_checksum_validation="when_required")
object_store = dict(aws_region=region, aws_virtual_hosted_style_request="true", allow_http="true")
"""
# library: (what must be importable, what stands in the manual, the program)
PROGRAMS = {
    "boto3": (
        "boto3",
        'Config(s3={"addressing_style": "virtual"})',
        """
import boto3
from botocore.config import Config
from ramrole_creds.integrations.botocore import botocore_session
session = boto3.Session(botocore_session=botocore_session(provider))
config = Config(signature_version="s3v4", s3={"addressing_style": "virtual"}, **when)
client = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
client.put_object(Bucket="bkt", Key="key", Body=b"body")
""",
    ),
    "s3fs": (
        "s3fs aiobotocore",
        'config_kwargs={"s3": {"addressing_style": "virtual"}}',
        """
import s3fs
from ramrole_creds.integrations.botocore import aiobotocore_session
config = {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}, "proxies": {"http": proxy}, **when}
files = s3fs.S3FileSystem(session=aiobotocore_session(provider), endpoint_url=endpoint,
    client_kwargs={"region_name": region}, config_kwargs=config)
files.pipe_file("bkt/key", b"body")
""",
    ),
    "mlflow": (
        "boto3 mlflow",
        "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE=virtual",
        """
import boto3
os.environ.update(MLFLOW_S3_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION=region,
    MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE="virtual")
from ramrole_creds.integrations.botocore import botocore_session
boto3.setup_default_session(botocore_session=botocore_session(provider))
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
get_artifact_repository("s3://bkt/run").list_artifacts()
""",
    ),
    "django-storages": (
        "boto3 storages",
        'addressing_style="virtual"',
        """
from django.conf import settings
settings.configure()
from django.core.files.base import ContentFile
from ramrole_creds.integrations.django_storages import RamRoleStorage
RamRoleStorage(provider=provider, bucket_name="bkt", endpoint_url=endpoint, region_name=region,
    addressing_style="virtual").save("key", ContentFile(b"body"))
""",
    ),
    "polars": (
        "polars",
        'aws_virtual_hosted_style_request="true"',
        """
import polars
from ramrole_creds.integrations.polars import PolarsCredentials
polars.DataFrame({"a": [1]}).write_parquet("s3://bkt/key", credential_provider=PolarsCredentials(provider),
    storage_options={"aws_endpoint_url": with_bucket, "aws_allow_http": "true", **object_store})
""",
    ),
    "deltalake": (
        "deltalake pyarrow",
        'aws_virtual_hosted_style_request="true"',
        """
import deltalake
import pyarrow
keys = {"aws_access_key_id": held.access_key_id, "aws_secret_access_key": held.access_key_secret,
    "aws_session_token": held.security_token}
deltalake.write_deltalake("s3://bkt/table", pyarrow.table({"a": [1]}), storage_options={
    "aws_endpoint_url": with_bucket, "aws_allow_http": "true", "aws_conditional_put": "etag", **keys, **object_store})
""",
    ),
    "lance": (
        "lance pyarrow",
        'aws_virtual_hosted_style_request="true"',
        """
import lance
import pyarrow
from ramrole_creds.integrations.lance import LanceTables
tables = LanceTables(provider, "s3://bkt/tables", aws_endpoint=with_bucket, **object_store)
lance.write_dataset(pyarrow.table({"a": [1]}), namespace_client=tables, table_id=["table"], mode="create")
""",
    ),
    "obstore": (
        "obstore",
        "virtual_hosted_style_request=True",
        """
import obstore
from obstore.store import S3Store
from ramrole_creds.integrations.obstore import ObstoreCredentials
store = S3Store("bkt", endpoint=with_bucket, region=region, credential_provider=ObstoreCredentials(provider),
    virtual_hosted_style_request=True, client_options={"allow_http": True})
obstore.put(store, "key", b"body")
""",
    ),
    "daft": (
        "daft",
        "force_virtual_addressing=True",
        """
import daft
from daft.io import IOConfig, S3Config
from ramrole_creds.integrations.daft import DaftCredentials
config = IOConfig(s3=S3Config(endpoint_url=endpoint, region_name=region, use_ssl=False, num_tries=1,
    credentials_provider=DaftCredentials(provider), force_virtual_addressing=True))
daft.from_pydict({"a": [1]}).write_parquet("s3://bkt/folder", io_config=config)
""",
    ),
    "pyarrow": (
        "pyarrow",
        "force_virtual_addressing=True",
        f"""
from ramrole_creds.integrations.refreshing_client import pyarrow_filesystem
files = pyarrow_filesystem(provider, endpoint_override="{HOST}", region=region, scheme="http",
    force_virtual_addressing=True, proxy_options=proxy)
with files().open_output_stream("bkt/key") as stream:
    stream.write(b"body")
""",
    ),
    "pyiceberg": (
        "pyiceberg s3fs",
        '"s3.force-virtual-addressing": "true"',
        """
import pyarrow
from pyiceberg.catalog import load_catalog
catalog = load_catalog("catalog", type="sql", uri="sqlite:///catalog.db", warehouse="s3://bkt/warehouse", **{
    "py-io-impl": "ramrole_creds.integrations.iceberg.RamRoleFileIO", "s3.proxy-uri": proxy,
    "ramrole.provider": f"ecs-ram-role://web?endpoint={proxy}", "s3.endpoint": endpoint, "s3.region": region,
    "s3.force-virtual-addressing": "true"})
catalog.create_namespace("database")
catalog.create_table("database.numbers", schema=pyarrow.schema([("a", pyarrow.int64())]))
""",
    ),
    "DuckDB": (
        "duckdb duckdb_extensions",
        "DuckDB, pypaimon | none",
        f"""
import duckdb
from duckdb_extensions import import_extension
from ramrole_creds.integrations.duckdb import duckdb_connection
import_extension("httpfs")
connection = duckdb.connect()
connection.execute("LOAD httpfs")
connection.execute("SET http_proxy='" + proxy.removeprefix("http://") + "'")
database = duckdb_connection(provider, connection, endpoint="{HOST}", region=region, use_ssl=False)
database().execute("COPY (SELECT 1 AS a) TO 's3://bkt/key.csv'")
""",
    ),
}
THERE = [name for name, (modules, _, _) in PROGRAMS.items() if all(find_spec(one) for one in modules.split())]


@pytest.mark.parametrize("name", THERE)
def test_the_bucket_is_in_the_host(tmp_path: Path, name: str) -> None:
    _, setting, program = PROGRAMS[name]
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| ") and setting in line and name in line]
    assert row.count("|") == 3
    with FakeCloud() as cloud:
        proxies = {"http_proxy": cloud.url, "HTTP_PROXY": cloud.url, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        checksums = {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required", "AWS_EC2_METADATA_DISABLED": "true"}
        environment = {**os.environ, **proxies, **checksums, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-W", "ignore", "-c", BEGIN + program]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        hosts = {one.header("host") for one in cloud.requests.to("s3")}
    assert hosts == {f"bkt.{HOST}"}


def test_each_library_of_the_table_is_there_or_left_out_on_purpose() -> None:
    table = PAGE.partition("| library | setting |")[2].partition("\n\n")[0]
    named = {name.strip() for row in table.splitlines()[2:] for name in row.split("|")[1].split(",")}
    same_client_as_another = {"smart_open", "aiobotocore", "lancedb", "pypaimon"}
    assert named - same_client_as_another == set(PROGRAMS)
