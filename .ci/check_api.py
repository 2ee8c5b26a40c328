"""Compares the public API with that of the last tag, or of the revision named; ends with 1 where a change breaks users.

Public is what the packages below list. A name that was removed, a parameter that was removed, moved or made
required, and a changed default or base class break users.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import griffe

PACKAGE = "ramrole_creds"
ANSI = re.compile(r"\x1b\[\d+m")
PUBLIC = ("", "clock", "errors", "events", "integrations", "local_service", "metadata", "signing", "sts", "testing")


def main(arguments: list[str]) -> int:
    """Compare and print.

    Args:
        arguments: the revision to compare with; the last tag where empty.
    """
    root = Path(__file__).parents[1]
    revision = arguments[0] if arguments else last_tag(root)
    if revision is None:
        print("No release has been tagged yet: there is no public API to compare with.")
        return 0
    old = griffe.load_git(PACKAGE, ref=revision, repo=root, search_paths=["src"])
    new = griffe.load(PACKAGE, search_paths=[root / "src"])
    for package in (old, new):
        for module in PUBLIC:
            list_exports(package, module)
    paths = tuple(path for package in (old, new) for path in public_paths(package))
    problems = [
        ANSI.sub("", breakage.explain(griffe.ExplanationStyle.ONE_LINE))
        for breakage in griffe.find_breaking_changes(old, new)
        if f"{breakage.obj.canonical_path}.".startswith(paths)
    ]
    print(*problems, sep="\n")
    print(f"{len(problems)} changes of the public API since {revision} break users.")
    return 1 if problems else 0


def last_tag(root: Path) -> str | None:
    """The newest tag that is an ancestor of the checkout."""
    command = ["git", "describe", "--tags", "--abbrev=0"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def public_paths(package: griffe.Object | griffe.Alias) -> set[str]:
    """Where each public name is defined, with a dot behind it."""
    modules = [(module, find(package, module)) for module in PUBLIC]
    return {
        f"{found.members[name].canonical_path if name in found.members else f'{found.path}.{name}'}."
        for module, found in modules
        if found is not None
        for name in public_names(package, module)
    }


def public_names(package: griffe.Object | griffe.Alias, module: str) -> set[str]:
    """The names that a package hands on, from its list or its stub."""
    found = find(package, module)
    if found is None:
        return set()
    if found.exports:
        return {str(name) for name in found.exports}
    return {name for name, member in found.members.items() if is_handed_on(name, member)}


def is_handed_on(name: str, member: griffe.Object | griffe.Alias) -> bool:
    """True for a name that a stub re-exports from a module of this package."""
    return (
        isinstance(member, griffe.Alias) and not name.startswith("_") and member.target_path.startswith(f"{PACKAGE}.")
    )


def list_exports(package: griffe.Object | griffe.Alias, module: str) -> None:
    """Write down what a lazy package exports, so that imported names count as public."""
    found = find(package, module)
    if isinstance(found, griffe.Module):
        found.exports = sorted(public_names(package, module))


def find(package: griffe.Object | griffe.Alias, module: str) -> griffe.Object | griffe.Alias | None:
    """The module of that name, if there is one."""
    if not module:
        return package
    return package.members.get(module)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
