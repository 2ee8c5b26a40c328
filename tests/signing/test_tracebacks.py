"""No local variable of a traceback holds a secret when a request cannot be signed."""

from __future__ import annotations

import io
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import SigningError
from ramrole_creds.signing import Request, Signer
from ramrole_creds.signing._signing_keys import SigningKeys
from tests.every_scheme import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

KEYS = Credentials("STS.NTid", "MarkerSecretMarker", "MarkerTokenMarker")
URL = "https://examplebucket.oss-cn-hangzhou.aliyuncs.com/key"


def shown(error: BaseException) -> str:
    """The error with the local variables of this library, as pytest -l and crash reporters print them."""
    text = traceback.TracebackException.from_exception(error, capture_locals=True)
    text.stack[:] = [frame for frame in text.stack if "/ramrole_creds/" in frame.filename]
    return "".join(text.format())


class Interrupt(Exception):
    """Comes at a random point, as MemoryError or a signal does."""


def interrupted(act: Callable[[], object], calls: int) -> Interrupt | None:
    """Run `act` and raise in its n-th return from a function of the package; None if there are not as many."""
    count = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        if event == "return" and "/ramrole_creds/" in frame.f_code.co_filename:
            count += 1
            if count == calls:
                raise Interrupt

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        act()
    except Interrupt as error:
        return error
    finally:
        sys.setprofile(previous)
    return None


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_whatever_fails_in_a_scheme_shows_no_secret(scheme: signing.Scheme) -> None:
    request = Request("POST", URL, {"x-a": "1"}, {"a": "1"}, b"body")

    def sign() -> object:
        return scheme.sign(request, KEYS, 0.0, lambda: "n", SigningKeys())

    calls = 1
    while (error := interrupted(sign, calls)) is not None:
        assert "Marker" not in shown(error), f"after {calls} calls"
        calls += 1
    assert calls > 5


def fail() -> NoReturn:
    raise OSError("no entropy")


def failing_file() -> io.BytesIO:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            fail()

    return Failing(b"body")


@pytest.mark.parametrize(
    "act",
    [
        lambda: Signer(KEYS, signing.ACS3()).sign(Request("PUT", URL, body=failing_file())),
        lambda: Signer(KEYS, signing.ACS3(), nonce=fail).sign(Request("PUT", URL)),
        lambda: Signer(KEYS, signing.FCV2()).presign(Request("GET", URL), 60),
        lambda: Signer(KEYS, signing.OSSV4("r")).post_form({"conditions": [], "expiration": "soon"}),
        lambda: Signer(KEYS, signing.OSSV4("r")).post_form({"conditions": [{1, 2}]}),
        lambda: signing.OTSV4("i", "r").verify_response(Request("POST", "https://h/"), {"Authorization": "x"}, KEYS),
        lambda: Request("GET", f"https://Marker:Marker@h/?t={KEYS.security_token}"),
        lambda: Request("GET", URL, {"x-token": "MarkerToken\n"}),
        lambda: Request("GET", URL, params={"SecurityToken": "MarkerToken\ud800"}),
        lambda: Request("GET", URL, params={"SecurityToken": ["MarkerToken"]}),  # type: ignore[arg-type]
    ],
    ids=["body", "nonce", "presign", "policy date", "policy", "answer", "url", "header", "parameter", "list"],
)
def test_an_error_of_a_request_shows_no_secret(act: Callable[[], object]) -> None:
    with pytest.raises((SigningError, OSError, TypeError)) as raised:
        act()
    assert "Marker" not in shown(raised.value)


def test_the_traceback_still_says_where_it_failed() -> None:
    with pytest.raises(OSError, match="no entropy") as raised:
        Signer(KEYS, signing.ACS3(), nonce=fail).sign(Request("PUT", URL))
    assert [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)][-1] == "fail"


def test_the_variables_of_the_caller_stay() -> None:
    request = Request("PUT", URL, body=iter([b"x"]))
    with pytest.raises(SigningError) as raised:
        Signer(KEYS, signing.ACS3()).sign(request)
    assert raised.value.__traceback__ is not None
    assert raised.value.__traceback__.tb_frame.f_locals["request"] is request


def test_a_scheme_of_somebody_else_is_covered_too() -> None:
    class Own(signing.OSSV1):
        __slots__ = ()

        def sign(self, request: Request, credentials: signing.Scheme, *_: object) -> Request:  # type: ignore[override]
            secret = credentials.access_key_secret  # type: ignore[attr-defined]
            raise SigningError(f"not with {len(secret)} characters")

    with pytest.raises(SigningError, match="18") as raised:
        Signer(KEYS, Own()).sign(Request("GET", URL))
    text = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    assert "secret = " not in text
