"""A Celery application as people write it: a provider at module level, and tasks that use it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import work
from celery import Celery

from ramrole_creds import EcsRamRoleProvider

URL = os.environ["CLOUD_URL"]
app = Celery("tasks", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.update(accept_content=["json", "pickle", "yaml", "msgpack"], broker_connection_retry_on_startup=True)
provider = EcsRamRoleProvider(endpoint=os.environ["METADATA_URL"])


@app.task
def with_module_provider() -> work.Report:
    """Work with the provider of the module."""
    return work.work(provider, URL)


@app.task(serializer="pickle")
def with_sent_provider(sent: EcsRamRoleProvider) -> work.Report:
    """Work with a provider that came as an argument."""
    return work.work(sent, URL)


@app.task
def with_argument(given: object) -> str:
    """Say what was received."""
    return repr(given)


@app.task
def returns_credentials() -> object:
    """Return what no result may hold."""
    return provider.get_credentials()
