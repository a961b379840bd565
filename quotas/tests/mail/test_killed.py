"""A worker is killed in a letter: nobody gets it twice, and one narrow phase may lose it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db.models.functions import Now

from portal.testing.servers import DatabaseCopy
from projects.models import Letter
from projects.outgoing import posting
from projects.states import LetterState
from quotas.tests.mail.acting import DAY, LATER, ask, grant, post, read_notices, the_letter
from quotas.tests.mail.conftest import SITE_URL
from quotas.tests.mail.server import HOST, MailServer
from quotas.tests.site import NOW, Site

ROOT = Path(__file__).resolve().parents[3]
WORK = "import django; django.setup(); from quotas.tasks import post_letters; post_letters()"


def kill_while_held(copy: DatabaseCopy, server: MailServer, place: str) -> None:
    """Kill what sends while the server holds on at a place; then its lease is over."""
    server.holds_at = place
    environment = os.environ | copy.environment | {
        "DJANGO_SETTINGS_MODULE": "portal.settings", "EMAIL_HOST": HOST,
        "EMAIL_PORT": str(server.port), "SITE_URL": SITE_URL,
        "DEFAULT_FROM_EMAIL": "remit@example.org",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", WORK], cwd=ROOT, env=environment) as worker:
        try:
            assert server.is_held.wait(60), worker.poll()
        finally:
            worker.kill()
    server.holds_at = ""
    server.may_go.set()
    Letter.objects.update(lease_until=Now())


@pytest.mark.parametrize(
    ("place", "found", "sent_by_next", "ends"),
    [
        # Before its end the server has nothing: the next worker sends it.
        ("rcpt", LetterState.DUE, 1, LetterState.SENT),
        # Between its end and the answer the server has it, and nobody knows.
        ("end", LetterState.SENDING, 0, LetterState.UNKNOWN),
    ],
)
def test_a_killed_worker_s_letter_reaches_its_reader_once(
    mailed: Site,
    server: MailServer,
    database_copy: DatabaseCopy,
    place: str,
    found: LetterState,
    sent_by_next: int,
    ends: LetterState,
) -> None:
    grant(mailed, ask(mailed, NOW), NOW)
    read_notices(NOW)
    kill_while_held(database_copy, server, place)
    assert the_letter().state == found
    assert post(LATER) == sent_by_next
    posting.find_lost(LATER)
    assert post(LATER + DAY) == 0
    assert the_letter().state == ends
    assert len(server.letters) == 1
