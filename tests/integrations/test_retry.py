"""What counts as a rejected token, and what happens then. No SDK is needed."""

from __future__ import annotations

import functools
import inspect
import io
import operator
import os
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import ConfigurationError, Credentials, FetchError, FunctionProvider
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.retry import is_rejection, retry_on_rejected

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider


class SdkError(Exception):
    """An SDK's error."""

    def __init__(self, text: str = "", **attributes: Any) -> None:
        super().__init__(text)
        for name, value in attributes.items():
            setattr(self, name, value)


class Service:
    """Takes the newest credentials only."""

    def __init__(self, generations: int = 9) -> None:
        self.fetches = 0
        self.calls = 0
        self.accepted = 2
        self.generations = generations
        self.provider = FunctionProvider(self.fetch)

    def fetch(self) -> Credentials:
        self.fetches = min(self.fetches + 1, self.generations)
        return Credentials(f"STS.{self.fetches}", "secret", "token")

    def call(self, body: Any = None) -> bytes:
        self.calls += 1
        sent: bytes = body.read() if hasattr(body, "read") else b"".join(body or ())
        if int(self.provider.get_credentials().access_key_id[4:]) < self.accepted:
            raise SdkError(code="SecurityTokenExpired")
        return sent

    async def call_async(self) -> bytes:
        return self.call()


@pytest.mark.parametrize(
    "error",
    [
        SdkError(code="InvalidSecurityToken.Expired"),
        SdkError(code="InvalidAccessKeyId.NotFound"),
        SdkError(error_code="SecurityTokenExpired"),
        SdkError(errorCode="InvalidAccessKeyId"),
        SdkError(err_code="InvalidAccessKeyID"),
        SdkError(type="InvalidSecurityToken"),
        SdkError(code="ODPS-0410051"),
        SdkError(response={"Error": {"Code": "ExpiredToken"}}),
        SdkError(response={"Error": {"Code": "403"}}),
        SdkError("The AccessKeyId is not found", code="Unauthorized"),
        SdkError("The security token is expired.", code="OTSAuthFailed"),
        SdkError('OssError { code: "SecurityTokenExpired" }'),
        SdkError("wrapped", inner_exception=SdkError(code="ExpiredToken")),
        SdkError("wrapped", unwrap=lambda: SdkError(code="ExpiredToken")),
    ],
)
def test_the_services_codes_are_known_wherever_an_sdk_keeps_them(error: SdkError) -> None:
    assert is_rejection(error)


def test_a_cause_counts_too() -> None:
    error = OSError("input/output error")
    error.__cause__ = SdkError(code="SecurityTokenExpired")

    assert is_rejection(error)


@pytest.mark.parametrize(
    "error",
    [
        SdkError(code="SignatureDoesNotMatch"),
        SdkError(code="AccessDenied"),
        SdkError(code="NoPermission"),
        SdkError(code="RequestTimeTooSkewed"),
        SdkError("denied by sts or ram, action: log:List", code="Unauthorized"),
        SdkError("Signature mismatch.", code="OTSAuthFailed"),
        SdkError("no such key: SecurityTokenExpired", code="NoSuchKey"),
        SdkError("InvalidAccessKeyIdentifier"),
        SdkError("wrapped", inner_exception=FetchError("STS said InvalidAccessKeyId.NotFound")),
        ValueError("anything else"),
    ],
)
def test_other_errors_are_not_rejections(error: Exception) -> None:
    assert not is_rejection(error)


def test_errors_that_name_each_other_are_looked_at_once() -> None:
    one, other = SdkError(), SdkError()
    one.__cause__, other.__cause__ = other, one

    assert not is_rejection(one)


def test_a_refused_call_is_repeated_once_with_new_credentials() -> None:
    service = Service()

    retry_on_rejected(service.provider)(service.call)()

    assert (service.fetches, service.calls) == (2, 2)


async def test_a_refused_coroutine_is_repeated_once() -> None:
    service = Service()

    await retry_on_rejected(service.provider)(service.call_async)()

    assert (service.fetches, service.calls) == (2, 2)


async def test_a_method_that_only_returns_a_coroutine_is_repeated_too() -> None:
    service = Service()

    await retry_on_rejected(service.provider)(lambda: service.call_async())()  # noqa: PLW0108  # the point of it

    assert (service.fetches, service.calls) == (2, 2)


def test_a_call_refused_twice_is_not_repeated_again() -> None:
    service = Service()
    service.accepted = 9

    with pytest.raises(SdkError):
        retry_on_rejected(service.provider)(service.call)()
    assert (service.fetches, service.calls) == (2, 2)


def test_a_provider_without_other_credentials_leaves_the_refusal() -> None:
    service = Service(generations=1)

    with pytest.raises(SdkError):
        retry_on_rejected(service.provider)(service.call)()
    assert service.calls == 1


def test_a_refresh_that_fails_leaves_the_refusal() -> None:
    answers = iter([Credentials("STS.1", "secret", "token")])

    def fetch() -> Credentials:
        for answer in answers:
            return answer
        raise FetchError("metadata down")

    def call() -> None:
        raise SdkError(code="SecurityTokenExpired")

    with pytest.raises(SdkError):
        retry_on_rejected(FunctionProvider(fetch))(call)()


def test_files_are_sent_again_from_where_they_were() -> None:
    service = Service()
    file = io.BytesIO(b"head body")
    file.seek(5)

    assert retry_on_rejected(service.provider)(service.call)(file) == b"body"
    assert service.calls == 2


def test_what_an_iterator_gave_cannot_be_sent_again() -> None:
    """The error is raised, and the next call has new credentials."""
    service = Service()

    with pytest.raises(SdkError):
        retry_on_rejected(service.provider)(service.call)(iter([b"body"]))
    assert service.calls == 1
    assert service.provider.get_credentials().access_key_id == "STS.2"


def test_many_refused_calls_share_one_refresh() -> None:
    service = Service()
    call = retry_on_rejected(service.provider)(service.call)
    service.provider.get_credentials()
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        call()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert service.fetches == 2


def test_an_error_of_another_kind_passes_through_untouched() -> None:
    service = Service()

    def call() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        retry_on_rejected(service.provider)(call)()
    assert service.fetches == 1


def test_what_is_wrapped_keeps_its_name_and_its_words() -> None:
    service = Service()

    assert retry_on_rejected(service.provider)(service.call).__name__ == "call"


def test_a_service_that_rejects_every_token_does_not_cost_a_fetch_per_call() -> None:
    service = Service()
    service.accepted = 99
    call = retry_on_rejected(service.provider)(service.call)

    for _ in range(5):
        with pytest.raises(SdkError):
            call()

    assert service.fetches == 2


def test_a_new_wrapper_for_each_call_does_not_cost_a_fetch_per_call_either() -> None:
    service = Service()
    service.accepted = 99

    for _ in range(5):
        with pytest.raises(SdkError):
            retry_on_rejected(service.provider)(service.call)()

    assert service.fetches == 2


HEAD_OF_OBJECT_STORE = (
    "object-store error: The operation lacked the necessary privileges to complete for path key.parquet: "
    "Error performing HEAD http://127.0.0.1:41357/bkt/key.parquet in 2.917814ms{} - "
    "Server returned non-2xx status code: {}:  (path: s3://bkt/key.parquet)"
)


@pytest.mark.parametrize(
    ("retries", "status", "rejected"),
    [
        ("", "403 Forbidden", True),
        (", after 2 retries, max_retries: 2, retry_timeout: 10s ", "403 Forbidden", True),
        ("", "404 Not Found", False),
        ("", "500 Internal Server Error", False),
    ],
)
def test_a_refused_head_of_the_rust_object_store_is_worth_a_refresh(retries: str, status: str, rejected: bool) -> None:
    """Its answer has no body, so only a refresh can tell whether the token was the reason."""
    assert is_rejection(OSError(HEAD_OF_OBJECT_STORE.format(retries, status))) is rejected


@pytest.mark.parametrize(
    ("text", "rejected"),
    [
        ('"http://127.0.0.1:40653/bkt/key.csv": 403 (Forbidden).\n\nAuthentication Failure', True),
        ("s3://bkt/key.csv: Forbidden (HTTP code 403)", True),
        ('"http://127.0.0.1:40653/bkt/key.csv": 404 (Not Found).', False),
        ("s3://bkt/key.csv: Not Found (HTTP code 404)", False),
    ],
    ids=["1.2", "1.5", "1.2-missing", "1.5-missing"],
)
def test_a_refused_head_of_duckdb_is_worth_a_refresh(text: str, rejected: bool) -> None:
    """Releases before 1.5.5 ask for the length of a file first."""
    assert is_rejection(OSError(f"HTTP Error: Unable to connect to URL {text}")) is rejected


class Bucket:
    """A client that can be pickled."""

    def name(self) -> str:
        return "bucket"


def provider_of_keys() -> Credentials:
    return Credentials("STS.1", "secret", "token")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_wrapped_method_is_pickled_with_its_object_and_its_provider(protocol: int) -> None:
    call = retry_on_rejected(FunctionProvider(provider_of_keys))(Bucket().name)
    assert call.__name__ == "name"
    assert pickle.loads(pickle.dumps(call, protocol))() == "bucket"


@pytest.mark.parametrize("call", [os.getpid, functools.partial(int, "7"), operator.methodcaller("upper")], ids=repr)
def test_other_objects_that_can_be_called_are_pickled_too(call: Any) -> None:
    wrapped = retry_on_rejected(FunctionProvider(provider_of_keys))(call)
    arguments = ("a",) if isinstance(call, operator.methodcaller) else ()
    assert pickle.loads(pickle.dumps(wrapped))(*arguments) == call(*arguments)


def test_a_decorated_function_stays_a_function() -> None:
    assert inspect.isfunction(retry_on_rejected(FunctionProvider(provider_of_keys))(provider_of_keys))


class Rejecting:
    """A service that rejects the first of these keys; it can be pickled."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def call(self, provider: CredentialProvider) -> int:
        self.seen.append(provider.get_credentials().access_key_id)
        if len(self.seen) == 1:
            raise SdkError(code="SecurityTokenExpired")
        return len(self.seen)


_numbers = iter(range(1000))


def numbered_keys() -> Credentials:
    return Credentials(f"STS.{next(_numbers)}", "secret", "token")


@pytest.mark.parametrize("decorated", [False, True], ids=["method", "function"])
def test_a_call_that_has_refreshed_a_token_can_be_sent(decorated: bool) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    provider, service = FunctionProvider(numbered_keys), Rejecting()

    def function(given: CredentialProvider) -> int:
        return service.call(given)

    call = retry_on_rejected(provider)(function if decorated else service.call)
    assert call(provider) == 2
    assert pickle.loads(cloudpickle.dumps(call))(provider) == 3


async def test_a_coroutine_that_fails_for_another_reason_is_awaited_once() -> None:
    calls = []

    async def call() -> None:
        calls.append(1)
        raise SdkError(code="NoSuchKey")

    with pytest.raises(SdkError):
        await retry_on_rejected(Service().provider)(call)()
    assert calls == [1]


def test_what_a_pipe_gave_cannot_be_sent_again() -> None:
    service = Service()
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe, pytest.raises(SdkError):
        retry_on_rejected(service.provider)(service.call)(pipe)
    assert service.calls == 1


def test_a_code_that_is_no_text_says_nothing() -> None:
    assert not is_rejection(SdkError(response={"Error": {"Code": 5}}))


def test_a_client_is_made_by_a_function() -> None:
    with pytest.raises(ConfigurationError, match="make must be a function that takes Credentials, not str"):
        RefreshingClient(Service().provider, "client")  # type: ignore[arg-type]


class SlottedProvider:
    """Cannot be referred to weakly."""

    __slots__ = ("_inner",)

    def __init__(self, inner: CredentialProvider) -> None:
        self._inner = inner

    def get_provider_name(self) -> str:
        return "slotted"

    def get_credentials(self) -> Credentials:
        return self._inner.get_credentials()

    def refresh(self, rejected: Credentials | None = None) -> Credentials:
        return self._inner.refresh(rejected)


def test_a_provider_that_cannot_be_referred_to_weakly_is_refreshed_too() -> None:
    service = Service()
    provider: Any = SlottedProvider(service.provider)
    assert retry_on_rejected(provider)(service.call)() == b""
    assert service.calls == 2
