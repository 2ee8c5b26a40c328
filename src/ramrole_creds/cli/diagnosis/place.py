"""Where this program runs: instance, container, pod or function."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds.cli.diagnosis.report import Check

if TYPE_CHECKING:
    from collections.abc import Mapping

DMI_PRODUCT = "sys/class/dmi/id/product_name"
DOCKER_MARKER = ".dockerenv"
PODMAN_MARKER = "run/.containerenv"
CGROUP = "proc/1/cgroup"
FIB_TRIE = "proc/net/fib_trie"
CONTAINER_WORDS = ("docker", "containerd", "kubepods", "libpod")
FUNCTION_VARIABLES = ("FC_FUNCTION_NAME", "FC_ACCOUNT_ID")


@dataclass(frozen=True, slots=True)
class Place:
    """Where this program runs.

    Args:
        product: what the machine's firmware calls it, "" where it does not.
        is_ecs: True on an ECS instance, by that name.
        container: True in a container.
        pod: True in a Kubernetes pod.
        function: the function's name in Function Compute, "" elsewhere.
    """

    product: str
    is_ecs: bool
    container: bool
    pod: bool
    function: str

    def check(self) -> Check:
        """The line about it."""
        machine = f"a machine that calls itself {self.product!r}" if self.product else "a machine of unknown type"
        parts = ["an ECS instance" if self.is_ecs else machine]
        if self.pod:
            parts.append("in a Kubernetes pod")
        elif self.container:
            parts.append("in a container")
        if self.function:
            parts.append(f"in the function {self.function!r}")
        return Check("place", "ok", f"This is {', '.join(parts)}.")


def look_at_place(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Place:
    """Find out from files and variables; sends no request.

    Args:
        root: where the file system begins.
        environ: the environment.
    """
    product = read_text(root / DMI_PRODUCT).strip()
    groups = read_text(root / CGROUP)
    pod = bool(environ.get("KUBERNETES_SERVICE_HOST"))
    marked = (root / DOCKER_MARKER).exists() or (root / PODMAN_MARKER).exists()
    container = pod or marked or any(word in groups for word in CONTAINER_WORDS)
    function = next((environ[name] for name in FUNCTION_VARIABLES if environ.get(name)), "")
    return Place(product, "alibaba cloud" in product.lower(), container, pod, function)


def read_text(path: Path) -> str:
    """The file's text, "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
