"""The ground of the story on real services."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from contrib.provider.running import RunningProvider
from contrib.testing.clouds import OpenstackSite
from portal.testing.servers import DatabaseCopy
from quotas.tests.mail.server import serving
from quotas.tests.people.ground import Ground, standing


@pytest.fixture
def ground(
    openstack_site: OpenstackSite, provider: RunningProvider, database_copy: DatabaseCopy,
    browser: Browser, tmp_path: Path, broker: object,
) -> Iterator[Ground]:  # fmt: skip
    with (
        serving() as mail,
        standing(openstack_site, provider, mail, database_copy, browser, tmp_path) as found,
    ):
        yield found
