"""The parts of an Authorization header that several schemes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ramrole_creds.testing.verify.canonical import derived_key

TERMINATOR = "aliyun_v4_request"


class Claim(NamedTuple):
    """Which key signed, and the signature that the request carries."""

    access_key_id: str
    signature: str


def authorization_fields(text: str) -> dict[str, str]:
    """The fields of `Credential=…, SignedHeaders=…, Signature=…`."""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip().rpartition(" ")[2]: value.strip() for name, equals, value in pairs if equals}


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential of a V4 signature: whose key, derived for which day, region and product."""

    access_key_id: str
    day: str
    region: str
    product: str
    terminator: str

    @classmethod
    def parse(cls, credential: str, terminator: str = TERMINATOR) -> Scope | None:
        """Read `<id>/<day>/<region>/<product>/<terminator>`; None where it has another form."""
        parts = credential.split("/")
        if len(parts) != 5 or not parts[0] or parts[4] != terminator:
            return None
        return cls(*parts)

    @property
    def text(self) -> str:
        """The scope as it stands in the string to sign."""
        return f"{self.day}/{self.region}/{self.product}/{self.terminator}"

    def key(self, secret: str, prefix: str = "aliyun_v4") -> bytes:
        """The signing key that is derived for the scope."""
        return derived_key(prefix, secret, self.day, self.region, self.product, self.terminator)
