"""Install the lowest declared versions of extras and dependency groups into the environment of this interpreter.

    python .ci/install_lowest.py cli serve --group tests

tests/lowest.txt holds down indirect dependencies. Needs uv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Resolve, then install."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extra", nargs="*", help="an extra of pyproject.toml")
    parser.add_argument("--group", action="append", default=[], help="a dependency group of pyproject.toml")
    given = parser.parse_args()
    options = [f"--extra={extra}" for extra in given.extra] + [f"--group={group}" for group in given.group]
    with tempfile.TemporaryDirectory() as folder:
        found = str(Path(folder) / "lowest.txt")
        uv(
            "compile",
            "--resolution=lowest-direct",
            "--constraint=tests/lowest.txt",
            f"--output-file={found}",
            *options,
            "pyproject.toml",
        )
        uv("install", f"--requirement={found}")


def uv(command: str, *arguments: str) -> None:
    """Run `uv pip`."""
    program = [sys.executable, "-m", "uv", "pip", command, "--quiet", f"--python={sys.executable}", *arguments]
    subprocess.run(program, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
