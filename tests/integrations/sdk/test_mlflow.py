"""mlflow makes its clients from boto3's default session, which takes a provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from ramrole_creds.integrations.botocore import botocore_session
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integrations.sdk.conftest import Stage

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture
def repository(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", stage.url)
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-hangzhou")
    boto3.setup_default_session(botocore_session=botocore_session(stage.provider))
    yield get_artifact_repository("s3://bkt/run")
    boto3.DEFAULT_SESSION = None


def test_artifacts_are_written_and_read_over_rotations(stage: Stage, repository: Any, tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("body")

    def call() -> None:
        repository.log_artifact(str(tmp_path / "model.txt"))
        target = tmp_path / "download"
        target.mkdir(exist_ok=True)
        assert Path(repository.download_artifacts("model.txt", str(target))).read_text(encoding="utf-8") == "body"

    stage.assert_rotates("s3", call)


def test_a_refused_token_is_replaced_and_the_call_repeated_once(stage: Stage, repository: Any, tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("body")
    repository.log_artifact(str(tmp_path / "model.txt"))
    stage.expire()

    assert [one.path for one in retry_on_rejected(stage.provider)(repository.list_artifacts)()] == ["model.txt"]
