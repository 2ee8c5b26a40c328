"""An OpenID Connect issuer for tests: real JSON Web Tokens, signed with a key that everybody knows."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramrole_creds._files import write_whole_file
from ramrole_creds.testing.account.policy_conditions import texts
from ramrole_creds.testing.account.ram_policy import trust
from ramrole_creds.testing.account.rsa_signature import PrivateKey, PublicKey

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ramrole_creds.clock import Clock

ISSUER_URL = "https://oidc-ack.fake-cluster.invalid"
AUDIENCE = "sts.aliyuncs.com"
SUBJECT = "system:serviceaccount:default:app"
MAX_UNIX_SECONDS = 253402300800  # the year 10000
KEY_ID = "fake-key-1"
_UNRECOGNIZED = "The Jwt content is invalid that cannot be recognized."

# A key made for these tests; it secures nothing.
_MODULUS = int(
    "a421ee11be245663d02f83fcf120036e586acbe063c58b67b11502003c79c9ea3b4be864343ca9d2b38ce98a3ff6bb3d"
    "ae3a8f2acbf7266f5e50e77e4089cc9c3fbdc4cec1aaf123cddef444e8f14d7281fba240885f2931ab0be87f0ab4d887"
    "3e983a239b0de50fe856ef59a1a3328307515d6eec27cb8e46ab9710ca393d3c322e79892679a029e5ab023bb1789d81"
    "e6b4220302dc1765e1c0be05809a603ae3e639bce155944c1ddcbfb27bb73987d4fdc1d19be7adfaad72d6c1183acbd3"
    "d8b2754c4c04022a2919a9cfc7f2b8d68de1c5a7b138b29fedeb2dee11e09df09dc02892bc8079ee77027b4ed2f783ff"
    "1d845c6e737390c3c6a7edd3f540aa67",
    16,
)
_SECRET_EXPONENT = int(
    "3b202feb3b544abca51be0cfa72b11a157ff8cd71609ed289add86fd7fcb9da59fdbbde90efa4570ee165670e38ee5af"
    "980a675592e942f2be86a585d108f2e8dc7b67a0d59a5748bf1a50635c88c48df9ee246a5bd5eff880f606b8712a698f"
    "fac80ab595df2103a47e60b5a8a92a029289c87f335a389555b6ed71f26f4133d0ee6eeb50101ef7ba072cf1bf612ce8"
    "43463275daf68dc423603726e45caa6c01d2e6bb89199e1537ea65f7e3f5b019e663b6fe908b06c2c7c6652917c54ba4"
    "1eddcc0222427396d03edfedbfa8a41e68e181c442d754b99d8029f47c2a15d0a77fdfcca980fca8570ef89f25967c63"
    "6d2bf6f2e99235c57b39a7b6a616193d",
    16,
)
TEST_KEY = PrivateKey(PublicKey(_MODULUS), _SECRET_EXPONENT)


class OidcIssuer:
    """Signs tokens as a Kubernetes cluster with RRSA does.

    Args:
        clock: by which tokens begin and end.
        account_id: the account in which the provider is registered.
        name: name of the RAM identity provider.
        url: the issuer.
        key: what it signs with.
    """

    def __init__(
        self,
        clock: Clock,
        account_id: str,
        name: str = "ack-rrsa-fake-cluster",
        url: str = ISSUER_URL,
        key: PrivateKey = TEST_KEY,
    ) -> None:
        self.name: str = name
        self.url: str = url
        self.audiences: list[str] = [AUDIENCE]
        """The client IDs that the identity provider accepts as `aud`."""
        self.key: PrivateKey = key
        self._clock = clock
        self._account_id = account_id

    @property
    def provider_arn(self) -> str:
        """ARN of the RAM identity provider, the value of ALIBABA_CLOUD_OIDC_PROVIDER_ARN."""
        return f"acs:ram::{self._account_id}:oidc-provider/{self.name}"

    def token(self, subject: str = SUBJECT, *, lifetime: float = 3600, **claims: object) -> str:
        """A signed token.

        Args:
            subject: the claim `sub`.
            lifetime: seconds until it expires; negative for one that has.
            **claims: more claims, or others in place of `iss`, `aud`, `iat`, `nbf`, `exp`.
        """
        now = int(self._clock.time())
        body = {
            "iss": self.url,
            "aud": [AUDIENCE],
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": int(now + lifetime),
            **claims,
        }
        signed = f"{_part({'alg': 'RS256', 'kid': KEY_ID, 'typ': 'JWT'})}.{_part(body)}"
        return f"{signed}.{_base64url(self.key.sign(signed.encode()))}"

    def write_token(self, path: str | os.PathLike[str], subject: str = SUBJECT, *, lifetime: float = 3600) -> Path:
        """Write a new token to a file of mode 0600. A reader sees the old token or the new one, as with the kubelet.

        Args:
            path: the file.
            subject: of the token, `system:serviceaccount:NAMESPACE:NAME`.
            lifetime: in seconds.

        Returns:
            The path.

        Raises:
            OSError: the file cannot be written.
        """
        file = Path(path)
        write_whole_file(file, self.token(subject, lifetime=lifetime))
        return file

    def trust(self, subject: str | None = None) -> Mapping[str, Any]:
        """A trust policy for roles that this issuer's tokens may assume, all of them or one subject's."""
        condition = {"oidc:iss": [self.url], "oidc:aud": [AUDIENCE]}
        if subject is not None:
            condition["oidc:sub"] = [subject]
        return trust({"Federated": [self.provider_arn]}, {"StringEquals": condition})


class InvalidToken(Exception):
    """An OIDC token is not valid; `code` and `message` are those of STS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code: str = f"AuthenticationFail.OIDCToken.{code}"
        self.message = message


def verify_token(token: str, issuer: OidcIssuer, now: float) -> Mapping[str, Any]:
    """The claims of a token, once signature, times, issuer and audience are right.

    Raises:
        InvalidToken: something is not.
    """
    header, claims = _verified(token, issuer)
    if header.get("alg") != "RS256":
        algorithm = str(header.get("alg"))[:20]
        raise InvalidToken("Invalid", f"The algorithm {algorithm} that be specified in Jwt header is unknown.")
    _require_times(claims, now)
    if claims.get("iss") != issuer.url:
        raise InvalidToken("IssuerNotMatch", "Invalid issuer.")
    if not set(issuer.audiences).intersection(texts(claims.get("aud"))):
        raise InvalidToken("AudienceNotMatch", "Invalid audience.")
    return claims


def _verified(token: str, issuer: OidcIssuer) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims of a token whose signature is right, or whose algorithm is unknown."""
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("Invalid", "The number of Jwt field should be divided into 3 parts with '.' .")
    try:
        header, claims = (json.loads(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except (ValueError, RecursionError):
        raise InvalidToken("Invalid", "Cannot decode base64 encoded response(format invalided).") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidToken("Invalid", _UNRECOGNIZED)
    signed = issuer.key.public.verify(f"{parts[0]}.{parts[1]}".encode(), signature)
    if header.get("alg") == "RS256" and not signed:
        raise InvalidToken("InvalidSignature", "OIDC token validate failed: invalid signature.")
    return header, claims


def _require_times(claims: Mapping[str, Any], now: float) -> None:
    ends, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(ends, (int, float)) or not isinstance(begins, (int, float)) or not 0 < ends < MAX_UNIX_SECONDS:
        raise InvalidToken("Invalid", _UNRECOGNIZED)
    if now >= ends or now < begins:
        raise InvalidToken("Expired", "This JsonWebToken is expired.")


def _part(value: object) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part.encode() + b"=" * (-len(part) % 4))
