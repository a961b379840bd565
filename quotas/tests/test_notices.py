"""Who is told of what, once; and what of it they may read later."""

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Delegation, Event, Membership, Notice
from projects.outgoing.notices import mark_all_read, mark_read, tell
from projects.queries.viewers import Viewer
from projects.states import NoticeKind
from quotas.actions import decide, requests
from quotas.actions.members import set_member
from quotas.actions.project_changes import accept, offer
from quotas.actions.watching import unwatch, watch
from quotas.models import QuotaRequest
from quotas.queries.notice_words import sentence_of, url_of
from quotas.queries.notices import NoticeRow, notice_rows, notices_of
from quotas.tests.api import caller, results, submit
from quotas.tests.counting import assert_flat
from quotas.tests.pages.deciding import ask, page, signed_in, text
from quotas.tests.site import Site


def told(site: Site, name: str) -> list[str]:
    """The kinds of what a person was told, the oldest first."""
    return list(site.people[name].notices.order_by("pk").values_list("kind", flat=True))


def read_by(site: Site, name: str) -> list[NoticeRow]:
    viewer = Viewer.of(site.people[name], timezone.now())
    return notice_rows(list(notices_of(viewer)), viewer)


def say_no(site: Site, asked: QuotaRequest) -> None:
    asked.refresh_from_db()
    decide.decline(
        quota_request=asked, line_ids=[asked.lines.get().pk], reason="No",
        version=asked.version, actor=site.dana, now=timezone.now(),
    )  # fmt: skip


def ask_back(site: Site, asked: QuotaRequest) -> None:
    decide.return_(
        quota_request=asked, line_ids=[asked.lines.get().pk], question="For which run?",
        version=asked.version, actor=site.dana, now=timezone.now(),
    )  # fmt: skip


def test_nobody_is_told_twice_of_one_event_nor_of_their_own_act(site_today: Site) -> None:
    site = site_today
    ask(site)
    event = Event.objects.filter(verb="submitted").latest("pk")
    tell(event, [site.dana.pk, site.alice.pk, site.dana.pk], NoticeKind.NUDGED)
    tell(event, [site.dana.pk, site.erin.pk], NoticeKind.REMINDED)
    assert told(site, "dana") == [NoticeKind.NUDGED]
    assert told(site, "erin") == [NoticeKind.REMINDED]
    assert told(site, "alice") == []


def test_who_asked_who_watches_and_who_wrote_are_told_of_a_decision(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    asked = ask(site)
    watch(quota_request=asked, actor=site.rita, now=now)
    watch(quota_request=asked, actor=site.rita, now=now)
    requests.comment(quota_request=asked, text="We need it", actor=site.bob, now=now)
    say_no(site, asked)
    assert told(site, "alice") == [NoticeKind.COMMENTED, NoticeKind.DECIDED]
    assert told(site, "rita") == [NoticeKind.COMMENTED, NoticeKind.DECIDED]
    assert told(site, "bob") == [NoticeKind.DECIDED]
    assert told(site, "dana") == []


def test_who_watches_no_more_is_told_no_more(site_today: Site) -> None:
    site = site_today
    asked = ask(site)
    watch(quota_request=asked, actor=site.rita, now=timezone.now())
    unwatch(quota_request=asked, actor=site.rita)
    say_no(site, asked)
    assert told(site, "rita") == []


def test_who_asked_the_question_is_told_of_its_answer(site_today: Site) -> None:
    site = site_today
    asked = ask(site)
    ask_back(site, asked)
    asked.refresh_from_db()
    requests.answer(
        quota_request=asked, text="Run 4", wanted={}, version=asked.version, actor=site.alice,
        now=timezone.now(),
    )  # fmt: skip
    assert told(site, "alice") == [NoticeKind.RETURNED]
    assert told(site, "dana") == [NoticeKind.ANSWERED]


def test_a_notice_is_a_sentence_with_the_names_of_now(site_today: Site) -> None:
    site = site_today
    asked = ask(site)
    say_no(site, asked)
    (row,) = read_by(site, "alice")
    assert sentence_of(row) == f"Dana declined #{asked.pk} for atlas-reco"
    assert url_of(row) == f"/requests/{asked.pk}/"


def test_a_reminder_of_what_is_decided_says_so_and_leads_to_what_became_of_it(
    site_today: Site,
) -> None:
    site = site_today
    asked = ask(site)
    tell(Event.objects.get(verb="submitted"), [site.dana.pk], NoticeKind.REMINDED)
    (row,) = read_by(site, "dana")
    assert sentence_of(row) == f"#{asked.pk} for atlas-reco still waits for you"
    assert url_of(row) == f"/decide/{asked.pk}/"
    say_no(site, asked)
    (row,) = read_by(site, "dana")
    assert sentence_of(row).endswith("it waits no more")
    assert url_of(row) == f"/requests/{asked.pk}/"


def test_of_what_may_no_longer_be_seen_a_notice_shows_nothing(site_today: Site) -> None:
    site = site_today
    asked = ask(site)
    say_no(site, asked)
    Membership.objects.filter(user=site.alice).update(ends_at=timezone.now())
    (row,) = read_by(site, "alice")
    assert (row.subject, row.actor, row.verb, url_of(row)) == (None, None, "", "")
    html = text(page(site, "alice", "/"))
    assert "About something that you may no longer see" in html
    assert f"#{asked.pk}" not in html.split('id="requests"')[0]
    (shown,) = results(caller(site, "alice").get("notices/"))
    assert (shown["subject"], shown["actor"], shown["verb"]) == (None, None, "")


def test_who_is_asked_about_a_project_that_they_do_not_see_is_led_to_their_answer(
    site_today: Site,
) -> None:
    site, now = site_today, timezone.now()
    asked = offer(project=site.project, user=site.mallory, actor=site.alice, now=now)
    (row,) = read_by(site, "mallory")
    assert sentence_of(row) == "Alice asks for your yes to a change of atlas-reco"
    assert url_of(row) == f"/changes/{asked.pk}/"
    (shown,) = results(caller(site, "mallory").get("notices/"))
    assert shown["subject"] == {"kind": "change", "id": str(asked.pk)}
    accept(change=asked, version=asked.version, actor=site.mallory, now=now)
    (row,) = read_by(site, "mallory")
    assert sentence_of(row).endswith("it waits no more")
    # Alice gave it away, sees it no more, and hears that it was taken.
    (row,) = read_by(site, "alice")
    assert sentence_of(row) == "Mallory agreed to a change of atlas-reco"
    assert url_of(row) == f"/changes/{asked.pk}/"


@pytest.mark.parametrize("name", ["erin", "mallory"])
def test_a_notice_of_a_delegation_is_for_who_may_see_it(site_today: Site, name: str) -> None:
    site, now = site_today, timezone.now()
    delegation = Delegation.objects.get(pk=site.delegations["dana"].pk)
    event = Event.objects.create(
        at=now, verb="delegated", unit=delegation.unit, subject_kind="delegation",
        subject_id=delegation.pk,
    )  # fmt: skip
    tell(event, [site.people[name].pk], NoticeKind.ENDS_SOON)
    (row,) = read_by(site, name)
    seen = f"D-{delegation.pk} in {delegation.unit.label} ends soon"
    expected = seen if name == "erin" else "About something that you may no longer see"
    assert sentence_of(row) == expected


def test_opening_a_notice_marks_it_seen_and_leads_to_the_request(site_today: Site) -> None:
    site = site_today
    asked = ask(site)
    say_no(site, asked)
    alice = signed_in(site, "alice")
    (notice,) = Notice.objects.filter(person=site.alice)
    assert f"Dana declined #{asked.pk}" in text(alice.get("/"))
    answer = alice.post("/notices/read/", {"open": notice.pk, "from": "home"})
    assert answer["Location"] == f"/requests/{asked.pk}/"
    notice.refresh_from_db()
    assert notice.read_at is not None
    assert "Dana declined" not in text(alice.get("/"))
    assert "Dana declined" in text(alice.get("/notices/"))


def test_nobody_marks_the_notices_of_others(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    say_no(site, ask(site))
    (notice,) = Notice.objects.all()
    assert mark_read(ids=[notice.pk], actor=site.bob, now=now) == 0
    assert mark_all_read(newest=notice.pk, actor=site.bob, now=now) == 0
    assert mark_read(ids=[notice.pk], actor=site.alice, now=now) == 1
    assert mark_read(ids=[notice.pk], actor=site.alice, now=now) == 0


def test_all_seen_leaves_what_came_since(site_today: Site) -> None:
    site = site_today
    asked = ask(site)
    ask_back(site, asked)
    first = Notice.objects.get(person=site.alice)
    requests.comment(quota_request=asked, text="Hello?", actor=site.dana, now=timezone.now())
    answer = caller(site, "alice").post("notices/read/", {"newest": first.pk})
    assert answer.json() == {"count": 1}
    (left,) = results(caller(site, "alice").get("notices/", unread="true"))
    assert left["kind"] == NoticeKind.COMMENTED
    assert caller(site, "alice").post("notices/read/", {}).status_code == 422


def test_notices_cost_the_same_for_one_and_for_many(site_today: Site) -> None:
    site = site_today
    asked = submit(site)
    say_no(site, asked)
    alice = caller(site, "alice")

    def grow() -> None:
        for minute in range(60):
            event = Event.objects.create(
                at=timezone.now() - timedelta(minutes=minute), verb="commented", actor=site.bob,
                project=site.project, subject_kind="request", subject_id=asked.pk,
            )  # fmt: skip
            tell(event, [site.alice.pk], NoticeKind.COMMENTED)

    assert_flat("api notices/", lambda: results(alice.get("notices/")), grow)


def test_whose_role_ended_reads_in_which_project_and_nothing_more_of_it(site_today: Site) -> None:
    site, now = site_today, timezone.now()
    set_member(project=site.project, user=site.rita, role=None, actor=site.alice, now=now)
    (row,) = read_by(site, "rita")
    assert sentence_of(row) == "Alice ended a role of yours in atlas-reco"
    assert url_of(row) == ""
    (shown,) = results(caller(site, "rita").get("notices/"))
    assert shown["subject"] is None
