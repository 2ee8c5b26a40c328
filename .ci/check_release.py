"""Builds the release twice and checks it: the same bytes, a valid description, nothing missing or in excess.

The second build starts from the sdist, at another place, with another umask and time zone. Then the wheel is installed
without an extra and tried. Run it by `tox run -e release`. The archives and the list of components (SBOM) are left in
dist/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "src/ramrole_creds/"
FIXED_EPOCH = 1_577_836_800  # of a build outside of a checkout
IN_SDIST = (
    ".ci",
    ".github",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "docs",
    "pyproject.toml",
    "tests",
    "tox.ini",
)
# What needs nothing but the declared dependencies: every public name, and the plugin for pytest, without pytest.
TRIAL = """
import importlib.metadata as metadata
import ramrole_creds, ramrole_creds.signing as signing, ramrole_creds.testing as testing

for module in (ramrole_creds, signing, testing):
    for name in module.__all__:
        getattr(module, name)
(plugin,) = metadata.entry_points(group="pytest11", name="ramrole_creds")
print(plugin.value, metadata.version("ramrole-creds"), ramrole_creds.__version__)
"""


def main() -> int:
    """Build, compare, check.

    Raises:
        SystemExit: something is wrong with the release; the message says what.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test-sdist", action="store_true", help="also run the tests that the sdist holds")
    arguments = parser.parse_args()
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct") or str(FIXED_EPOCH)}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        first = build(ROOT, dist, environment)
        wheel, sdist = dist / next(one for one in first if one.endswith(".whl")), next(dist.glob("*.tar.gz"))
        check_changelog(
            git("tag", "--points-at", "HEAD").split(),
            (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
            wheel.name.split("-")[1],
        )
        unpacked = unpack(sdist, scratch / "unpacked")
        again = build(unpacked, scratch / "again", environment | {"TZ": "Asia/Kolkata", "LC_ALL": "C"}, umask=0o077)
        if first != again:
            sys.exit(f"Two builds differ: {first} and {again}.")
        for name, digest in sorted(first.items()):
            print(f"{digest}  {name}")
        run("twine", "check", "--strict", str(wheel), str(sdist))
        run("check_wheel_contents", str(wheel))
        check_files(unpacked, wheel)
        python = new_environment(scratch / "runtime", str(wheel))
        try_wheel(python)
        write_sbom(python, wheel)
        if arguments.test_sdist:
            test_sdist(unpacked, scratch)
    return 0


def check_changelog(tags: list[str], text: str, built: str) -> None:
    """At a tag, the changelog has a section of that version with its date, and nothing is left as unreleased.

    Raises:
        SystemExit: it has not, or the version that was built is another.
    """
    sections = {
        name: (day, entries.strip())
        for name, day, entries in re.findall(
            r"^## \[([^\]]+)\](?: - (\S+))?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
        )
    }
    for version in (tag.removeprefix("v") for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)):
        if version != built:
            sys.exit(f"The tag says {version}, pyproject.toml {built}. Correct the version or the tag.")
        if not is_day(sections.get(version, ("", ""))[0]):
            sys.exit(f"CHANGELOG.md has no section '## [{version}] - DATE'. Rename 'Unreleased' and add the date.")
        if sections.get("Unreleased", ("", ""))[1]:
            sys.exit(f"CHANGELOG.md has entries under 'Unreleased' at the tag of {version}. Move them to its section.")


def is_day(text: str) -> bool:
    """True for a date in the form 2026-12-31."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def git(*arguments: str) -> str:
    """What git prints; nothing outside of a checkout."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def build(source: Path, where: Path, environment: dict[str, str], umask: int = -1) -> dict[str, str]:
    """Build wheel and sdist; the SHA-256 of each file by name."""
    command = [sys.executable, "-m", "build", "--outdir", str(where), str(source)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, umask=umask)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in where.iterdir()}


def run(module: str, *arguments: str) -> None:
    """Run a tool of this environment; it must succeed."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def unpack(sdist: Path, where: Path) -> Path:
    """Unpack an sdist; the folder that it holds."""
    with tarfile.open(sdist) as archive:
        archive.extractall(where, filter="data")
    (folder,) = where.iterdir()
    return folder


def check_files(unpacked: Path, wheel: Path) -> None:
    """The sdist holds what is needed and nothing that git does not know; the wheel holds each file of the package.

    Raises:
        SystemExit: a file is missing or in excess.
    """
    held = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    package = {name.removeprefix("src/") for name in held if name.startswith(PACKAGE)}
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    known = set(git("ls-files").splitlines()) or held
    for problem, names in (
        ("The sdist lacks", {name for name in IN_SDIST if not (unpacked / name).exists()}),
        ("The sdist has files that git does not know:", held - known - {"PKG-INFO"}),
        ("Wheel and sdist have different files:", in_wheel ^ package),
    ):
        if names:
            sys.exit(f"{problem} {', '.join(sorted(names))}.")


def new_environment(where: Path, *requirements: str) -> Path:
    """A virtual environment with these packages and nothing else; its interpreter."""
    venv.create(where, with_pip=False)
    python = where / ("Scripts" if os.name == "nt" else "bin") / "python"
    install(python, *requirements)
    return python


def install(python: Path, *arguments: str) -> None:
    """Install packages for an interpreter that has no pip."""
    run("pip", "--python", str(python), "install", "--quiet", *arguments)


def try_wheel(python: Path) -> None:
    """Without an extra, every public name loads, and the command says how to install what it needs.

    Raises:
        SystemExit: the command says something else.
    """
    subprocess.run([python, "-I", "-c", TRIAL], check=True)
    command = [python.with_name("ramrole-creds"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 or "pip install '.[cli]'" not in done.stderr:
        sys.exit(f"Without the extra cli, the command ended with {done.returncode}: {done.stderr}")


def write_sbom(python: Path, wheel: Path) -> None:
    """Write the list of what the wheel brings into dist/, by CycloneDX, which checks it with its schema.

    Raises:
        SystemExit: the list lacks a dependency.
    """
    target = wheel.with_name(f"{'-'.join(wheel.stem.split('-')[:2])}.cdx.json")
    # From the folder, not by its path, which the list would show.
    install(python, "--force-reinstall", "--no-deps", "--no-index", f"--find-links={wheel.parent}", "ramrole-creds")
    about = ("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library", "--output-reproducible", "--validate")
    run("cyclonedx_py", "environment", *about, "--of", "JSON", "-o", str(target), str(python))
    listed = json.loads(target.read_text(encoding="utf-8"))
    found = {component["name"] for component in listed["components"]}
    ask = "import importlib.metadata as m; print(*[one.metadata['Name'] for one in m.distributions()])"
    installed = set(subprocess.check_output([python, "-I", "-c", ask], text=True).split())
    if found | {listed["metadata"]["component"]["name"]} != installed:
        sys.exit(f"{target.name} lists {', '.join(sorted(found))}; installed are {', '.join(sorted(installed))}.")


def test_sdist(unpacked: Path, scratch: Path) -> None:
    """Run the tests of the sdist against the package that is built from it."""
    extras = "cli,testing,yaml,rsa,httpx,aiohttp,oss2,tea-openapi,credentials,serve"
    groups = [part for group in ("tests", "sdks") for part in ("--group", f"{unpacked}/pyproject.toml:{group}")]
    python = new_environment(scratch / "tests", f"{unpacked}[{extras}]", *groups)
    command = [str(python), "-m", "pytest", "-q", "-n", "auto", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=unpacked, check=True)


if __name__ == "__main__":
    sys.exit(main())
