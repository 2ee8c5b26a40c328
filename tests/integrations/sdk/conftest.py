"""What the tests of all SDKs share: a stage on which credentials are rotated, expired and revoked.

The SDKs are the real ones, and they date their requests by the machine's clock; the fake cloud takes a clock that is up
to 15 minutes off. So credentials live two minutes here, and every scene fits in that quarter of an hour.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import runpy
import subprocess
import sys
import textwrap
import threading
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing import FakeCloud, VirtualClock
from ramrole_creds.testing.masking import leaked_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds import CredentialProvider, Credentials

HERE = Path(__file__).parent
LIFETIME_SECONDS = 120
ENVIRONMENT_MARKER = "the-value-of-a-variable"
"""Some libraries keep the whole environment; no pickle may hold it."""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that is not there either
        return False


# The import names that each file needs. What is not installed is not collected: a tox environment has the SDKs that
# can be installed together. One that is named in SDK_TESTS is collected whether it can be imported or not.
NEEDS = {
    "acs_client": "aliyunsdkecs",
    "aiobotocore": "aiobotocore",
    "boto3": "boto3",
    "credentials_client": "alibabacloud_credentials alibabacloud_sts20150401 alibabacloud_tea_openapi",
    "daft": "daft",
    "datahub": "datahub",
    "deltalake": "deltalake pyarrow",
    "django_storages": "boto3 storages",
    "duckdb": "duckdb duckdb_extensions",
    "dvc_oss": "dvc_oss",
    "fc2": "fc2",
    "iceberg": "pyiceberg s3fs",
    "lance": "lance lancedb",
    "log": "aliyun.log",
    "log_producer": "aliyun_log_producer",
    "mlflow": "boto3 mlflow",
    "mns": "mns",
    "obstore": "obstore",
    "odps": "odps",
    "opendal": "opendal",
    "oss2": "oss2",
    "oss_v2": "alibabacloud_oss_v2",
    "ossfs": "ossfs",
    "osstorchconnector": "osstorchconnector",
    "paimon": "pypaimon",
    "polars": "polars",
    "product_clients": (
        "alibabacloud_alb20200616 alibabacloud_ecs20140526 alibabacloud_fc20230330 alibabacloud_kms20160120"
        " alibabacloud_rds20140815 alibabacloud_slb20140515 alibabacloud_sls20201230 alibabacloud_sts20150401"
    ),
    "pyarrow": "pyarrow",
    "s3fs": "s3fs",
    "secrets_manager": "alibabacloud_secretsmanager_client_v2",
    "smart_open": "boto3 smart_open",
    "tablestore": "tablestore",
    "tea_openapi": "alibabacloud_sts20150401",
}
REQUIRED = set(os.environ.get("SDK_TESTS", "oss2 tea_openapi").split())
collect_ignore = [
    f"test_{name}.py"
    for name, modules in NEEDS.items()
    if name not in REQUIRED and not all(map(_is_there, modules.split()))
]


def used_elsewhere(value: object, code: str) -> str:
    """What a new process prints that unpickles a value and runs code with it, after a check for secrets in the pickle.

    Args:
        value: what is sent.
        code: statements that use it as `value`.
    """
    pickled = pickle.dumps(value)
    text = pickled.decode("latin-1")
    assert leaked_marker(text) is None
    assert ENVIRONMENT_MARKER not in text
    program = f"import pickle, sys; value = pickle.load(sys.stdin.buffer)\n{textwrap.dedent(code)}"
    environment = {
        **os.environ,
        "AWS_EC2_METADATA_DISABLED": "true",  # a child without credentials would ask a real address
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickled, env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode().strip()


@pytest.fixture(autouse=True, scope="session")
def _trap() -> None:
    """No network namespace: lance's threads, which start when it is imported, would be outside of it."""


@pytest.fixture(autouse=True)
def _secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD_OF_SOMETHING", ENVIRONMENT_MARKER)


class Stage:
    """A fake cloud, a provider that takes its role's credentials, and what may happen to them."""

    def __init__(self, cloud: FakeCloud, clock: VirtualClock, provider: EcsRamRoleProvider) -> None:
        self.cloud = cloud
        self.clock = clock
        self.provider: CredentialProvider = provider

    @property
    def url(self) -> str:
        """The endpoint for every SDK."""
        return self.cloud.url

    @property
    def address(self) -> str:
        """The endpoint without its scheme."""
        return f"{self.cloud.host}:{self.cloud.port}"

    def rotate(self) -> Credentials:
        """Let the credentials come near their end: the provider replaces them, however busy the machine is."""
        before = self.provider.get_credentials()
        for clock in (self.cloud.clock, self.clock):
            clock.advance(seconds=LIFETIME_SECONDS - 20)
        after = self.provider.get_credentials(valid_for=30)
        assert after.access_key_id != before.access_key_id
        return after

    def expire(self) -> None:
        """Let the credentials end by the cloud's clock, while the provider's stands still and notices nothing."""
        self.provider.get_credentials()
        self.cloud.clock.advance(seconds=LIFETIME_SECONDS + 10)

    def revoke(self) -> None:
        """Make the credentials unknown to the cloud, as when the role was deleted and made again."""
        self.cloud.credential_store.revoke(self.provider.get_credentials().access_key_id)
        self.cloud.rotate()

    def accepted(self, service: str) -> list[str]:
        """The AccessKey ID of each request that the service accepted: each was signed and sent whole."""
        return [str(one.access_key_id) for one in self.cloud.requests.to(service) if (one.status or 500) < 400]

    def refused(self, service: str) -> list[str]:
        """The AccessKey ID of each request that it refused; a missing object does not count."""
        missing = 404 if service in {"oss", "s3"} else None
        statuses = {400, 401, 403, 404} - {missing}
        return [str(one.access_key_id) for one in self.cloud.requests.to(service) if one.status in statuses]

    def assert_untorn(self, service: str, call: Callable[[], object]) -> None:
        """Many threads call while the credentials are replaced under them: every request is signed with one set."""
        wrong: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(6):
                    call()
            except BaseException as error:  # noqa: BLE001  # any error fails the test
                wrong.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(6):
            self.cloud.rotate()
            self.provider.refresh()
        for thread in threads:
            thread.join()

        assert not wrong
        assert not self.refused(service)

    def assert_rotates(self, service: str, call: Callable[[], object]) -> None:
        """Calls go on over two rotations, each signed with the credentials of its moment."""
        current: list[str] = []
        for _ in range(2):
            current.append(self.provider.get_credentials().access_key_id)
            call()
            current.append(self.rotate().access_key_id)
            call()
        assert set(current) == set(self.accepted(service))
        assert self.accepted(service) == sorted(self.accepted(service), key=current.index)
        assert not self.refused(service)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A cloud with a role attached, and a provider with a clock of its own."""
    with FakeCloud(credential_lifetime=LIFETIME_SECONDS) as cloud:
        clock = VirtualClock(cloud.clock.time())
        with EcsRamRoleProvider(endpoint=cloud.url, clock=clock) as provider:
            yield Stage(cloud, clock, provider)


@pytest.fixture(autouse=True, scope="module")
def _collected_connections() -> Iterator[None]:
    """Several SDKs leave connections to the garbage collector: here, and not in a later test of something else."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def quiet_sdk_logs() -> Iterator[None]:
    """Several SDKs print the session token at DEBUG, and urllib3 that of a signed URL; so applications silence them."""
    loggers = [
        logging.getLogger(name)
        for name in ("aiooss2", "aliyunsdkcore", "botocore", "fc2", "oss2", "tablestore", "urllib3")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The garbage collector may find such connections earlier, during any test of an SDK."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
                )
            )


_passed: dict[str, bool] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note whether all tests of a file have passed."""
    name = report.nodeid.partition("::")[0].rpartition("/test_")[2].removesuffix(".py")
    if name in NEEDS:
        _passed[name] = _passed.get(name, True) and not report.failed


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Record the versions that passed for the manual's table, where that is asked for."""
    if not os.environ.get("RECORD_RESULTS") or hasattr(session.config, "workerinput"):
        return
    table = runpy.run_path(str(session.config.rootpath / "docs" / "integrations_table.py"))
    passed = {distribution for distribution, (name, _, _) in table["ALL"].items() if _passed.get(name)}
    table["record"]({distribution: metadata.version(distribution) for distribution in passed}, {})
