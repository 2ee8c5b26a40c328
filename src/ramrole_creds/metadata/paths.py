"""The paths of the metadata service, and which texts are paths of it."""

from __future__ import annotations

from typing import TypeGuard

ITEMS_PATH = "/latest/meta-data/"
ROLES_PATH = f"{ITEMS_PATH}ram/security-credentials/"
TOKEN_PATH = "/latest/api/token"  # noqa: S105  # a path


def is_path(path: object) -> TypeGuard[str]:
    """Whether a text can stand in a request: printable ASCII without a blank."""
    return isinstance(path, str) and path.isascii() and path.isprintable() and " " not in path


def is_item_name(name: object) -> TypeGuard[str]:
    """Whether a text can name an item below /latest/meta-data/, as it stands in the path of a request."""
    return is_path(name) and bool(name) and not name.startswith("/") and not set("?#%") & set(name)
