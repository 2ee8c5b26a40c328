"""The pytest plugin: fixtures that put the code under test into a fake cloud.

Nothing happens, and nothing else of this package is imported, until a test uses one of the fixtures: `ramrole_cloud`
and `ramrole_clock`, `ramrole_role`, `ramrole_provider`, `ramrole_module_cloud`, `ramrole_session_cloud`, `no_metadata`.

The marker `@pytest.mark.ramrole(role=…, mode=…, faults=[…], start=…, redirect=…, system_time=…, **arguments of
FakeCloud)` sets a test's cloud up; on a module (`pytestmark`) also that of `ramrole_module_cloud`. When a test fails,
the requests to the cloud are printed; secrets are masked everywhere.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from _pytest.nodes import Node

    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
    from ramrole_creds.testing.clocks import VirtualClock
    from ramrole_creds.testing.fake_cloud import FakeCloud

DEFAULT_ROLE = "web"
MAX_FOREIGN_KEYS = 100_000
_NOT_BOTH = "A test has either a fake cloud or no_metadata, not both. Remove one of the fixtures."
_CLOUDS = ("ramrole_cloud", "ramrole_module_cloud", "ramrole_session_cloud")
_FIXTURES = frozenset({*_CLOUDS, "ramrole_clock", "ramrole_role", "ramrole_provider", "no_metadata"})
_CLOUD: pytest.StashKey[Any] = pytest.StashKey()
_HOME: pytest.StashKey[Any] = pytest.StashKey()
_ISSUED: pytest.StashKey[Any] = pytest.StashKey()  # AccessKey ID -> the test whose cloud issued it


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the options known that record and check RAM policies."""
    group = parser.getgroup("ramrole", "RAM roles on Alibaba Cloud")
    writing = "write the smallest RAM policy under which the calls of this run are allowed"
    group.addoption("--ramrole-policy", metavar="FILE", help=writing)
    narrowness = "how narrowly that policy names resources (default: exact)"
    widths = ("exact", "prefix", "any")
    group.addoption("--ramrole-policy-resources", choices=widths, default="exact", help=narrowness)
    checking = "fail a run that needs more permissions than this RAM policy allows"
    group.addoption("--ramrole-check-policy", metavar="FILE", help=checking)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and start to record accesses where an option asks for it."""
    if config.getoption("ramrole_policy") or config.getoption("ramrole_check_policy"):
        from ramrole_creds.testing.pytest_policies import PolicyPlugin

        config.pluginmanager.register(PolicyPlugin(config), "ramrole-policies")
    config.addinivalue_line(
        "markers",
        "ramrole(role, mode, faults, start, redirect, system_time, **arguments of FakeCloud): "
        "how this test's fake cloud is set up",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that has no effect, and keep the redirect of a cloud that serves several tests."""
    _keep_rules()
    _put_on_top(item)
    if not any(marker.name == "ramrole" for marker in item.own_markers):
        return
    names = getattr(item, "fixturenames", ())
    if _FIXTURES.isdisjoint(names) and "request" not in names:
        raise pytest.UsageError(
            "@pytest.mark.ramrole has no effect: the test uses none of the fixtures of ramrole-creds. "
            "Add the argument ramrole_cloud to the test, or @pytest.mark.usefixtures('ramrole_cloud')."
        )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Keep the redirect until the fixtures end, whatever other plugins do to `socket`."""
    yield
    _keep_rules()


@pytest.fixture
def ramrole_role(request: pytest.FixtureRequest) -> str | None:
    """Name of the role attached to the instance; None for no role."""
    role = _marked(request).get("role", DEFAULT_ROLE)
    return None if role is None else str(role)


@pytest.fixture
def ramrole_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """The clock of the test's cloud, of the providers and the signers: `ramrole_clock.advance(hours=6)`."""
    if "no_metadata" in request.fixturenames:
        return _new_clock(_marked(request))
    return _cloud_of(request).clock


@pytest.fixture
def ramrole_cloud(request: pytest.FixtureRequest, ramrole_role: str | None) -> Iterator[FakeCloud]:
    """A fake cloud with a role attached; see the plugin's own description."""
    with _cloud(request, ramrole_role) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def ramrole_module_cloud(request: pytest.FixtureRequest) -> Iterator[FakeCloud]:
    """One fake cloud for all tests of a module; its clock is `ramrole_module_cloud.clock`."""
    with _cloud(request, DEFAULT_ROLE) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def ramrole_session_cloud(request: pytest.FixtureRequest) -> Iterator[FakeCloud]:
    """One fake cloud for the whole run; its clock is `ramrole_session_cloud.clock`."""
    with _cloud(request, DEFAULT_ROLE) as cloud:
        yield cloud


@pytest.fixture
def ramrole_provider(request: pytest.FixtureRequest) -> Iterator[EcsRamRoleProvider]:
    """A provider of the attached role's credentials, on the test's cloud and its clock."""
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider

    cloud = _cloud_of(request)
    with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider:
        yield provider


@pytest.fixture
def no_metadata(request: pytest.FixtureRequest) -> Iterator[str]:
    """A machine that is not on ECS: connections to the metadata service are refused. Yields the endpoint's URL."""
    import socket

    from ramrole_creds.clock import SYSTEM_CLOCK
    from ramrole_creds.testing.in_place import machine_in_place
    from ramrole_creds.testing.network import usable_sockets

    if "ramrole_cloud" in request.fixturenames:
        raise pytest.UsageError(_NOT_BOTH)
    with usable_sockets(), socket.socket() as nothing_listens:
        nothing_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nothing_listens.getsockname()[1]}"
        with machine_in_place(url, SYSTEM_CLOCK, _home(request)):
            yield url


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Print the requests to the cloud with a failure, and mask secrets in the whole report."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    nodes = [node for node in item.listchain() if _CLOUD in node.stash]
    if report.failed and (nodes or not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))):
        _complete(report, item, nodes)


def _complete(report: pytest.TestReport, item: pytest.Item, nodes: Sequence[Node]) -> None:
    """Add the requests to the clouds that the test uses, and mask secrets."""
    from ramrole_creds.testing.masking import leaked_marker, mask_text
    from ramrole_creds.testing.pytest_report import describe

    for node in nodes:
        _remember_keys(node, node.stash[_CLOUD])
    for node in nodes:
        if node is item or _is_used(item, node):
            requests = describe(node.stash[_CLOUD], item.config.stash[_ISSUED], report.longreprtext)
            scope = "run" if isinstance(node, pytest.Session) else "module"
            title = "Requests to the fake cloud" + ("" if node is item else f" of the {scope}")
            report.sections.append((title, requests))
    report.sections = [(title, mask_text(text)) for title, text in report.sections]
    if leaked_marker(report.longreprtext) is not None:
        report.longrepr = mask_text(report.longreprtext)


def _is_used(item: pytest.Item, node: Node) -> bool:
    """True for a test that uses the cloud of this module or session."""
    fixture = "ramrole_session_cloud" if isinstance(node, pytest.Session) else "ramrole_module_cloud"
    return fixture in getattr(item, "fixturenames", ())


def _put_on_top(item: pytest.Item) -> None:
    """Of the clouds of module and session, let that count which the test uses, the module's rather."""
    nodes = [node for node in reversed(item.listchain()) if _CLOUD in node.stash and _is_used(item, node)]
    if nodes:
        from ramrole_creds.testing.in_place import put_on_top

        put_on_top(nodes[0].stash[_CLOUD])


def _keep_rules() -> None:
    network = sys.modules.get("ramrole_creds.testing.network")
    if network is not None:
        network.keep_rules()


def _cloud_of(request: pytest.FixtureRequest) -> FakeCloud:
    """The cloud of the narrowest scope that the test uses; a new one if it uses none."""
    if "no_metadata" in request.fixturenames:
        raise pytest.UsageError(_NOT_BOTH)
    used = next((name for name in _CLOUDS if name in request.fixturenames), "ramrole_cloud")
    cloud: FakeCloud = request.getfixturevalue(used)
    return cloud


def _new_clock(options: Mapping[str, Any]) -> VirtualClock:
    from ramrole_creds.testing.clocks import VirtualClock

    return VirtualClock(options.get("start"))


@contextmanager
def _cloud(request: pytest.FixtureRequest, default_role: str | None) -> Iterator[FakeCloud]:
    from ramrole_creds.testing.fake_cloud import FakeCloud
    from ramrole_creds.testing.in_place import cloud_in_place
    from ramrole_creds.testing.network import usable_sockets

    options = _marked(request)
    role, clock = options.get("role", default_role), _new_clock(options)
    faults = options.pop("faults", ())
    redirect, move = _switch(options, "redirect", default=True), _switch(options, "system_time", default=False)
    for name in ("role", "start"):
        options.pop(name, None)
    options.setdefault("seed", request.node.nodeid)
    _refuse_unknown(options, FakeCloud)
    with usable_sockets(), FakeCloud(role, clock=clock, **options) as cloud:
        cloud.faults.load(faults)
        request.node.stash[_CLOUD] = cloud
        home = _home(request)
        with cloud_in_place(cloud, redirect=redirect, move_system_time=move, home=home):
            yield cloud
        del request.node.stash[_CLOUD]
        _remember_keys(request.node, cloud)


def _remember_keys(node: Node, cloud: FakeCloud) -> None:
    """Remember the ids of the cloud's keys, so that a later failure can say where such a key comes from."""
    issued = node.config.stash.setdefault(_ISSUED, {})
    where = node.nodeid or "ramrole_session_cloud"
    issued.update((one.access_key_id, where) for one in cloud.credential_store.issued())
    while len(issued) > MAX_FOREIGN_KEYS:
        del issued[next(iter(issued))]


def _home(request: pytest.FixtureRequest) -> Path:
    """An empty directory: that of the last test, unless the test has left something in it."""
    stash = request.config.stash
    home: Path | None = stash.get(_HOME, None)
    if home is None or not home.is_dir() or any(home.iterdir()):
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        home = stash[_HOME] = factory.mktemp("home")
    return home


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The marker's arguments: those of the test win over those of its class and module."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("ramrole"))):
        if marker.args:
            raise pytest.UsageError(
                f"@pytest.mark.ramrole takes keywords only, not {marker.args!r}: write @pytest.mark.ramrole(role=…)."
            )
        options.update(marker.kwargs)
    return options


def _switch(options: dict[str, Any], name: str, *, default: bool) -> bool:
    value = options.pop(name, default)
    if not isinstance(value, bool):
        raise pytest.UsageError(f"{name} of @pytest.mark.ramrole is True or False, not {value!r}.")
    return value


def _refuse_unknown(options: Mapping[str, object], cloud: type[FakeCloud]) -> None:
    from inspect import signature

    known = {name for name, one in signature(cloud).parameters.items() if one.kind is one.KEYWORD_ONLY} - {"clock"}
    for name in options:
        if name not in known:
            accepted = ", ".join(["role", "faults", "start", "redirect", "system_time", *sorted(known)])
            raise pytest.UsageError(f"@pytest.mark.ramrole has no argument {name!r}. Its arguments are {accepted}.")
