"""SM3 (GB/T 32905-2016), for ACS3-HMAC-SM3.

OpenSSL has it in most builds and not in all; this one is always there.
"""

from __future__ import annotations

import struct

BLOCK_BYTES = 64
_MASK = 0xFFFFFFFF
_START = (
    0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E,
)  # fmt: skip


def sm3(data: bytes) -> bytes:
    """The 32-byte digest of `data`."""
    padded = data + b"\x80" + b"\0" * (-(len(data) + 9) % BLOCK_BYTES) + struct.pack(">Q", len(data) * 8)
    state: tuple[int, ...] = _START
    for start in range(0, len(padded), BLOCK_BYTES):
        state = _compress(state, padded[start : start + BLOCK_BYTES])
    return struct.pack(">8I", *state)


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC (RFC 2104) over SM3."""
    block = (sm3(key) if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
    inner = sm3(bytes(byte ^ 0x36 for byte in block) + data)
    return sm3(bytes(byte ^ 0x5C for byte in block) + inner)


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    words = list(struct.unpack(">16I", block))
    for j in range(16, 68):
        mixed = words[j - 16] ^ words[j - 9] ^ _rotate(words[j - 3], 15)
        spread = mixed ^ _rotate(mixed, 15) ^ _rotate(mixed, 23)
        words.append(spread ^ _rotate(words[j - 13], 7) ^ words[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(constant, j % 32)) & _MASK, 7)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & _MASK & g)
        tt1 = (ff + d + (ss1 ^ _rotate(a, 12)) + (words[j] ^ words[j + 4])) & _MASK
        tt2 = (gg + h + ss1 + words[j]) & _MASK
        a, b, c, d = tt1, a, _rotate(b, 9), c
        e, f, g, h = tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17), e, _rotate(f, 19), g
    return tuple(old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


def _rotate(word: int, bits: int) -> int:
    bits %= 32
    return ((word << bits) | (word >> (32 - bits))) & _MASK
