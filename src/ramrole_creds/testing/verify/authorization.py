"""The parts of an Authorization header that several schemes share."""

from __future__ import annotations

from dataclasses import dataclass

from ramrole_creds.testing.verify.canonical import derived_key

TERMINATOR = "aliyun_v4_request"
KEY_PREFIXES = {TERMINATOR: "aliyun_v4", "aws4_request": "AWS4"}


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

    def key(self, secret: str) -> bytes:
        """The signing key that is derived for the scope."""
        return derived_key(KEY_PREFIXES[self.terminator] + secret, self.day, self.region, self.product, self.terminator)
