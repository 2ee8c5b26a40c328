"""An integration whose SDK is not installed says what to install, when it is imported or first used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ramrole_creds import ConfigurationError
from ramrole_creds.integrations._sdk import load_sdk, require_attribute

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src" / "ramrole_creds" / "integrations"
MODULES = sorted(file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("_"))
# The modules of the core's dependencies and of what they need; nothing else can be imported.
CORE = (
    "requests urllib3 certifi charset_normalizer chardet idna tenacity dateutil six cryptography OpenSSL _cffi_backend"
)
IMPORT = """
import importlib, sys

class NothingElse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {core!r}.split() + ["ramrole_creds"]:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NothingElse())
from ramrole_creds import ConfigurationError
try:
    importlib.import_module("ramrole_creds.integrations.{module}")
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize("module", MODULES)
def test_an_integration_without_its_sdk_is_imported_or_names_the_extra_to_install(module: str) -> None:
    code = IMPORT.format(core=CORE, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    extras = re.findall(r"^([\w-]+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    if done.stdout:
        found = re.search(r"^[\w.]+ is not installed\. Install it: .*pip install '\.\[([\w-]+)\]'\.", done.stdout)
        assert found is not None, done.stdout
        assert found.group(1) in extras


@pytest.mark.parametrize("module", ["aiohttp", "httpx"])
def test_an_http_client_that_is_not_installed_is_named(module: str) -> None:
    code = IMPORT.format(core=CORE, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith(f"{module} is not installed. Install it: "), done.stderr


def test_a_package_that_an_sdk_lacks_is_not_reported_as_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "an_sdk.py").write_text("import a_package_that_is_missing")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError) as missing:
        load_sdk("an_sdk", "extra")
    assert missing.value.name == "a_package_that_is_missing"


def test_a_changed_sdk_that_was_not_installed_by_a_package_manager_is_named_without_a_version() -> None:
    with pytest.raises(ConfigurationError, match="an-sdk of an unknown version is installed: pin an-sdk==1 until"):
        require_attribute(object(), "gone", "an-sdk", "1")
