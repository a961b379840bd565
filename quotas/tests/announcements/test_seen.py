"""What people see of an announcement: the banner until its end, a notice, a mail, the pages."""

import html
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Notice
from quotas.actions import announcements
from quotas.models import Announcement
from quotas.states import AnnouncementState
from quotas.tests.announcements.writing import HOUR, announced, draft_of, send
from quotas.tests.api import caller, results
from quotas.tests.counting import assert_all_flat, count_queries
from quotas.tests.mail.acting import write_and_post
from quotas.tests.mail.conftest import SITE_URL
from quotas.tests.mail.server import MailServer
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import NOW, Site

HOSTILE = "<script>alert(1)</script> \"'&{{ 7*7 }} %(who)s"
DAY = timedelta(days=1)


def banner(site: Site, name: str, where: str = "project_list") -> bool:
    """Whether somebody has a banner on a page."""
    answer = client_of(site, name).get(reverse(where))
    assert answer.status_code == 200
    return 'id="banner-' in answer.content.decode()


def until(now: datetime | None = None) -> datetime:
    return (now or timezone.now()) + DAY


def test_a_banner_stands_on_every_page_of_those_who_were_told(site_today: Site) -> None:
    announced(site_today, banner_until=until())
    for where in ("home", "project_list", "me", "catalogue"):
        assert banner(site_today, "alice", where)
    assert [banner(site_today, name) for name in ("bob", "mallory", "otto")] == [
        True, False, False,
    ]  # fmt: skip


def test_without_an_end_there_is_no_banner(site_today: Site) -> None:
    announced(site_today)
    assert not banner(site_today, "alice")


def test_a_banner_ends_with_its_moment_or_as_it_is_withdrawn(site_today: Site) -> None:
    made = announced(site_today, banner_until=until())
    Announcement.objects.update(banner_until=timezone.now())
    assert not banner(site_today, "alice")
    Announcement.objects.update(banner_until=until())
    assert banner(site_today, "alice")
    announcements.withdraw(announcement=made, actor=site_today.otto, now=timezone.now())
    assert not banner(site_today, "alice")


def test_a_banner_is_dismissed_for_oneself_where_one_is(site_today: Site) -> None:
    announced(site_today, banner_until=until())
    notice = Notice.objects.get(person=site_today.alice)
    form = {"notice": str(notice.pk), "next": "/projects/?state=active"}
    answer = client_of(site_today, "alice").post(reverse("notice_read"), form)
    assert (answer.status_code, answer["Location"]) == (302, "/projects/?state=active")
    assert [banner(site_today, name) for name in ("alice", "bob")] == [False, True]


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_dismissing_leads_nowhere_else(site_today: Site, where: str) -> None:
    announced(site_today, banner_until=until())
    notice = Notice.objects.get(person=site_today.alice)
    form = {"notice": str(notice.pk), "next": where}
    answer = client_of(site_today, "alice").post(reverse("notice_read"), form)
    assert answer["Location"] == "/"


def test_nobody_dismisses_another_s_banner(site_today: Site) -> None:
    announced(site_today, banner_until=until())
    notice = Notice.objects.get(person=site_today.alice)
    client_of(site_today, "bob").post(reverse("notice_read"), {"notice": str(notice.pk)})
    assert banner(site_today, "alice")


def test_a_page_costs_the_same_with_a_banner_and_without(site_today: Site) -> None:
    load = partial(client_of(site_today, "alice").get, "/projects/")
    load()
    without, _said = count_queries(load)
    for _number in range(3):
        announced(site_today, banner_until=until())
    assert banner(site_today, "alice")
    with_banners, said = count_queries(load)
    assert with_banners == without, said


def test_only_the_newest_banners_are_shown(site_today: Site) -> None:
    for number in range(5):
        announced(site_today, subject=f"News {number}", banner_until=until())
    text = text_of(client_of(site_today, "alice").get("/projects/"))
    assert [number for number in range(5) if f"News {number}" in text] == [2, 3, 4]


@pytest.mark.parametrize("where", ["project_list", "notice_list", "announcement_list"])
def test_hostile_words_are_only_words(site_today: Site, where: str) -> None:
    announced(site_today, subject=HOSTILE, text=HOSTILE, banner_until=until())
    answer = client_of(site_today, "alice").get(reverse(where))
    assert "<script>alert" not in answer.content.decode()
    assert HOSTILE in text_of(answer)


def test_anybody_reads_what_was_announced_and_operators_the_rest(site_today: Site) -> None:
    draft, sent = draft_of(site_today), announced(site_today)
    gone = announced(site_today)
    announcements.withdraw(announcement=gone, actor=site_today.otto, now=timezone.now())

    def statuses(name: str) -> list[int]:
        client = client_of(site_today, name)
        pages = [reverse("announcement_detail", args=[each.pk]) for each in (draft, sent, gone)]
        return [client.get(each).status_code for each in pages]

    assert statuses("mallory") == [404, 200, 404]
    assert statuses("otto") == statuses("audrey") == [200, 200, 200]
    text = text_of(client_of(site_today, "mallory").get(reverse("announcement_list")))
    assert text.count("Compute stands still") == 1


def test_an_operator_s_page_tells_how_far_it_is(site_today: Site) -> None:
    sending = send(draft_of(site_today), site_today.otto, timezone.now())
    otto = client_of(site_today, "otto")
    page = otto.get(reverse("announcement_detail", args=[sending.pk]))
    assert "0 of 2 people told" in text_of(page)
    assert "data-poll" in page.content.decode()
    sent = announced(site_today)
    page = otto.get(reverse("announcement_detail", args=[sent.pk]))
    assert "2 of 2 people told" in text_of(page)
    assert "data-poll" not in page.content.decode()
    assert "people told" not in text_of(
        client_of(site_today, "alice").get(page.request["PATH_INFO"])
    )


def test_the_job_is_found_again_with_its_parts(site_today: Site) -> None:
    sent = announced(site_today)
    assert sent.job is not None
    text = text_of(client_of(site_today, "otto").get(reverse("job_detail", args=[sent.job.pk])))
    assert "Announce" in text
    assert "Part 1" in text


def test_the_form_shows_whom_it_would_reach_before_anything_is_kept(site_today: Site) -> None:
    draft_of(site_today)
    form = {"zones": ["geneva.compute-a"], "who": "either", "roles": ["owner", "member"]}
    otto = client_of(site_today, "otto")
    part = text_of(otto.post(reverse("announcement_preview"), form))
    assert "2 people would be told now" in part
    assert "Alice , Bob" in part
    assert "owner 1 member 1 compute-a (geneva) 2" in part
    page = otto.post(reverse("announcement_new"), form | {"do": "preview"})
    assert "2 people would be told now" in text_of(page)
    assert Announcement.objects.count() == 1


def test_a_form_that_is_refused_comes_back_whole(site_today: Site) -> None:
    form = {"subject": HOSTILE, "text": "", "zones": ["geneva.compute-a"], "do": "save"}
    answer = client_of(site_today, "otto").post(reverse("announcement_new"), form)
    assert answer.status_code == 422
    assert HOSTILE in html.unescape(answer.content.decode())
    assert "checked" in answer.content.decode()


def test_pages_cost_the_same_for_few_and_for_many(site_today: Site) -> None:
    announced(site_today)
    draft = draft_of(site_today)
    alice, otto = client_of(site_today, "alice"), client_of(site_today, "otto")

    def load(client: Client, where: str) -> None:
        assert client.get(where).status_code == 200

    detail = reverse("announcement_detail", args=[draft.pk])
    assert_all_flat(
        {
            "announcement_list": partial(load, alice, reverse("announcement_list")),
            "announcement_list of operators": partial(load, otto, reverse("announcement_list")),
            "announcement_detail draft": partial(load, otto, detail),
        },
        lambda: [announced(site_today) for _number in range(20)],
    )


def test_a_notice_tells_of_it_until_it_is_withdrawn(site_today: Site) -> None:
    made = announced(site_today)
    alice = caller(site_today, "alice")

    def notice() -> tuple[str, Any]:
        (row,) = results(alice.get("notices/"))
        return row["sentence"], row["subject"]

    said = "Otto announces something: Compute stands still on Sunday"
    assert notice() == (said, {"kind": "announcement", "id": str(made.pk)})
    page = client_of(site_today, "alice").post(
        reverse("notice_read"), {"open": str(Notice.objects.get(person=site_today.alice).pk)}
    )
    assert page["Location"] == reverse("announcement_detail", args=[made.pk])
    announcements.withdraw(announcement=made, actor=site_today.otto, now=timezone.now())
    assert notice() == ("About something that you may no longer see", None)


def test_a_letter_has_its_words_and_one_each(mailed: Site, server: MailServer) -> None:
    made = announced(mailed, NOW, subject=HOSTILE, text="First line.\n<b>Second</b>\n.third")
    later = timezone.now() + HOUR
    assert write_and_post(later) == 2
    assert write_and_post(later + DAY) == 0
    (got,) = server.to("alice")
    # A long one begins on a line of its own.
    assert got.message["Subject"].strip() == f"Otto announces something: {HOSTILE}"
    assert "compute-a (geneva)" in got.text
    assert "> First line.\n  > <b>Second</b>\n  > .third" in got.text
    assert "<b>Second</b>" not in got.html
    assert f"{SITE_URL}/announcements/{made.pk}/" in got.text


def test_a_letter_about_what_is_withdrawn_is_not_sent(mailed: Site, server: MailServer) -> None:
    made = announced(mailed, NOW)
    announcements.withdraw(announcement=made, actor=mailed.otto, now=NOW)
    write_and_post(timezone.now() + HOUR)
    assert server.letters == []
    made.refresh_from_db()
    assert made.state == AnnouncementState.WITHDRAWN
