"""The tables of `docs/integrations.md`, made from the tests of the SDKs and of the data stack.

What an SDK can do is read from its test file: a claim stands in the table when a test proves it. The version is that of
the run which passed last:

    INTEGRATIONS_TABLE=write pytest tests/integrations/sdk -n 0
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "integrations.md"
TESTS = ROOT / "tests" / "integrations" / "sdk"
BEGIN = "<!-- table{}: begin (python docs/integrations_table.py --help) -->"
END = "<!-- table{}: end -->"
HEAD = "| {} | tested | how to plug in | rotation | recovery | async | caveat |\n|---|---|---|---|---|---|---|"

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
    "alibabacloud-credentials": ("credentials_client", "`Client(provider=provider)`", "old getters tear"),
    "aliyun-python-sdk-core": ("acs_client", "`acs_client(provider)`", "private attribute, checked"),
    "oss2": ("oss2", "`ProviderAuthV4(provider)`", "signed URLs end with the token"),
    "alibabacloud-oss-v2": ("oss_v2", "`Config(credentials_provider=provider)`", "async: `await prefetched(provider)`"),
    "ossfs": ("ossfs", "`register()`, `provider` in the options", "aiooss2 cannot upload"),
    "aliyun-log-python-sdk": ("log", "`LogClient(credentials_provider=provider)`", "handlers, consumers: ours"),
    "aliyun-log-producer": ("log_producer", "`RefreshingProducer(provider)`", "private attribute, checked"),
    "tablestore": ("tablestore", "`OTSClient(credentials_provider=provider)`", "retries repeat a signature"),
    "pyodps": ("odps", "`ODPS(account=ProviderAccount(provider))`", ""),
    "aliyun-mns-sdk": ("mns", "`Account(credentials_provider=MnsCredentials(provider))`", ""),
    "pydatahub": ("datahub", "`DataHub(credential=provider)`", "name a `user_agent`"),
    "aliyun-fc2": ("fc2", "`fc2.Client(provider)`", "private method, checked"),
    "alibabacloud-secretsmanager-client-v2": (
        "secrets_manager", "`with_credentials_provider(provider)`", "own environment",
    ),
    "boto3": ("boto3", "`botocore_session(provider)`", "checksums when_required"),
    "aiobotocore": ("aiobotocore", "`aiobotocore_session(provider)`", "own environment"),
    "opendal": ("opendal", "`opendal_operator(provider)`", "call the handle each time"),
    "pyarrow": ("pyarrow", "`pyarrow_filesystem(provider)`", "call the handle each time"),
}  # fmt: skip
DATA_STACK = {
    "polars": ("polars", "`credential_provider=PolarsCredentials(provider)`", "keeps a snapshot for a minute"),
    "obstore": ("obstore", "`credential_provider=ObstoreCredentials(provider)`", "asks at most every 100 ms"),
    "deltalake": ("deltalake", "`RefreshingClient(provider, make)`", "call the handle each time"),
    "duckdb": ("duckdb", "`duckdb_connection(provider, connection)`", "call the handle each time"),
    "s3fs": ("s3fs", "`S3FileSystem(session=aiobotocore_session(provider))`", "checksums when_required"),
    "smart_open": ("smart_open", "a client of `botocore_session(provider)`", "checksums when_required"),
}  # fmt: skip
TABLES = {"": ("SDK", SDKS), " of the data stack": ("library", DATA_STACK)}
ALL = SDKS | DATA_STACK


def rows(distributions: dict[str, tuple[str, str, str]], versions: dict[str, str]) -> list[str]:
    """The rows of a table, with a version for each distribution that has been tested."""
    return [_row(distribution, versions.get(distribution, "")) for distribution in distributions]


def versions_on_page() -> dict[str, str]:
    """The versions that the page has now."""
    text = "".join(map(_table, TABLES))
    found = re.findall(r"^\| ([\w-]+) \| ([\w.]*) \|", text, flags=re.MULTILINE)
    return {distribution: version for distribution, version in found if distribution in ALL}


def write(versions: dict[str, str]) -> None:
    """Put the tables with these versions, and those of other runs, into the page."""
    known = versions_on_page() | versions
    for name, (first, distributions) in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        table = "\n".join([HEAD.format(first), *rows(distributions, known)])
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(begin)[0], page.partition(end)[2]
        PAGE.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")


def is_current() -> bool:
    """True where the page says what the tests prove, whatever versions it names."""
    known = versions_on_page()
    return all(
        [line for line in _table(name).splitlines() if line.startswith("|")][2:] == rows(distributions, known)
        for name, (_, distributions) in TABLES.items()
    )


def _table(name: str) -> str:
    return PAGE.read_text(encoding="utf-8").partition(BEGIN.format(name))[2].partition(END.format(name))[0]


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


if __name__ == "__main__":
    write({})
