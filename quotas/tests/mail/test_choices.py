"""What people want by mail: at once, in their day's digest, or not; and the link that stops."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django import Settings

from portal.lib.errors import Invalid
from projects.models import Letter, MailChoice, User
from projects.outgoing.mail_choices import next_digest, wanted_by
from projects.outgoing.stopping import LinkBroken, read_stop, stop_url
from quotas.tests.mail.acting import (
    DAY,
    HOUR,
    LATER,
    MINUTE,
    ask,
    choose,
    comment,
    grant,
    post,
    read_notices,
    states,
    write_and_post,
)
from quotas.tests.mail.conftest import SITE_URL
from quotas.tests.mail.server import MailServer
from quotas.tests.site import NOW, Site


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", "2026-11-20 07:59", "2026-11-20 08:00"),
        ("UTC", "2026-11-20 08:00", "2026-11-21 08:00"),
        ("Asia/Tokyo", "2026-11-20 12:00", "2026-11-20 23:00"),
        ("America/New_York", "2026-11-20 12:00", "2026-11-20 13:00"),
        # Over the night in which clocks go back, and forth.
        ("Europe/Zurich", "2026-10-24 12:00", "2026-10-25 07:00"),
        ("Europe/Zurich", "2026-03-28 12:00", "2026-03-29 06:00"),
        ("Mars/Olympus", "2026-11-20 12:00", "2026-11-21 08:00"),
    ],
)
def test_a_digest_comes_at_the_hour_of_its_reader_s_day(zone: str, now: str, due: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    person = User(time_zone=zone)
    assert next_digest(person, 8, moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_an_hour_that_a_day_skips_is_the_one_after() -> None:
    person = User(time_zone="Europe/Zurich")
    now = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert next_digest(person, 2, now).astimezone(UTC) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_the_day_s_digest_is_one_mail_of_what_was_not_seen_yet(
    mailed: Site, server: MailServer
) -> None:
    User.objects.filter(subject="alice").update(time_zone="Asia/Tokyo")
    choose(mailed.alice, hour=8, commented="digest", decided="digest")
    first, second = ask(mailed, NOW), ask(mailed, NOW, mailed.space.slug)
    comment(first, mailed.bob, "Seen in Remit already")
    read_notices(NOW)
    mailed.alice.notices.update(read_at=NOW)
    comment(first, mailed.bob, "News of the first")
    read_notices(NOW + HOUR)
    grant(mailed, second, NOW)
    read_notices(NOW + 2 * HOUR)
    eight = datetime(2026, 11, 21, 8, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert post(eight - MINUTE) == 0
    assert post(eight) == 1
    (got,) = server.to("alice")
    assert got.message["Subject"] == "Remit: 2 things of the day"
    assert got.message["References"] is None
    assert "Seen in Remit already" not in got.text
    for each in (f"Bob wrote on #{first.pk}", f"Dana approved #{second.pk}", "News of the first"):
        assert each in got.text
    comment(first, mailed.bob, "Of the next day")
    write_and_post(eight + HOUR)
    assert len(server.to("alice")) == 1
    assert post(eight + DAY) == 1


def test_choices_are_one_s_own_and_come_back_to_what_is_usual(mailed: Site) -> None:
    choose(mailed.alice, hour=0, decided="off", name_taken="digest")
    wanted = wanted_by([mailed.alice.pk, mailed.bob.pk])
    alice, bob = wanted[mailed.alice.pk], wanted[mailed.bob.pk]
    assert [alice.way(each) for each in ("decided", "name taken", "endorsed")] == [
        "off", "digest", "digest",
    ]  # fmt: skip
    assert (bob.way("decided"), alice.hour, bob.hour) == ("at once", 0, 8)
    choose(mailed.alice)
    assert not MailChoice.objects.exists()


def test_there_is_no_such_kind_way_or_hour(mailed: Site) -> None:
    with pytest.raises(Invalid) as refused:
        choose(mailed.alice, hour=24, decided="weekly", gossip="off")
    assert set(refused.value.errors) == {"kinds.decided", "kinds.gossip", "digest_hour"}


def test_the_link_of_a_mail_turns_off_its_kind_and_nothing_else(
    mailed: Site, server: MailServer
) -> None:
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Hello")
    assert write_and_post() == 1
    link = server.letters[0].message["List-Unsubscribe"].strip("<>").removeprefix(SITE_URL)
    client = Client(enforce_csrf_checks=True)
    page = client.get(link)
    assert (page.status_code, MailChoice.objects.count()) == (200, 0), "a look changes nothing"
    assert "Somebody writes on a request" in page.content.decode()
    for _click in range(2):
        done = client.post(link, {"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
    assert "Turned off" in done.content.decode()
    assert not client.session.keys(), "nobody is signed in by it"
    choice = MailChoice.objects.get()
    assert (choice.person, choice.kind, choice.way) == (mailed.alice, "commented", "off")
    comment(asked, mailed.bob, "Again")
    grant(mailed, asked, NOW)
    write_and_post(LATER + HOUR)
    assert [each.message["Subject"] for each in server.to("alice")][1:] == [
        f"Dana approved #{asked.pk} for atlas-reco"
    ]


def test_a_link_that_is_not_whole_says_so(mailed: Site, settings: Settings) -> None:
    link = stop_url(mailed.alice, ["commented"]).removeprefix(settings.SITE_URL)
    text = link.rstrip("/").rpartition("/")[2]
    for broken in (text[:-1], text[1:], "x", text.replace(":", "")):
        assert Client().post(f"/mail/stop/{broken}/").status_code == 404
        with pytest.raises(LinkBroken):
            read_stop(broken)
    assert not MailChoice.objects.exists()


def test_who_chose_off_for_all_has_no_letters(mailed: Site, server: MailServer) -> None:
    choose(mailed.alice, commented="off", decided="off")
    asked = ask(mailed, NOW)
    comment(asked, mailed.bob, "Hello")
    grant(mailed, asked, NOW)
    read_notices(NOW)
    assert (states(mailed.alice), Letter.objects.count()) == ([], 1), "Bob wrote on it"
