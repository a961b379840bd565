"""pytest plugin: `provider` is a real OpenID provider, healthy and without people at each test.

Mark the test `needs("provider")`.
"""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from contrib.provider.running import CLIENT_ID, CLIENT_SECRET, RunningProvider
from portal.lib.openid.provider import Provider
from portal.lib.openid.registration import Registration
from portal.testing.needs import NODE_MODULES


@pytest.fixture(scope="session")
def running_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    """One for the run; who stops it starts it again."""
    running = RunningProvider(NODE_MODULES, tmp_path_factory.mktemp("provider") / "log")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def provider(running_provider: RunningProvider, settings: Settings) -> RunningProvider:
    """The provider, and Django's settings lead to it."""
    running_provider.fault("")
    Provider.forget()
    settings.OIDC = Registration(
        issuer=running_provider.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        scopes=("openid", "profile", "email", "groups"),
        timeout=3,
    )
    settings.OIDC_NAME = "Home"
    return running_provider
