"""What `help()`, editors and the manual show as the arguments of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect import Signature


class ConstructorSignature:
    """As `__signature__` of a class with a `__new__` of any arguments: those of its `__init__` are shown."""

    def __get__(self, instance: object, owner: type) -> Signature:
        """The signature of the constructor, without `self`."""
        import inspect

        signature = inspect.signature(owner.__init__)  # type: ignore[misc]  # of a class
        return signature.replace(parameters=list(signature.parameters.values())[1:])
