"""pytest plugin: which tests stay together when several processes share a run (`make test`).

A file stays together, so that what it set up serves all of it. What uses the one real
OpenStack of this machine stays together, as does what starts and kills many processes:
those take longest and begin first. Then come the files that take over half a minute, so that no
process is left with one at the end. A run in one process, as by `pytest FILE`, is as ever.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

OPENSTACK, PROCESSES = "openstack", "processes"
# Folders and files whose tests start, stop and kill processes of Remit.
MANY_PROCESSES = (
    "quotas/tests/reliability/",
    "quotas/tests/test_story",
    "quotas/tests/test_jobs_killed",
    "quotas/tests/test_database_away",
    "quotas/tests/webhooks/test_killed",
)
# Files that take long, the longest first.
LONG = (
    "quotas/tests/test_looks",
    "quotas/tests/test_roles_table",
    "quotas/tests/walk/test_walk",
    "quotas/tests/test_api_sync",
    "portal/tests/test_run",
    "quotas/tests/test_ledger_walk",
    "quotas/tests/test_large_site",
    "quotas/tests/contract/",
)


class Together(LoadFileScheduling):
    """Hands out the two groups and all other files, in the order of collection.

    Who hands out knows nothing of a test but its name.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid) or nodeid.partition("::")[0]


def turn_of(nodeid: str) -> int:
    """When a test begins: the lower, the sooner. What is equal stays in the order it was in."""
    if group_of(nodeid):
        return 0
    return 1 + next((n for n, path in enumerate(LONG) if nodeid.startswith(path)), len(LONG))


def group_of(nodeid: str) -> str:
    """The group of a test by its name; empty where its file is its group."""
    if OPENSTACK in nodeid:
        return OPENSTACK
    return PROCESSES if nodeid.startswith(MANY_PROCESSES) else ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


# After pytest's own sorting.
@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    yield
    for item in items:
        needs = [need for marker in item.iter_markers("needs") for need in marker.args]
        if OPENSTACK in needs and group_of(item.nodeid) != OPENSTACK:
            raise pytest.UsageError(f"{item.nodeid} needs {OPENSTACK}: its name must say so")
    items.sort(key=lambda item: turn_of(item.nodeid))
