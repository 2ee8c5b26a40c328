"""The keys of signatures: the secret itself, and keys derived for a day, a region and a product."""

from __future__ import annotations

from base64 import b64encode
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, TypeVar

from ramrole_creds.credentials import sealed
from ramrole_creds.signing._mac import KeyedHmac
from ramrole_creds.signing._rsa import RsaKey

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_KEYS = 16
RSA = "rsa"

KeyT = TypeVar("KeyT", KeyedHmac, RsaKey)


class SigningKeys:
    """A bounded cache of the keys of one secret, the one that signed last.

    Deriving a key costs four HMACs, more than the signature itself. A key is looked up by everything that it is derived
    from: secret, day, region, product. When another secret signs, the keys of the previous one are dropped, so that no
    key outlives its credentials.

    It needs no lock: the cache is one value that is replaced and never changed, so a reader sees the keys of one
    secret, never a mixture. Two threads that miss at the same time derive the same key.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: Callable[[], tuple[str, dict[object, KeyedHmac | RsaKey]]] = sealed(("", {}))

    def of_secret(self, secret: str, algorithm: str, suffix: str = "") -> KeyedHmac:
        """The secret itself as a key.

        Args:
            secret: the AccessKey secret.
            algorithm: "sha256", "sha1" or "sm3".
            suffix: what the scheme appends to the secret.
        """
        held, keys = self._held()
        key = keys.get(algorithm) if held == secret else None
        if isinstance(key, KeyedHmac):
            return key
        return self._keep(secret, algorithm, KeyedHmac(f"{secret}{suffix}".encode(), algorithm))

    def rsa(self, private_key: str) -> RsaKey:
        """The RSA private key that takes the place of the secret.

        Args:
            private_key: the AccessKey secret of a key pair: the base64 of the key.

        Raises:
            SigningError: it is not an RSA private key, or cryptography is not installed.
        """
        held, keys = self._held()
        key = keys.get(RSA) if held == private_key else None
        if isinstance(key, RsaKey):
            return key
        return self._keep(private_key, RSA, RsaKey(private_key))

    def derived(
        self,
        secret: str,
        day: str,
        region: str,
        product: str,
        *,
        prefix: str = "aliyun_v4",
        algorithm: str = "sha256",
        as_text: bool = False,
    ) -> KeyedHmac:
        """The key of `secret` for that day, region and product.

        Args:
            secret: the AccessKey secret.
            day: of the signature, in UTC (YYYYMMDD).
            region: the scope's region.
            product: the scope's product.
            prefix: comes before the secret, and ends the scope with "_request": "aliyun_v4", "aws4".
            algorithm: of the signature; keys are always derived with SHA-256.
            as_text: whether the text of the key's base64 is the key.
        """
        scope = (day, region, product, prefix, algorithm)
        held, keys = self._held()
        ready = keys.get(scope) if held == secret else None
        if isinstance(ready, KeyedHmac):
            return ready
        key = derive_key(secret, day, region, product, prefix)
        return self._keep(secret, scope, KeyedHmac(b64encode(key) if as_text else key, algorithm))

    def _keep(self, secret: str, scope: object, key: KeyT) -> KeyT:
        held, keys = self._held()
        kept: list[tuple[object, KeyedHmac | RsaKey]] = list(keys.items())[1 - MAX_KEYS :] if held == secret else []
        self._held = sealed((secret, dict([*kept, (scope, key)])))
        return key

    def __len__(self) -> int:
        return len(self._held()[1])

    def __repr__(self) -> str:
        return f"<SigningKeys: {len(self) if hasattr(self, '_held') else 0} kept>"

    def __reduce__(self) -> tuple[type[SigningKeys], tuple[()]]:
        return SigningKeys, ()


def derive_key(secret: str, day: str, region: str, product: str, prefix: str = "aliyun_v4") -> bytes:
    """The key of the version 4 family; AWS writes its prefix of the secret in capitals."""
    derived = f"{prefix if prefix != 'aws4' else 'AWS4'}{secret}".encode()
    for text in (day, region, product, f"{prefix}_request"):
        derived = hmac_digest(derived, text.encode(), "sha256")
    return derived
