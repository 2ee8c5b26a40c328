"""The tables of tested libraries and engines, made from the results of their tests, which `docs/tested.json` keeps.

A run of the tests writes its results there, and the tables and the picture of engines into the manual. Without a run,
they are written anew:

    RECORD_RESULTS=1 tox run -e sdk-data,engine-celery
    python docs/integrations_table.py

What a library can do is read from its test file: a claim stands in the table when a test proves it. Versions and
figures are those of the run that passed last.
"""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "tested.json"
PAGE = ROOT / "docs" / "integrations.md"
MACHINES_PAGE = ROOT / "docs" / "many-machines.md"
TESTS = ROOT / "tests" / "integrations" / "sdk"
BEGIN = "<!-- table{}: begin (python docs/integrations_table.py) -->"
END = "<!-- table{}: end -->"
HEAD = "| {} | tested | how to plug in | rotation | recovery | async | caveat |\n|---|---|---|---|---|---|---|"
ENGINE_HEAD = (
    "| engine | tested | what runs | rotations | workers | fetches | most | searched for secrets | our module |\n"
    "|---|---|---|---|---|---|---|---|---|"
)

# distribution: (test file, how to plug in, caveat)
SDKS = {
    "alibabacloud-tea-openapi": ("tea_openapi", "`Config(credential=provider)`", "does not retry"),
    "alibabacloud-ecs20140526": ("product_clients", "`Config(credential=provider)`", ""),
    "alibabacloud-rds20140815": ("product_clients", "`Config(credential=provider)`", ""),
    "alibabacloud-slb20140515": ("product_clients", "`Config(credential=provider)`", ""),
    "alibabacloud-alb20200616": ("product_clients", "`Config(credential=provider)`", ""),
    "alibabacloud-sts20150401": ("product_clients", "`Config(credential=provider)`", ""),
    "alibabacloud-kms20160120": ("product_clients", "`Config(credential=provider)`", ""),
    "alibabacloud-fc20230330": ("product_clients", "`Config(credential=provider)`", "Function Compute 3.0"),
    "alibabacloud-sls20201230": ("product_clients", "`Config(credential=provider)`", "generated client of SLS"),
    "alibabacloud-credentials": ("credentials_client", "`Client(provider=provider)`", "use `get_credential()` only"),
    "aliyun-python-sdk-core": ("acs_client", "`acs_client(provider)`", "sets a private attribute"),
    "oss2": ("oss2", "`ProviderAuthV4(provider)`", "signed URLs expire with the token"),
    "alibabacloud-oss-v2": ("oss_v2", "`Config(credentials_provider=provider)`", "async: `await prefetched(provider)`"),
    "ossfs": ("ossfs", "`register()`, `provider` in the options", "aiooss2 cannot upload"),
    "aliyun-log-python-sdk": ("log", "`LogClient(credentials_provider=provider)`", "use our handlers, consumers"),
    "aliyun-log-producer": ("log_producer", "`RefreshingProducer(provider)`", "sets a private attribute"),
    "tablestore": ("tablestore", "`OTSClient(credentials_provider=provider)`", "retries repeat a signature"),
    "pyodps": ("odps", "`ODPS(account=ProviderAccount(provider))`", ""),
    "aliyun-mns-sdk": ("mns", "`Account(credentials_provider=MnsCredentials(provider))`", ""),
    "pydatahub": ("datahub", "`DataHub(credential=provider)`", "name a `user_agent`"),
    "aliyun-fc2": ("fc2", "`fc2.Client(provider)`", "replaces a private method"),
    "alibabacloud-secretsmanager-client-v2": (
        "secrets_manager", "`with_credentials_provider(provider)`", "conflicts with other SDKs",
    ),
    "boto3": ("boto3", "`botocore_session(provider)`", "checksums when_required"),
    "aiobotocore": ("aiobotocore", "`aiobotocore_session(provider)`", "conflicts with other SDKs"),
    "opendal": ("opendal", "`opendal_operator(provider)`", "call the handle each time"),
    "pyarrow": ("pyarrow", "`pyarrow_filesystem(provider)`", "call the handle each time"),
}  # fmt: skip
DATA_STACK = {
    "polars": ("polars", "`credential_provider=PolarsCredentials(provider)`", "keeps a snapshot for a minute"),
    "obstore": ("obstore", "`credential_provider=ObstoreCredentials(provider)`", "asks at most every 0.1 s"),
    "daft": ("daft", "`S3Config(credentials_provider=DaftCredentials(provider))`", "a used `IOConfig` holds keys"),
    "pylance": ("lance", "`namespace_client=LanceTables(provider, root)`", "not `storage_options`"),
    "lancedb": ("lance", "`connect_namespace(…LanceTables, {…})`", "not `connect`"),
    "pyiceberg": ("iceberg", "`py-io-impl` = `RamRoleFileIO`", "a provider by its URL"),
    "pypaimon": ("paimon", "`paimon_catalog(provider, options)`", "call the handle each time"),
    "deltalake": ("deltalake", "`RefreshingClient(provider, make)`", "call the handle each time"),
    "duckdb": ("duckdb", "`duckdb_connection(provider, connection)`", "call the handle each time"),
    "s3fs": ("s3fs", "`S3FileSystem(session=aiobotocore_session(provider))`", "checksums when_required"),
    "smart_open": ("smart_open", "a client of `botocore_session(provider)`", "checksums when_required"),
    "dvc-oss": ("dvc_oss", "`OSSFileSystem(fs=…)`, from Python", "not the command `dvc`"),
    "django-storages": ("django_storages", "`BACKEND` = `RamRoleStorage`", "signed URLs expire with the token"),
    "mlflow-skinny": ("mlflow", "`boto3.setup_default_session(…)`", "addresses `s3://` only"),
    "osstorchconnector": ("osstorchconnector", "`cred_provider=provider`", "asks every 30 s"),
}  # fmt: skip
# engine: (name, what runs, module). Of gunicorn and the others the distribution has the same name.
ENGINES = {
    "airflow": ("Airflow", "a task of a DAG, by `RamRoleHook`", "`ramrole_creds.integrations.airflow`"),
    "celery": ("Celery", "prefork, threads, gevent, eventlet, solo; replaced workers; Redis as broker", "not needed"),
    "dask": ("Dask", "tasks on worker processes", "not needed"),
    "gunicorn": ("gunicorn", "workers, cold, preloaded, with threads, replaced, reloaded", "not needed"),
    "joblib": ("joblib", "loky and multiprocessing, functions and methods", "not needed"),
    "multiprocessing": ("multiprocessing", "`Pool` and `ProcessPoolExecutor`: spawn, forkserver, fork", "not needed"),
    "torch": ("PyTorch", "workers of a `DataLoader`: spawn, forkserver, fork", "not needed"),
    "ray": ("Ray", "tasks, actors and the object store, `runtime_env`", "not needed"),
    "pyspark": ("Spark", "two executors with Python workers; closures and broadcast variables", "not needed"),
    "spark-jvm": ("Spark, the JVM side", "Java's HTTP client in the JVMs of two executors", "`ramrole-creds serve`"),
    "uvicorn": ("uvicorn", "workers, replaced and reloaded ones too", "not needed"),
    "uwsgi": ("uWSGI", "workers, lazy and preloaded, with and without threads, replaced", "not needed"),
}
# What the indexes of Python, Debian and npm do not have.
UNTESTED = {
    "hadoop-aliyun": "only Maven's index has it; Spark, the JVM side, stands for it",
    "JindoSDK for Java": "only the vendor's site has it; Spark, the JVM side, stands for it",
}
TABLES = {"": ("SDK", SDKS), " of the data stack": ("library", DATA_STACK)}
ALL = SDKS | DATA_STACK


def results() -> dict[str, dict[str, Any]]:
    """What the tests recorded: the version of each library, and the figures of each engine."""
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def record(libraries: dict[str, str], engines: dict[str, dict[str, Any]]) -> None:
    """Keep the results of a run beside those of other runs, and write the tables anew.

    Args:
        libraries: the version of each distribution whose tests passed.
        engines: the figures of each engine whose tests passed.
    """
    known = results()
    known["libraries"] = dict(sorted((known["libraries"] | libraries).items()))
    known["engines"] = dict(sorted((known["engines"] | engines).items()))
    RESULTS.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    write()


def write() -> None:
    """Put the tables and the picture into the manual."""
    for page, name, table in _tables():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = page.read_text(encoding="utf-8").partition(begin)
        if not found:
            raise SystemExit(f"{page} has no line: {begin}")
        page.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))["draw"]("machines")


def is_current() -> bool:
    """True where the manual has the tables that the results and the tests give."""
    return all(_table_on(page, name) == table for page, name, table in _tables())


def _tables() -> list[tuple[Path, str, str]]:
    known = results()
    tables = [
        (PAGE, name, [HEAD.format(first), *(_row(one, known["libraries"].get(one, "")) for one in distributions)])
        for name, (first, distributions) in TABLES.items()
    ]
    engines = [_engine_row(name, known["engines"][name]) for name in ENGINES if name in known["engines"]]
    untested = [f"| {name} | no | {reason} | | | | | | `ramrole-creds serve` |" for name, reason in UNTESTED.items()]
    tables.append((MACHINES_PAGE, " of engines", [ENGINE_HEAD, *engines, *untested]))
    return [(page, name, "\n".join(lines)) for page, name, lines in tables]


def _table_on(page: Path, name: str) -> str:
    text = page.read_text(encoding="utf-8")
    return text.partition(BEGIN.format(name))[2].partition(END.format(name))[0].strip()


def _row(distribution: str, version: str) -> str:
    name, plug, caveat = ALL[distribution]
    source = (TESTS / f"test_{name}.py").read_text(encoding="utf-8")
    proven = {
        "rotation": re.search(r"def test_\w*(over_rotations|sent_with_the_token)", source),
        "recovery": "retry_on_rejected(" in source or "_rejected_token_by_itself(" in source,
        "async": "async def test_" in source,
    }
    cells = ["yes" if claim else "no" for claim in proven.values()]
    return "| " + " | ".join([distribution, version, plug, *cells, caveat]) + " |"


def _engine_row(name: str, figures: dict[str, Any]) -> str:
    title, runs, module = ENGINES[name]
    searched = ", ".join(figures["searched"]) or "no file is written"
    numbers = [str(figures[one]) for one in ("rotations", "workers", "fetches", "most")]
    return "| " + " | ".join([title, figures["version"], runs, *numbers, searched, module]) + " |"


if __name__ == "__main__":
    write()
