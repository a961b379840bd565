"""The small site as fixtures: `site` inside one transaction, `committed_site` for threads."""

import pytest

from quotas.tests.site import NOW, Site, make_site


@pytest.fixture
def site(db: None) -> Site:
    return make_site(NOW)


@pytest.fixture
def committed_site(database_copy: object) -> Site:
    """The site in a database of the test's own, seen by other threads and processes."""
    return make_site(NOW)
