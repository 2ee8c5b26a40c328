"""oss2 takes the provider as it is: `oss2.ProviderAuthV4(provider)`."""

from __future__ import annotations

import io
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.integrations.retry import retry_on_rejected

with warnings.catch_warnings():  # escapes in its docstrings that Python no longer knows
    warnings.simplefilter("ignore")
    import oss2

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integrations.sdk.conftest import Stage

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

AUTHS = [oss2.ProviderAuth, oss2.ProviderAuthV2, oss2.ProviderAuthV4]


def bucket_of(stage: Stage, auth: type = oss2.ProviderAuthV4) -> oss2.Bucket:
    return oss2.Bucket(auth(stage.provider), stage.url, "bkt", is_path_style=True, region="cn-hangzhou")


@pytest.mark.parametrize("auth", AUTHS)
def test_objects_are_written_and_read_over_rotations(stage: Stage, auth: type) -> None:
    bucket = bucket_of(stage, auth)

    def call() -> None:
        bucket.put_object("a b/é", b"body")
        assert bucket.get_object("a b/é").read() == b"body"

    stage.assert_rotates("oss", call)


def test_service_calls_are_signed_too(stage: Stage) -> None:
    service = oss2.Service(oss2.ProviderAuthV4(stage.provider), stage.url, region="cn-hangzhou")
    bucket_of(stage).put_object("key", b"body")

    stage.assert_rotates("oss", lambda: [found.name for found in oss2.BucketIterator(service)] == ["bkt"])


@pytest.mark.parametrize("auth", AUTHS)
def test_a_signed_url_can_be_used_by_anybody(stage: Stage, auth: type) -> None:
    bucket = bucket_of(stage, auth)
    bucket.put_object("dir/key", b"body")
    url = bucket.sign_url("GET", "dir/key", 600, slash_safe=True)
    stage.rotate()

    assert oss2.Session().do_request(oss2.http.Request("GET", url), 5).read() == b"body"


def test_a_resumable_upload_goes_on_over_rotations(stage: Stage, tmp_path: Path) -> None:
    bucket = bucket_of(stage)
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 1600)  # four parts of the smallest size
    lock = threading.Lock()
    rotations: list[int] = []

    def on_progress(consumed: int, total: int | None) -> None:  # noqa: ARG001  # oss2 passes it
        with lock:
            if consumed and len(rotations) < 3:
                rotations.append(consumed)
                stage.rotate()

    store = oss2.ResumableStore(root=str(tmp_path))
    oss2.resumable_upload(
        bucket, "big", str(source), store, multipart_threshold=1, part_size=100 * 1024, progress_callback=on_progress,
        num_threads=2,
    )  # fmt: skip

    assert bucket.get_object("big").read() == source.read_bytes()
    assert len(set(stage.accepted("oss"))) >= 3
    assert not stage.refused("oss")


def test_an_expired_token_is_told_apart_and_replaced(stage: Stage) -> None:
    bucket = bucket_of(stage)
    bucket.put_object("key", b"body")
    stage.expire()

    with pytest.raises(oss2.exceptions.ServerError) as refusal:
        bucket.get_object("key")
    assert refusal.value.code == "SecurityTokenExpired"

    assert retry_on_rejected(stage.provider)(bucket.get_object)("key").read() == b"body"


def test_no_request_of_many_threads_is_torn_by_a_rotation(stage: Stage) -> None:
    bucket = bucket_of(stage, oss2.ProviderAuth)
    wrong: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                bucket.put_object(f"{number}/{turn}", io.BytesIO(b"body"))
        except BaseException as error:  # noqa: BLE001  # any error fails the test
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        stage.cloud.rotate()
        stage.provider.refresh()
    for thread in threads:
        thread.join()

    assert not wrong
    assert len(stage.accepted("oss")) == 20
    assert not stage.refused("oss")
