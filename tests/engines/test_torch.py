"""The DataLoader of PyTorch: worker processes of each start method outlive two rotations."""

from __future__ import annotations

import pickle
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.conftest import Figures, assert_outlived
from tests.engines.work import Report, work

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns that there is no NumPy
    from torch.utils.data import DataLoader, Dataset  # type: ignore[import-not-found,unused-ignore]

if TYPE_CHECKING:
    from ramrole_creds import CredentialProvider
    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches

WORKERS = 2
ITEMS = 4


class Calls(Dataset):  # type: ignore[misc,unused-ignore]  # torch is not installed where types are checked
    """A data set whose items are what a task did.

    Args:
        provider: signs the calls.
        url: base URL of the fake cloud.
    """

    def __init__(self, provider: CredentialProvider, url: str) -> None:
        self._provider = provider
        self._url = url

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, number: int) -> Report:
        return work(self._provider, self._url)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("persistent", [False, True], ids=["", "persistent"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_of_a_loader_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud, fetches: Fetches, figures: Figures, method: str, persistent: bool
) -> None:
    with EcsRamRoleProvider(endpoint=fetches.url) as provider:
        provider.get_credentials()
        calls: Any = Calls(provider, cloud.url)
        assert leaked_marker(pickle.dumps(calls).decode("latin-1")) is None
        loader = DataLoader(
            calls, batch_size=None, num_workers=WORKERS, multiprocessing_context=method, persistent_workers=persistent
        )
        reports = list(loader)

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports, beside=1)
    assert len(workers) == WORKERS
    figures.record("torch", metadata.version("torch"), workers, fetches, ["pickled data set"])
