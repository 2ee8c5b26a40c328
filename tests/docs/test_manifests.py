"""The manifests of docs/manifests are valid, and their environment means what their comments say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import RamRoleError, default_provider

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

yaml = pytest.importorskip("yaml", reason="pyyaml reads the manifests")
MANIFESTS = Path(__file__).parents[2] / "docs" / "manifests"
NAMES = ["node-role.yaml", "rrsa.yaml", "sidecar.yaml"]
VERSION = "1.29"
"""The first in which a sidecar is on by default. The newest that the validator knows is tested too."""


def documents(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list(yaml.safe_load_all((MANIFESTS / name).read_text(encoding="utf-8")))
    return found


def environment_of(name: str) -> dict[str, str]:
    """The variables of the first container of a Deployment."""
    (deployment,) = [one for one in documents(name) if one["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one["value"] for one in container["env"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_fits_the_schema_of_kubernetes(name: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate has the schema")
    for document in documents(name):
        for version in (VERSION, validator.latest_version()):
            assert validator.validate(document, version, strict=True)


def test_the_schema_notices_a_field_that_there_is_not() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate has the schema")
    (document,) = documents("sidecar.yaml")
    document["spec"]["initContainer"] = document["spec"].pop("initContainers")
    with pytest.raises(validator.ValidationError):
        validator.validate(document, VERSION, strict=True)


@pytest.mark.parametrize(("attached", "accepted"), [("worker-node", True), ("somebody-else", False)])
def test_a_worker_with_the_role_of_its_node_refuses_any_other(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, attached: str, accepted: bool
) -> None:
    for variable, value in environment_of("node-role.yaml").items():
        monkeypatch.setenv(variable, value)
    ramrole_cloud.replace_role(attached)
    provider = default_provider()
    if accepted:
        assert provider.get_credentials().identity == attached
    else:
        with pytest.raises(RamRoleError, match="somebody-else"):
            provider.get_credentials()


def test_a_pod_without_its_own_role_never_runs_as_its_node(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment_of("rrsa.yaml").items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(RamRoleError):
        default_provider().get_credentials()
    assert not ramrole_cloud.requests.to("credentials")


def test_the_sidecar_hands_the_uri_over_in_a_volume_that_both_containers_mount() -> None:
    (pod,) = documents("sidecar.yaml")
    (sidecar,), (program,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
    (mount,) = sidecar["volumeMounts"]
    assert sidecar["args"][-1].startswith(mount["mountPath"])
    assert program["volumeMounts"] == [mount]
    assert sidecar["restartPolicy"] == "Always"
    assert pod["spec"]["volumes"] == [{"name": mount["name"], "emptyDir": {"medium": "Memory"}}]
