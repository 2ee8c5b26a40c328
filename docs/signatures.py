"""Signatures as the reference shows them: what a caller may pass, with types that a reader can look up."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from generated import described
from sphinx.pycode import ModuleAnalyzer

import ramrole_creds
from ramrole_creds import CredentialProvider, Credentials, RamRoleError
from ramrole_creds.providers.sts_provider import StsProvider

# The modules whose `__all__` is public; each module of the integrations too.
PUBLIC_MODULES = (
    "ramrole_creds",
    "ramrole_creds.clock",
    "ramrole_creds.errors",
    "ramrole_creds.events",
    "ramrole_creds.local_service",
    "ramrole_creds.metadata",
    "ramrole_creds.recorder",
    "ramrole_creds.signing",
    "ramrole_creds.sts",
    "ramrole_creds.testing",
)
# By the type of `**options`: the function whose arguments they are.
OPTIONS = {
    "CredentialsFields": Credentials.__init__,
    "ProviderOptions": CredentialProvider.__init__,
    "StsOptions": StsProvider.__init__,
}
# Python's own words for arguments that an exception or a protocol does not define.
NO_SIGNATURE = re.compile(r"\(\*args(?:: [\w.]+)?, \*\*kwargs(?:: [\w.]+)?\)")
# What Sphinx shows for values that have no text in the language.
VALUE = re.compile(r"<[\w ]+(?: at 0x\w+)?>")


def shown(what: str, value: object, arguments: str | None, returns: str | None) -> tuple[str | None, str | None]:
    """Arguments and the type of the result, as a reader sees them."""
    if arguments and NO_SIGNATURE.fullmatch(arguments):
        is_error = isinstance(value, type) and issubclass(value, RamRoleError)
        return ("(message)" if is_error else ""), returns
    if not arguments:
        return arguments, returns
    text = f"def f{VALUE.sub('...', arguments).replace('~', '')} -> {(returns or 'None').replace('~', '')}: ..."
    function = _parsed(text)
    if function is None:
        return arguments, returns
    module = _module_of(value)
    _leave_out(function.args)
    _spell_out(function.args)
    changed = _Names(module).visit(function)
    result = ast.unparse(changed.returns)
    return f"({ast.unparse(changed.args)})", (result if returns and what != "class" else None)


def _module_of(value: object) -> str:
    """Where the arguments of a function or a class are written."""
    constructor = getattr(value, "__init__", None) if isinstance(value, type) else value
    return str(getattr(constructor, "__module__", None) or getattr(value, "__module__", ""))


def _parsed(text: str) -> ast.FunctionDef | None:
    """A definition of a function, None if the text is not one."""
    try:
        node = ast.parse(text).body[0]
    except SyntaxError:
        return None
    return node if isinstance(node, ast.FunctionDef) else None


def _leave_out(arguments: ast.arguments) -> None:
    """Without the arguments that nobody passes: private fields, and the one that catches misspelled keywords."""
    for names in (arguments.posonlyargs, arguments.args):
        for one in [one for one in names if one.arg.startswith("_")]:
            place = len(arguments.posonlyargs + arguments.args) - (arguments.posonlyargs + arguments.args).index(one)
            if place <= len(arguments.defaults):
                del arguments.defaults[-place]
            names.remove(one)
    for one in [one for one in arguments.kwonlyargs if one.arg.startswith("_")]:
        del arguments.kw_defaults[arguments.kwonlyargs.index(one)]
        arguments.kwonlyargs.remove(one)
    if arguments.kwarg is not None and arguments.kwarg.arg == "unknown":
        arguments.kwarg = None


def _spell_out(arguments: ast.arguments) -> None:
    """Each keyword in place of `**options`."""
    kind = arguments.kwarg.annotation if arguments.kwarg else None
    name = ast.unparse(kind.slice) if isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == "Unpack" else ""
    if name not in OPTIONS:
        return
    arguments.kwarg = None
    known = {one.arg for one in arguments.args + arguments.kwonlyargs} | {"self"}
    for parameter in _keywords(OPTIONS[name]):
        if parameter.name not in known:
            arguments.kwonlyargs.append(ast.arg(parameter.name, ast.parse(parameter.annotation, mode="eval").body))
            default = "..." if name == "CredentialsFields" else repr(parameter.default)
            arguments.kw_defaults.append(ast.parse(default, mode="eval").body)


def _keywords(function: Any) -> list[inspect.Parameter]:  # noqa: ANN401  # a function
    """The parameters of a constructor, with those that it passes on."""
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found += _keywords(CredentialProvider.__init__) if "ProviderOptions" in parameter.annotation else []
        else:
            found.append(parameter)
    return found


class _Names(ast.NodeTransformer):
    """Types by their last names, or by their definitions if they are not public; constants by their values."""

    def __init__(self, module: str) -> None:
        self.module = module

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # ast calls it
        """A type by its last name."""
        return self.visit(ast.Name(node.attr)) if ast.unparse(node.value).split(".")[0] in sys.modules else node

    def visit_Name(self, node: ast.Name) -> ast.AST:  # ast calls it
        """What the module means by the name."""
        if re.fullmatch(r"_?[A-Z][A-Z_0-9]+", node.id):
            constant = getattr(sys.modules.get(self.module), node.id, None)
            return ast.Constant(constant) if isinstance(constant, (str, int, float)) else node
        found = ("", "Credentials") if node.id == "CredentialsT" else definition(self.module, node.id)
        return node if found is None else _Names(found[0]).visit(ast.parse(found[1], mode="eval").body)


@functools.cache
def definition(module: str, name: str) -> tuple[str, str] | None:
    """The module and the text of what an alias of types stands for, followed through imports; None for other names."""
    nodes = _nodes(module) if name not in ramrole_creds.metadata.__all__ else []
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _target(node) == name:
            return (module, ast.unparse(node.value)) if node.value is not None and _is_alias(node) else None
    source = _imported_from(nodes, name)
    return None if source is None else definition(source, name)


def _nodes(module: str) -> list[ast.AST]:
    """The syntax tree of a module of this library; empty for other modules."""
    spec = importlib.util.find_spec(module) if module.startswith("ramrole_creds") else None
    return list(ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))) if spec and spec.origin else []


def _imported_from(nodes: list[ast.AST], name: str) -> str | None:
    """The module from which a name is imported."""
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return next((one.module for one in imports if name in {each.asname or each.name for each in one.names}), None)


def _target(node: ast.Assign | ast.AnnAssign) -> str:
    """The name that an assignment binds."""
    return ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def _is_alias(node: ast.Assign | ast.AnnAssign) -> bool:
    """True if the value may stand for a type: `X | Y`, `X[Y]` or a name."""
    is_marked = isinstance(node, ast.Assign) or "TypeAlias" in ast.unparse(node.annotation)
    return is_marked and isinstance(node.value, (ast.BinOp, ast.Subscript, ast.Name, ast.Attribute))


def spelled_out(module: str, annotation: str) -> str:
    """A type with definitions in place of names that are not public."""
    if annotation == "_Item":
        return "str"  # what reading an item of the metadata service returns
    return ast.unparse(_Names(module).visit(ast.parse(annotation, mode="eval").body))


def describe_attributes() -> list[str]:
    """Give attributes of public classes what Sphinx shows: type, and text. The names of those without text.

    The text is that of the attribute, of the same attribute of a base class, or of the argument with its name.
    """
    without = []
    for cls in sorted(_classes(), key=lambda one: len(one.__mro__)):
        analyzer = ModuleAnalyzer.for_module(cls.__module__)
        analyzer.analyze()
        types = _types(cls)
        for one in vars(cls).values():
            if isinstance(one, property) and one.fget is not None and "return" in one.fget.__annotations__:
                returned = str(one.fget.__annotations__["return"])
                one.fget.__annotations__["return"] = spelled_out(cls.__module__, returned)
        cls.__annotations__ = types
        for name in types:
            if (cls.__qualname__, name) not in analyzer.attr_docs:
                text = _text(cls, name)
                analyzer.attr_docs[cls.__qualname__, name] = [text, ""]
                without += [] if text else [f"{cls.__module__}.{cls.__qualname__}.{name}"]
    return without


def _types(cls: type) -> dict[str, str]:
    """The public attributes that a class and its constructor annotate, with their types spelt out."""
    found = {
        node.target.attr: ast.unparse(node.annotation)
        for node in ast.walk(_source(cls))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute)
    }
    found |= {
        name: getattr(one, "__forward_arg__", str(one)) for name, one in vars(cls).get("__annotations__", {}).items()
    }
    return {name: spelled_out(cls.__module__, said) for name, said in found.items() if not name.startswith("_")}


def _text(cls: type, name: str) -> str:
    """What a base class says about an attribute, or a docstring about the argument of that name."""
    value = inspect.getattr_static(cls, name, None)
    if type(value).__module__.startswith("ramrole_creds.metadata"):
        return str(value.__doc__)  # an item of the metadata service says itself what it is
    for base in cls.__mro__:
        if base.__module__.startswith("ramrole_creds"):
            lines = ModuleAnalyzer.for_module(base.__module__).attr_docs.get((base.__qualname__, name), [])
            argument = described(base).get(name, "")
            if not dataclasses.is_dataclass(base):
                argument = re.split(r"; |(?<=[^.]{3})\. ", argument)[0].rstrip(".") + "." * bool(argument)
            said = " ".join(lines).strip() or argument[:1].upper() + argument[1:]
            if said:
                return said
    return ""


def _classes() -> list[type]:
    """The public classes and their bases."""
    found = (find(name) for name in public().values())
    classes = {base for one in found if isinstance(one, type) for base in one.__mro__}
    return [one for one in classes if one.__module__.startswith("ramrole_creds")]


def _source(cls: type) -> ast.AST:
    """The source of a class."""
    source = ast.parse(Path(str(sys.modules[cls.__module__].__file__)).read_text(encoding="utf-8"))
    return next(node for node in ast.walk(source) if isinstance(node, ast.ClassDef) and node.name == cls.__name__)


def methods(cls: type) -> set[str]:
    """The methods that the source of a class has; a dataclass gets others."""
    body = getattr(_source(cls), "body", ())
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def find(path: str) -> object:
    """The object with that dotted name; None if it does not exist."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        found: object = sys.modules.get(".".join(parts[:end]))
        if found is not None:
            for part in parts[end:]:
                found = getattr(found, part, None)
            return found
    return None


@functools.cache
def public() -> dict[int, str]:
    """The names of public objects, by identity."""
    found = {}
    for module in PUBLIC_MODULES:
        loaded = importlib.import_module(module)
        found |= {id(getattr(loaded, name)): f"{module}.{name}" for name in loaded.__all__}
    return found


def public_names() -> list[str]:
    """The public names of this library; of the integrations from their source, since some need their SDK."""
    names = [name for name in public().values() if name != "ramrole_creds.__version__"]
    for path in sorted(Path(ramrole_creds.__file__).parent.glob("integrations/[a-z]*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = ast.literal_eval(node.value)
                names += [f"ramrole_creds.integrations.{path.stem}.{name}" for name in listed]
    return names


def is_shown(base: object) -> bool:
    """True for a base class that is public, or not of this library."""
    module = str(getattr(base, "__module__", ""))
    if not module.startswith("ramrole_creds"):
        return True
    return id(base) in public() or module.startswith("ramrole_creds.integrations")
