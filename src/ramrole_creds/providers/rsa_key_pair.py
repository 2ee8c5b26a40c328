"""Credentials of a session that an RSA key pair signs for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from ramrole_creds._files import read_regular_file
from ramrole_creds.errors import ConfigurationError, FetchError, install_command
from ramrole_creds.providers._home import expand_path, path_text
from ramrole_creds.providers.session_arguments import checked_duration
from ramrole_creds.providers.sts_provider import StsProvider
from ramrole_creds.providers.variables import argument_or_variable
from ramrole_creds.sts.client import DEFAULT_SESSION_SECONDS
from ramrole_creds.sts.endpoints import ENDPOINT_VARIABLE, REGION_VARIABLE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext
    from ramrole_creds.providers.sts_provider import StsOptions

DEFAULT_HOST: Final = "sts.ap-northeast-1.aliyuncs.com"
MAX_SESSION_SECONDS: Final = 3600
MAX_KEY_BYTES: Final = 65536


class RsaKeyPairProvider(StsProvider):
    """Requests a session key from STS (GenerateSessionAccessKey), signed with an RSA key; only the Japan site has it.

    Needs the extra `rsa` (`pip install '.[rsa]'` in a checkout).

    Args:
        public_key_id: the id that the public key got when it was uploaded.
        private_key_file: path of the private key: PEM, PKCS#8 or PKCS#1, or the base64 of one without the PEM lines.
            Read at each fetch.
        duration: seconds, 900 to 3600.
        options: of STS `endpoint` (host or URL; else ALIBABA_CLOUD_STS_ENDPOINT), `region` (else
            ALIBABA_CLOUD_STS_REGION; without either, STS is sts.ap-northeast-1.aliyuncs.com), `vpc` (use the
            endpoint inside the VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED), `connect_timeout` and `read_timeout`
            (seconds); and `policy` (the refresh policy), `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: an argument is not valid.
    """

    name: ClassVar[str] = "rsa_key_pair"

    def __init__(
        self,
        public_key_id: str,
        private_key_file: str | os.PathLike[str],
        *,
        duration: float = DEFAULT_SESSION_SECONDS,
        **options: Unpack[StsOptions],
    ) -> None:
        if not (
            argument_or_variable(options.get("endpoint"), ENDPOINT_VARIABLE)
            or argument_or_variable(options.get("region"), REGION_VARIABLE)
        ):
            options["endpoint"] = DEFAULT_HOST
        super().__init__(**options)
        if not public_key_id or not private_key_file:
            raise ConfigurationError("RsaKeyPairProvider needs a public_key_id and a private_key_file.")
        self._public_key_id = public_key_id
        self._file = path_text(private_key_file)
        if "-----BEGIN" in self._file:
            raise ConfigurationError("private_key_file must be the path of the key, not the key itself.")
        self._duration = checked_duration(duration, MAX_SESSION_SECONDS)

    def fetch(self, context: FetchContext) -> Credentials:
        """Request a session key now.

        Raises:
            FetchError: the key cannot be read, or the extra `rsa` is not installed.
            StsError: STS refused, or could not be reached.
        """
        sign_text = _load_key(self._file)
        return self._client.generate_session_access_key(
            self._public_key_id, sign_text, duration=self._duration, context=context
        )

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would request a session key from {self._client.url}, signed with the key in {self._file}"


def _load_key(path: str) -> Callable[[bytes], bytes]:
    """SHA256withRSA with the key in a file. No error shows the content, or what the parser said of it."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    except ImportError:
        raise FetchError(
            f"Signing with an RSA key needs the package cryptography: {install_command('rsa')}.",
            unrecoverable=True,
        ) from None
    key = _parse(_read(path))
    if not isinstance(key, RSAPrivateKey):
        raise FetchError(
            f"The private key file {path} cannot be used. It must hold an RSA private key without a passphrase (PKCS#8 "
            "or PKCS#1, as PEM or as base64 without the PEM lines).",
            unrecoverable=True,
        )
    return lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def _read(path: str) -> bytes:
    try:
        return read_regular_file(expand_path(path), MAX_KEY_BYTES)
    except OSError as error:
        reason = error.strerror
    raise FetchError(f"The private key file {path} cannot be read ({reason}). Check the path and the mode of the file.")


def _parse(content: bytes) -> Any:  # noqa: ANN401  # cryptography has many classes of keys
    from base64 import b64decode

    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    try:
        if b"-----BEGIN" in content:
            return load_pem_private_key(content, password=None)
        return load_der_private_key(b64decode(content), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
