from __future__ import annotations

import os
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    FetchContext,
    FetchError,
    RsaKeyPairProvider,
    StsError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud


class TestRsaKeyPair:
    def test_a_session_key_is_signed_for(self, cloud: FakeCloud, tmp_path: Path) -> None:
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra rsa")
        from cryptography.hazmat.primitives import serialization as form

        key = rsa.generate_private_key(65537, 2048)
        public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        key_id = cloud.account.add_public_key(cloud.add_user("rsa"), public.decode(), cloud.clock.time())
        for kind in (form.PrivateFormat.PKCS8, form.PrivateFormat.TraditionalOpenSSL):
            path = tmp_path / "key.pem"
            path.write_bytes(key.private_bytes(form.Encoding.PEM, kind, form.NoEncryption()))
            provider = RsaKeyPairProvider(key_id, path, endpoint=cloud.url, clock=cloud.clock)
            credentials = provider.get_credentials()
            assert (credentials.provider_name, credentials.security_token) == ("rsa_key_pair", None)

    def test_a_public_key_that_sts_does_not_know_is_the_one_to_check(self, cloud: FakeCloud, tmp_path: Path) -> None:
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra rsa")
        from cryptography.hazmat.primitives import serialization as form

        path = tmp_path / "key.pem"
        key = rsa.generate_private_key(65537, 2048)
        path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
        provider = RsaKeyPairProvider("LTAI5tUnknown", path, endpoint=cloud.url, clock=cloud.clock)
        with pytest.raises(StsError, match="knows no public key of this id: check public_key_id"):
            provider.get_credentials()

    def test_a_key_may_be_plain_base64_and_a_passphrase_is_reported(self, cloud: FakeCloud, tmp_path: Path) -> None:
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra rsa")
        from cryptography.hazmat.primitives import serialization as form

        key = rsa.generate_private_key(65537, 2048)
        public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        key_id = cloud.account.add_public_key(cloud.add_user("rsa"), public.decode(), cloud.clock.time())
        path = tmp_path / "key"
        path.write_bytes(
            b64encode(key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())) + b"\n"
        )
        provider = RsaKeyPairProvider(key_id, path, endpoint=cloud.url, clock=cloud.clock)
        assert provider.get_credentials().access_key_id
        locked = form.BestAvailableEncryption(b"hunter2")
        path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked))
        with pytest.raises(FetchError, match="without a passphrase"):
            provider.refresh()
        path.unlink()
        with pytest.raises(FetchError, match="No such file"):
            provider.refresh()

    def test_without_the_extra_it_says_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "cryptography", None)
        with pytest.raises(FetchError, match=r"pip install '\.\[rsa\]'"):
            RsaKeyPairProvider("id", tmp_path / "key").get_credentials()

    @pytest.mark.parametrize(
        "wrong", [{"public_key_id": ""}, {"private_key_file": ""}, {"duration": 3601}, {"duration": 899}]
    )
    def test_arguments_that_sts_would_refuse_are_refused_at_once(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            RsaKeyPairProvider(**{"public_key_id": "id", "private_key_file": "/k", **wrong})

    def test_a_file_that_is_not_a_key_is_named_and_not_shown(self, tmp_path: Path) -> None:
        pytest.importorskip("cryptography", reason="the extra rsa")
        path = tmp_path / "key.pem"
        path.write_text("hunter2")
        with pytest.raises(FetchError, match="must hold an RSA private key") as raised:
            RsaKeyPairProvider("id", path).get_credentials()
        assert "hunter2" not in str(raised.value)
        with pytest.raises(ConfigurationError):
            RsaKeyPairProvider("id", "-----BEGIN PRIVATE KEY-----")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
    def test_a_key_file_that_has_no_end_is_not_read(self, tmp_path: Path) -> None:
        pytest.importorskip("cryptography", reason="the extra rsa")
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        for path in (pipe, "/dev/zero", tmp_path):
            with pytest.raises(FetchError, match="it is a directory, a pipe or a device"):
                RsaKeyPairProvider("id", path).fetch(FetchContext.create(5.0))

    def test_the_default_endpoint_is_that_of_the_japan_site(self) -> None:
        assert "sts.ap-northeast-1.aliyuncs.com" in RsaKeyPairProvider("id", "/x").explain()
