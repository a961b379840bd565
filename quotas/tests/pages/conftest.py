"""The site of today for pages, and Alice at it."""

import pytest
from django.test import Client

from quotas.tests.pages.acting import client_of
from quotas.tests.site import Site


@pytest.fixture
def site(site_today: Site) -> Site:
    return site_today


@pytest.fixture
def alice(site: Site) -> Client:
    return client_of(site, "alice")
