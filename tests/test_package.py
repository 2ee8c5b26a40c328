"""The package as a whole: what it costs to import, what it exports, and who may know whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module, metadata, resources
from pathlib import Path

import pytest

import ramrole_creds

ROOT = Path(__file__).parents[1]
PACKAGE = Path(ramrole_creds.__file__).parent
HEAVY = {
    "asyncio",
    "click",
    "dateutil",
    "http.client",
    "oss2",
    "pytest",
    "requests",
    "rich",
    "ssl",
    "tenacity",
    "urllib3",
}


def loaded_after(statement: str) -> set[str]:
    """The modules that a new interpreter has loaded once `statement` has run."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import ramrole_creds",
        "from ramrole_creds import Signer, default_provider",
        "import ramrole_creds as r; [getattr(r, name) for name in r.__all__ if name != '__version__']",
    ],
)
def test_importing_loads_no_http_client_no_event_loop_and_no_sdk(statement: str) -> None:
    loaded = loaded_after(statement)
    assert "ramrole_creds" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_importing_the_package_loads_none_of_its_modules() -> None:
    loaded = loaded_after("import ramrole_creds")
    assert {name for name in loaded if name.partition(".")[0] == "ramrole_creds"} == {"ramrole_creds"}


def test_every_exported_name_is_there_and_the_list_is_sorted() -> None:
    assert sorted(ramrole_creds.__all__) == list(ramrole_creds.__all__)
    assert dir(ramrole_creds) == list(ramrole_creds.__all__)
    for name in ramrole_creds.__all__:
        assert getattr(ramrole_creds, name) is not None


@pytest.mark.parametrize("name", ["ramrole_creds", "ramrole_creds.signing", "ramrole_creds.testing"])
def test_a_type_checker_sees_the_names_that_there_are_where_they_are(name: str) -> None:
    package = import_module(name)
    (folder,) = package.__path__
    nodes = ast.parse(Path(folder, "__init__.pyi").read_text(encoding="utf-8")).body
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    typed = {alias.asname: node.module for node in imports for alias in node.names if alias.asname}
    lazy = {one: f"{name}.{module}" for module, names in vars(package)["_LAZY"].items() for one in names}
    assert {one: module for one, module in typed.items() if one in lazy} == lazy
    assert typed.keys() - lazy.keys() <= set(package.__all__)


def test_every_public_error_derives_from_one() -> None:
    errors = [value for name in ramrole_creds.__all__ if isinstance(value := getattr(ramrole_creds, name), type)]
    for error in filter(lambda value: issubclass(value, Exception), errors):
        assert issubclass(error, ramrole_creds.RamRoleError)
        assert error.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        getattr(ramrole_creds, "no_such_name")  # noqa: B009 - a literal attribute would be a type error


def test_the_version_is_that_of_the_installed_distribution() -> None:
    assert ramrole_creds.__version__ == metadata.version("ramrole-creds")


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("ramrole_creds").joinpath("py.typed").is_file()


def test_no_module_uses_a_private_name_of_another_package() -> None:
    offences = [
        f"{source.relative_to(PACKAGE)}: {module}.{name}"
        for source in PACKAGE.rglob("*.py")
        for module, name in imported_names(source)
        if is_private(name)
        if module != "ramrole_creds"  # the packages at the root with an underscore are private to all of ours
        if not belongs_to(package_of(source), module)
    ]
    assert offences == []


def test_no_test_uses_a_private_name_of_a_module() -> None:
    offences = [
        f"{source.relative_to(ROOT)}: {module}.{name}"
        for source in (ROOT / "tests").rglob("*.py")
        for module, name in imported_names(source)
        if is_private(name)
        if not is_module(f"{module}.{name}")
    ]
    assert offences == []


def test_no_import_cycle_between_files_even_for_type_checking() -> None:
    imports = {module_of(source): imported_modules(source) for source in PACKAGE.rglob("*.py")}
    assert find_cycle(imports) == []


def module_of(source: Path) -> str:
    """The dotted name of a file's module."""
    parts = source.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("ramrole_creds", *(part for part in parts if part != "__init__")))


def imported_modules(source: Path) -> set[str]:
    """The modules of ours that a file imports by name, whether at run time or for types only."""
    named = imported_names(source)
    found = {f"{module}.{name}" if is_module(f"{module}.{name}") else module for module, name in named}
    whole = {module for module, name in named if not is_module(f"{module}.{name}")}
    return {module for module in found if module in whole or is_leaf(module)} - {module_of(source)}


def is_leaf(dotted: str) -> bool:
    """True for a module that is a file of its own."""
    return PACKAGE.joinpath(*dotted.split(".")[1:]).with_suffix(".py").is_file()


def find_cycle(imports: dict[str, set[str]]) -> list[str]:
    """The modules of one cycle in order, or nothing."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for other in sorted(imports.get(module, ())):
                cycle = visit(other, [*path, module])
                if cycle:
                    return cycle
            done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in sorted(imports))), [])


def is_private(name: str) -> bool:
    """True for one leading underscore."""
    return name.startswith("_") and not name.startswith("__")


def is_module(dotted: str) -> bool:
    """True for a module or package of ours."""
    path = PACKAGE.joinpath(*dotted.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported_names(source: Path) -> list[tuple[str, str]]:
    """Module and name of each `from ramrole_creds… import name` of a file, and of each part of a module's path."""
    found = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ramrole_creds":
            parts = (node.module or "").split(".")
            found += [(node.module or "", alias.name) for alias in node.names]
            found += [(".".join(parts[:i]), parts[i]) for i in range(1, len(parts))]
    return found


def belongs_to(package: str, module: str) -> bool:
    """True where both stand in one folder at the root; the modules at the root are each a package of their own."""
    return package != "ramrole_creds" and module.split(".")[:2] == package.split(".")[:2]


def package_of(source: Path) -> str:
    """The dotted name of the package that a file stands in."""
    return ".".join(("ramrole_creds", *source.relative_to(PACKAGE).parent.parts))


def test_signing_is_loaded_when_it_is_first_used() -> None:
    code = "import ramrole_creds; print(ramrole_creds.signing.Request.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "Request\n", done.stderr
