"""Builds the release twice and looks at it: the same bytes, a valid description, nothing missing, and what it needs.

Run it by `tox run -e release`. The archives and the list of components (SBOM) are left in dist/.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
IN_SDIST = ("src", "tests", "docs", "benchmarks", ".ci", "tox.ini", "pyproject.toml", "README.md", "CHANGELOG.md")


def main() -> int:
    """Build, compare, check.

    Raises:
        SystemExit: something is wrong with the release; the message says what.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test-sdist", action="store_true", help="also run the tests that the sdist holds")
    arguments = parser.parse_args()
    check_changelog(git("tag", "--points-at", "HEAD").split(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as second:
        first, again = build(dist), build(Path(second))
        if first != again:
            sys.exit(f"Two builds differ: {first} and {again}.")
    for name, digest in sorted(first.items()):
        print(f"{digest}  {name}")
    archives = sorted(str(path) for path in dist.iterdir())
    run("twine", "check", "--strict", *archives)
    run("check_wheel_contents", *[path for path in archives if path.endswith(".whl")])
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = unpack(next(path for path in archives if path.endswith(".tar.gz")), Path(scratch))
        missing = [name for name in IN_SDIST if not (unpacked / name).exists()]
        if missing:
            sys.exit(f"The sdist lacks {', '.join(missing)}.")
        write_sbom(dist, Path(scratch))
        if arguments.test_sdist:
            test_sdist(unpacked, Path(scratch))
    return 0


def check_changelog(tags: list[str], text: str) -> None:
    """At a tag, the changelog has a section of that version with its date, and nothing is left as unreleased.

    Raises:
        SystemExit: it has not.
    """
    sections = dict(re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?\n", text, re.MULTILINE))
    for version in (tag.removeprefix("v") for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)):
        if not sections.get(version):
            sys.exit(f"CHANGELOG.md has no section '## [{version}] - DATE'. Rename 'Unreleased' and add the date.")


def git(*arguments: str) -> str:
    """What git prints; nothing outside of a checkout."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def build(where: Path) -> dict[str, str]:
    """Build wheel and sdist; the SHA-256 of each file by name."""
    epoch = git("log", "-1", "--format=%ct") or "1577836800"  # outside of a checkout: any fixed moment
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    command = [sys.executable, "-m", "build", "--outdir", str(where), str(ROOT)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in where.iterdir()}


def run(module: str, *arguments: str) -> None:
    """Run a tool of this environment; it must succeed."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def unpack(sdist: str, where: Path) -> Path:
    """Unpack an sdist; the folder that it holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(where, filter="data")
    (folder,) = where.iterdir()
    return folder


def new_environment(where: Path, *requirements: str) -> Path:
    """A virtual environment with these packages; its interpreter."""
    venv.create(where, with_pip=True)
    python = where / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "pip"], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    return python


def write_sbom(dist: Path, scratch: Path) -> None:
    """List what the wheel brings, by CycloneDX, in dist/."""
    (wheel,) = dist.glob("*.whl")
    python = new_environment(scratch / "runtime", str(wheel))
    target = dist / f"{wheel.stem.rsplit('-', 3)[0]}.cdx.json"
    run("cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON", "-o", str(target), str(python))


def test_sdist(unpacked: Path, scratch: Path) -> None:
    """Run the tests of the sdist against the package that is built from it."""
    extras = "cli,testing,yaml,rsa,httpx,aiohttp,oss2,tea-openapi,credentials,serve"
    groups = [part for group in ("tests", "sdks") for part in ("--group", f"{unpacked}/pyproject.toml:{group}")]
    python = new_environment(scratch / "tests", f"{unpacked}[{extras}]", *groups)
    command = [str(python), "-m", "pytest", "-q", "-n", "auto", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=unpacked, check=True)


if __name__ == "__main__":
    sys.exit(main())
