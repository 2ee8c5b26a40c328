"""Requests signed with the private key of a key pair."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import SigningError
from ramrole_creds.signing import Request, Signer
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")

PRIVATE = rsa.generate_private_key(65537, 2048)
PUBLIC = (
    PRIVATE.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
ACTION = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}


def private(form: str) -> str:
    """The private key in one line, as `pkcs8` or `pkcs1`."""
    kind = serialization.PrivateFormat.PKCS8 if form == "pkcs8" else serialization.PrivateFormat.TraditionalOpenSSL
    return base64.b64encode(
        PRIVATE.private_bytes(serialization.Encoding.DER, kind, serialization.NoEncryption())
    ).decode()


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud


@pytest.mark.parametrize("form", ["pkcs8", "pkcs1"])
def test_a_request_signed_with_a_key_pair_is_accepted(cloud: FakeCloud, form: str) -> None:
    import requests

    user = cloud.account.add_user("ci")
    key_id = cloud.account.add_public_key(user, PUBLIC, cloud.clock.time())
    signer = Signer.fixed(Credentials(key_id, private(form)), signing.ACS3(algorithm="ACS3-RSA-SHA256"), cloud.clock)
    for _ in range(2):
        signed = signer.sign(Request("POST", f"{cloud.url}/", ACTION))
        answer = requests.post(signed.url, headers=dict(signed.headers), timeout=10)
        assert answer.status_code == 200, answer.text
        assert "/ci" in answer.text


def test_a_request_signed_with_another_key_pair_is_refused(cloud: FakeCloud) -> None:
    import requests

    other = rsa.generate_private_key(65537, 2048).public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    key_id = cloud.account.add_public_key(cloud.account.add_user("ci"), pem, cloud.clock.time())
    signer = Signer.fixed(Credentials(key_id, private("pkcs8")), signing.ACS3(algorithm="ACS3-RSA-SHA256"), cloud.clock)
    signed = signer.sign(Request("POST", f"{cloud.url}/", ACTION))
    answer = requests.post(signed.url, headers=dict(signed.headers), timeout=10)
    assert "SignatureDoesNotMatch" in answer.text
    signed = signer.sign(Request("POST", f"{cloud.url}/", ACTION))
    headers = {name: value.replace("Signature=", "Signature=xyz") for name, value in signed.headers}
    assert "SignatureDoesNotMatch" in requests.post(signed.url, headers=headers, timeout=10).text
    hmac = Signer.fixed(Credentials(key_id, private("pkcs8")), signing.ACS3(), cloud.clock)
    signed = hmac.sign(Request("POST", f"{cloud.url}/", ACTION))
    assert "InvalidSignatureMethod" in requests.post(signed.url, headers=dict(signed.headers), timeout=10).text


@pytest.mark.parametrize(
    "secret", ["secret", "!!", base64.b64encode(b"not a key").decode()], ids=["word", "text", "base64"]
)
def test_a_secret_that_is_not_a_private_key_is_refused_without_being_shown(secret: str) -> None:
    signer = Signer(Credentials("LTRSA.id", secret), signing.ACS3(algorithm="ACS3-RSA-SHA256"))
    with pytest.raises(SigningError, match="not an RSA private key") as refused:
        signer.sign(Request("POST", "https://h/", ACTION))
    assert f"'{secret}'" not in str(refused.value)


def test_without_cryptography_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(Credentials("LTRSA.id", private("pkcs8")), signing.ACS3(algorithm="ACS3-RSA-SHA256"))
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(SigningError, match=r"needs the package cryptography: .*pip install '\.\[rsa\]'"):
        signer.sign(Request("POST", "https://h/", ACTION))


@pytest.mark.parametrize("error", [ValueError("unsupported hash type sm3"), TypeError("usedforsecurity")], ids=repr)
def test_an_openssl_without_the_hash_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("hashlib.new", refuse)
    with pytest.raises(SigningError, match=r"This Python's OpenSSL does not support SM3\. Use a build"):
        signing.ACS3(algorithm="ACS3-HMAC-SM3")
