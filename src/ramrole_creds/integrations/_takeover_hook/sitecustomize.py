"""Loaded at the start of a Python child of `ramrole-creds run`, whose PYTHONPATH begins with this directory.

Runs the `sitecustomize` that it hides, then installs the takeover where this interpreter has the library.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _run_hidden() -> None:
    """Run the sitecustomize that would have been found without this one."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib costs start-up time
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]  # noqa: PTH100  # as above
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _take_over() -> None:
    if os.environ.get("RAMROLE_CREDS_TAKEOVER") != "1" or sys.version_info < (3, 10):  # any interpreter may start here
        return
    try:
        from ramrole_creds.integrations import takeover
    except ImportError:  # another interpreter than that of the command
        return
    takeover.install()


try:
    _run_hidden()
finally:
    _take_over()
