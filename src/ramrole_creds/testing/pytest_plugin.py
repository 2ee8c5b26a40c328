"""The pytest plugin: fixtures that put code under test into a cloud of its own.

Nothing happens, and nothing else of this package is imported, until a test asks for one of the fixtures.

- `ramrole_cloud`: a running `FakeCloud`. Connections to 100.100.100.200:80 reach it, so code on the official SDKs
  works unchanged; the environment is isolated (home directory, ALIBABA_CLOUD_*, proxies).
- `ramrole_clock`: its `VirtualClock`.
- `ramrole_role`: name of the attached role, "web" by default; override the fixture or use the marker.
- `ramrole_provider`: an `EcsRamRoleProvider` on that cloud and clock, closed afterwards.
- `no_metadata`: a machine without a metadata service.

The marker `@pytest.mark.ramrole(role=…, mode=…, faults=[…], start=…, redirect=…, **arguments of FakeCloud)` sets a
test's cloud up. When a test fails, the requests to the cloud are printed; secrets are masked everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
    from ramrole_creds.testing.clocks import VirtualClock
    from ramrole_creds.testing.fake_cloud import FakeCloud

DEFAULT_ROLE = "web"
_FIXTURES = frozenset({"ramrole_cloud", "ramrole_clock", "ramrole_role", "ramrole_provider", "no_metadata"})


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "ramrole(role, mode, faults, start, redirect, **arguments of FakeCloud): how this test's fake cloud is set up",
    )


@pytest.fixture
def ramrole_role(request: pytest.FixtureRequest) -> str | None:
    """Name of the role attached to the instance; None for none."""
    role = _marked(request).get("role", DEFAULT_ROLE)
    return None if role is None else str(role)


@pytest.fixture
def ramrole_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """The clock of the fake cloud and the provider: `ramrole_clock.advance(hours=6)`."""
    from ramrole_creds.testing.clocks import VirtualClock

    return VirtualClock(_marked(request).get("start"))


@pytest.fixture
def ramrole_cloud(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    ramrole_clock: VirtualClock,
    ramrole_role: str | None,
) -> Iterator[FakeCloud]:
    """A fake cloud with a role attached; see the plugin's own description."""
    from ramrole_creds.testing.environment import isolated_environment
    from ramrole_creds.testing.fake_cloud import FakeCloud
    from ramrole_creds.testing.network import forbid_metadata, redirect_metadata

    options = _marked(request)
    faults = options.pop("faults", ())
    redirect = options.pop("redirect", True)
    for name in ("role", "start"):
        options.pop(name, None)
    options.setdefault("seed", request.node.nodeid)
    _refuse_unknown(options, FakeCloud)
    with FakeCloud(ramrole_role, clock=ramrole_clock, **options) as cloud:
        cloud.faults.load(faults)
        request.node.stash[_CLOUD] = cloud
        network = redirect_metadata(cloud.url) if redirect else forbid_metadata()
        with isolated_environment(cloud.url, tmp_path_factory.mktemp("home")), network:
            yield cloud


@pytest.fixture
def ramrole_provider(ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> Iterator[EcsRamRoleProvider]:
    """A provider of the attached role's credentials, on the fake cloud and its clock."""
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider

    with EcsRamRoleProvider(endpoint=ramrole_cloud.url, clock=ramrole_clock) as provider:
        yield provider


@pytest.fixture
def no_metadata(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A machine that is not on ECS: connections to the metadata service are refused. Gives the endpoint's URL."""
    import socket

    from ramrole_creds.testing.environment import isolated_environment
    from ramrole_creds.testing.network import redirect_metadata

    if "ramrole_cloud" in request.fixturenames:
        raise pytest.UsageError("A test has either ramrole_cloud or no_metadata, not both.")
    with socket.socket() as nothing_listens:
        nothing_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nothing_listens.getsockname()[1]}"
        with isolated_environment(url, tmp_path_factory.mktemp("home")), redirect_metadata(url):
            yield url


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Print the cloud's request log with a failure, and mask secrets in all of the report."""
    outcome = yield
    if _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return
    report: pytest.TestReport = outcome.get_result()
    if not report.failed:
        return
    from ramrole_creds.testing.masking import leaked_marker, mask_text

    cloud = item.stash.get(_CLOUD, None)
    if cloud is not None:
        asked = f"{cloud.requests}\n{_unmet(cloud)}seed: {cloud.credential_store.seed}"
        report.sections.append(("Requests to the fake cloud", asked))
    report.sections = [(title, mask_text(text)) for title, text in report.sections]
    if leaked_marker(report.longreprtext) is not None:
        report.longrepr = mask_text(report.longreprtext)


_CLOUD: pytest.StashKey[Any] = pytest.StashKey()


def _unmet(cloud: FakeCloud) -> str:
    """The faults that struck nothing: one whose place is misspelt looks like this."""
    unmet = ", ".join(f"{one} at {one.where!r}" for one in cloud.faults if not one.is_port_fault and not one.played)
    return f"Faults that no request met: {unmet}\n" if unmet else ""


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The marker's arguments: those of the test win over those of its class and module."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("ramrole"))):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.ramrole takes keywords only, not {marker.args!r}.")
        options.update(marker.kwargs)
    return options


def _refuse_unknown(options: Mapping[str, object], cloud: type[FakeCloud]) -> None:
    from inspect import signature

    known = {name for name, one in signature(cloud).parameters.items() if one.kind is one.KEYWORD_ONLY} - {"clock"}
    for name in options:
        if name not in known:
            takes = ", ".join(["role", "faults", "start", "redirect", *sorted(known)])
            raise pytest.UsageError(f"@pytest.mark.ramrole takes no {name!r}. It takes {takes}.")
