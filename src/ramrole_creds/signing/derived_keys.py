"""Signing keys derived from a secret for one day, region and product."""

from __future__ import annotations

from hmac import digest as hmac_digest

MOST_KEYS = 16


class DerivedKeys:
    """The derived keys of one secret, that of the last signature.

    Deriving costs four HMACs, more than the signature itself. All that goes into a key is part of what it is looked
    up by: secret, day, region, product. When another secret signs, the keys of the one before go, so that none
    outlives its credentials.

    Needs no lock: what is cached is one tuple that is replaced and never changed, so a reader sees the keys of one
    secret or of another, never a mixture. Two threads that miss at once both derive the same key.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: tuple[str, dict[tuple[str, str, str, str], bytes]] = ("", {})

    def key(self, secret: str, day: str, region: str, product: str, prefix: str, terminator: str) -> bytes:
        """The key of `secret` for that day (YYYYMMDD), region and product.

        Args:
            secret: the AccessKey secret.
            day: of the signature, in UTC.
            region: as the scope has it.
            product: as the scope has it.
            prefix: what is put before the secret: "aliyun_v4" or "AWS4".
            terminator: the last text of the chain: "aliyun_v4_request" or "aws4_request".
        """
        held_secret, keys = self._held
        scope = (day, region, product, prefix)
        if held_secret == secret:
            key = keys.get(scope)
            if key is not None:
                return key
        else:
            keys = {}
        key = _derive(prefix + secret, day, region, product, terminator)
        kept = list(keys.items())[1 - MOST_KEYS :]
        self._held = (secret, dict([*kept, (scope, key)]))
        return key

    def __repr__(self) -> str:
        return f"<DerivedKeys: {len(self._held[1])} kept>"

    def __reduce__(self) -> tuple[type[DerivedKeys], tuple[()]]:
        return DerivedKeys, ()


def _derive(key: str, *scope: str) -> bytes:
    derived = key.encode()
    for text in scope:
        derived = hmac_digest(derived, text.encode(), "sha256")
    return derived
