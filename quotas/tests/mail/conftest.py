"""A mail server that this site sends to, and a cast whose people have addresses."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from projects.models import User
from quotas.tests.mail.server import HOST, MailServer, address, serving
from quotas.tests.site import CAST, Site

SITE_URL = "https://remit.example.org"


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    with serving() as found:
        settings.EMAIL_HOST, settings.EMAIL_PORT = HOST, found.port
        settings.EMAIL_TIMEOUT, settings.MAIL_ANSWER_SECONDS = 5, 5
        settings.DEFAULT_FROM_EMAIL = "Remit <remit@example.org>"
        settings.SITE_URL = SITE_URL
        yield found


@pytest.fixture
def mailed(committed_site: Site, server: MailServer) -> Site:
    """The small site, whose people have addresses, beside a server that takes all mail."""
    for name in CAST:
        User.objects.filter(subject=name).update(mail=address(name))
        committed_site.people[name].mail = address(name)
    return committed_site
