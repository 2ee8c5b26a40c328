"""The fake cloud for tests written with unittest."""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
from ramrole_creds.testing.fake_cloud import FakeCloud
from ramrole_creds.testing.in_place import cloud_in_place
from ramrole_creds.testing.network import forbid_metadata, usable_sockets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.clocks import VirtualClock


class RamRoleTestCase(unittest.TestCase):
    """A test case with a fake cloud; derive from it, or mix it in before another TestCase."""

    cloud_options: ClassVar[Mapping[str, Any]] = {}
    """Arguments of `FakeCloud` for all tests of the class."""

    in_place_options: ClassVar[Mapping[str, Any]] = {}
    """Arguments of `cloud_in_place`, for instance `{"move_system_time": True}`."""

    cloud: FakeCloud
    """The running fake cloud. Connections to 100.100.100.200:80 reach it."""

    clock: VirtualClock
    """Its virtual clock: `self.clock.advance(hours=6)`. Providers and signers without a clock follow it."""

    provider: EcsRamRoleProvider
    """An `EcsRamRoleProvider` on the cloud and its clock."""

    if not TYPE_CHECKING:  # hidden from type checkers, which would accept any attribute

        def __getattr__(self, name: str) -> object:
            if name in ("cloud", "clock", "provider"):
                raise AttributeError(
                    f"self.{name} does not exist yet: setUp of RamRoleTestCase did not run. "
                    "Begin your own setUp with super().setUp()."
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test.

        Without the cloud, as in a `setUp` that does not call this one's, a connection to the real metadata address
        raises. Where pytest-socket has disabled sockets, the test may use loopback.
        """
        with usable_sockets(), forbid_metadata():
            return super().run(result)

    def setUp(self) -> None:
        """Start the cloud and put it in place of the real one until the test ends."""
        super().setUp()
        self.cloud = FakeCloud(**self.cloud_options).start()
        self.addCleanup(self.cloud.check)
        self.addCleanup(self.cloud.stop)
        self.clock = self.cloud.clock
        context = cloud_in_place(self.cloud, **self.in_place_options)
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.provider = EcsRamRoleProvider(endpoint=self.cloud.url, clock=self.clock)
        self.addCleanup(self.provider.close)
