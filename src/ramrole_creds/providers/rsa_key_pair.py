"""Credentials of a session that an RSA key pair signs for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.errors import ConfigurationError, FetchError
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers._home import expand_path
from ramrole_creds.providers.session_arguments import DEFAULT_SESSION_SECONDS, checked_duration
from ramrole_creds.sts.client import StsClient
from ramrole_creds.sts.endpoints import ENDPOINT_VARIABLE, REGION_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

DEFAULT_HOST = "sts.ap-northeast-1.aliyuncs.com"
MAX_SESSION_SECONDS = 3600
MAX_KEY_BYTES = 65536


class RsaKeyPairProvider(CredentialProvider):
    """Asks STS for a session key (GenerateSessionAccessKey), signed with an RSA key; only the Japan site has it.

    Needs the extra `rsa` (`pip install 'ramrole-creds[rsa]'`).

    Args:
        public_key_id: the id that the public key got when it was uploaded.
        private_key_file: path of the private key: PEM, PKCS#8 or PKCS#1, or the bare base64 of one. Read at each
            fetch.
        duration: seconds, 900 to 3600.
        endpoint: host or URL of STS; without endpoint, region and their variables sts.ap-northeast-1.aliyuncs.com.
        region: whose STS endpoint is used.
        vpc: use that inside a VPC.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        options: `policy` (the refresh policy), `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: an argument makes no sense.
    """

    name: ClassVar[str] = "rsa_key_pair"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(
        self,
        public_key_id: str,
        private_key_file: str | os.PathLike[str],
        *,
        duration: float = DEFAULT_SESSION_SECONDS,
        endpoint: str | None = None,
        region: str | None = None,
        vpc: bool | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if not public_key_id or not private_key_file:
            raise ConfigurationError("RsaKeyPairProvider needs a public_key_id and a private_key_file.")
        if checked_duration(duration) > MAX_SESSION_SECONDS:
            raise ConfigurationError(f"A session of a key pair lasts {MAX_SESSION_SECONDS} s at most.")
        self._public_key_id = public_key_id
        self._file = os.fspath(private_key_file)
        if "-----BEGIN" in self._file:
            raise ConfigurationError("private_key_file is the path of the key, not the key itself.")
        self._duration = duration
        if not (endpoint or region or os.environ.get(ENDPOINT_VARIABLE) or os.environ.get(REGION_VARIABLE)):
            endpoint = DEFAULT_HOST
        self._client = StsClient(
            endpoint,
            region=region,
            vpc=vpc,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            clock=self._clock or SYSTEM_CLOCK,
        )

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask STS now.

        Raises:
            FetchError: the key cannot be read, or the extra `rsa` is not installed.
            StsError: STS refused, or could not be asked.
        """
        sign_text = _load_key(self._file)
        return self._client.generate_session_access_key(
            self._public_key_id, sign_text, duration=self._duration, context=context
        )

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would ask {self._client.url} for a session key, signed with the key in {self._file}"


def _load_key(path: str) -> Callable[[bytes], bytes]:
    """SHA256withRSA of the key in a file. No error shows any of the file, nor what the parser made of it."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    except ImportError:
        raise FetchError(
            "Signing with an RSA key needs the package cryptography: pip install 'ramrole-creds[rsa]'.",
            unrecoverable=True,
        ) from None
    key = _parse(_read(path))
    if not isinstance(key, RSAPrivateKey):
        raise FetchError(
            f"The private key file {path} holds no RSA private key without a passphrase (PKCS#8 or PKCS#1, as PEM or "
            "bare base64).",
            unrecoverable=True,
        )
    return lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def _read(path: str) -> bytes:
    try:
        with expand_path(path).open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such path"
    raise FetchError(f"The private key file {path} cannot be read ({reason}).")


def _parse(content: bytes) -> Any:  # noqa: ANN401  # one of many classes of keys
    from base64 import b64decode

    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    try:
        if b"-----BEGIN" in content:
            return load_pem_private_key(content, password=None)
        return load_der_private_key(b64decode(content), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
