"""pytest plugin: which tests stay together when several processes share a run (`make test`).

A file stays together, so that what it set up serves all of it. What uses the one real
OpenStack of this machine stays together, as does what starts and kills many processes:
those take longest and begin first. A run in one process, as by `pytest FILE`, is as ever.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

OPENSTACK, PROCESSES = "openstack", "processes"
# Folders and files whose tests start, stop and kill processes of Remit.
MANY_PROCESSES = (
    "quotas/tests/reliability/",
    "quotas/tests/test_story",
    "quotas/tests/test_jobs_killed",
    "quotas/tests/test_database_away",
)


class Together(LoadGroupScheduling):
    """Groups as `xdist_group` names them, and all else file by file."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


# Before xdist, which puts the groups into the tests' names; and after pytest's own sorting.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    items.sort(key=_turn)


def _group(item: pytest.Item) -> str:
    if any("openstack" in marker.args for marker in item.iter_markers("needs")):
        return OPENSTACK
    return PROCESSES if item.nodeid.startswith(MANY_PROCESSES) else ""


def _turn(item: pytest.Item) -> int:
    return 0 if item.get_closest_marker("xdist_group") else 1
