"""The class of a signed request of an HTTP client, whatever class of requests the program uses."""

from __future__ import annotations

_made: dict[tuple[type, type], type] = {}


def signed_class(base: type, signed: type) -> type:
    """The class that a request gets when it is signed.

    Args:
        base: the class of the request: that of the client, or a subclass of the program's own.
        signed: the class of signed requests, directly below that of the client.
    """
    if (base, signed) not in _made:
        if issubclass(base, signed):
            found = base
        else:
            found = signed if base is signed.__base__ else type(base.__name__, (signed, base), {})
        _made[base, signed] = found
    return _made[base, signed]


def unsigned_class(current: type, signed: type) -> type:
    """The class that a request had before it was signed."""
    return current.__bases__[0 if current is signed else 1]
