"""Every verb of an announcement from every state, and what is refused: one table each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from projects.models import Event, User
from quotas.actions import announcements, announcing
from quotas.models import Announcement
from quotas.states import ANNOUNCEMENT_MOVES, AnnouncementState
from quotas.tests.announcements.writing import HOUR, draft_of, send, words
from quotas.tests.site import NOW, Site

S = AnnouncementState
Act = Callable[[Announcement, User, datetime], Any]


def in_state(site: Site, state: AnnouncementState) -> Announcement:
    """Otto's announcement as its verbs lead it there."""
    made = draft_of(site, NOW)
    if state in (S.SENDING, S.SENT):
        made = send(made, site.otto, NOW)
        if state == S.SENT:
            announcing.finish(made, NOW)
    elif state == S.SCHEDULED:
        made = later(made, site.otto, NOW)
    elif state == S.WITHDRAWN:
        made = announcements.withdraw(announcement=made, actor=site.otto, now=NOW)
    assert made.state == state
    return made


def later(made: Announcement, actor: User, now: datetime) -> Announcement:
    return announcements.schedule(
        announcement=made, starts_at=now + HOUR, version=made.version, actor=actor, now=now
    )


def change(made: Announcement, actor: User, now: datetime) -> Announcement:
    return announcements.change(
        announcement=made, words=words(subject="Else"), version=made.version, actor=actor, now=now
    )


def withdraw(made: Announcement, actor: User, now: datetime) -> Announcement:
    return announcements.withdraw(announcement=made, version=made.version, actor=actor, now=now)


VERBS: dict[str, Act] = {"change": change, "schedule": later, "withdraw": withdraw}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_leads_where_the_table_says(
    site: Site, state: AnnouncementState, verb: str
) -> None:
    made = in_state(site, state)
    to = ANNOUNCEMENT_MOVES.get((state, verb))
    if to is None:
        with pytest.raises(Conflict):
            VERBS[verb](made, site.otto, NOW)
    else:
        VERBS[verb](made, site.otto, NOW)
    made.refresh_from_db()
    assert made.state == (to or state)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["alice", "dana", "audrey"])
def test_only_operators_announce(site: Site, verb: str, name: str) -> None:
    made = draft_of(site, NOW)
    with pytest.raises(Forbidden):
        VERBS[verb](made, site.people[name], NOW)
    with pytest.raises(Forbidden):
        announcements.make(words=words(), actor=site.people[name], now=NOW)


@pytest.mark.parametrize("verb", VERBS)
def test_what_somebody_changed_meanwhile_is_stale(site: Site, verb: str) -> None:
    made = draft_of(site, NOW)
    old = Announcement.objects.get(pk=made.pk)
    change(made, site.otto, NOW)
    with pytest.raises(Stale) as refusal:
        VERBS[verb](old, site.otto, NOW)
    assert refusal.value.facts == {"version": 2}


FAR = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"subject": " "}, {"subject"}),
        ({"subject": "x" * 151}, {"subject"}),
        ({"subject": "\u202e\u200b"}, {"subject"}),
        ({"text": ""}, {"text"}),
        ({"text": "x" * 2001}, {"text"}),
        ({"text": "a\0b"}, {"text"}),
        ({"text": "a\ud800b"}, {"text"}),
        ({"zones": []}, {"zones"}),
        ({"zones": ["geneva.compute-z"]}, {"zones"}),
        ({"zones": ["geneva.compute-a", "a\0b.c", "\ud800", "."]}, {"zones"}),
        ({"who": "all"}, {"who"}),
        ({"roles": []}, {"roles"}),
        ({"roles": ["king"]}, {"roles"}),
        ({"banner_until": NOW}, {"banner_until"}),
        ({"banner_until": FAR}, {"banner_until"}),
        ({"subject": "", "text": "", "zones": [], "roles": []},
         {"subject", "text", "zones", "roles"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_fields_and_nothing_is_kept(
    site: Site, wrong: dict[str, Any], fields: set[str]
) -> None:
    with pytest.raises(Invalid) as refusal:
        announcements.make(words=words(**wrong), actor=site.otto, now=NOW)
    assert set(refusal.value.errors) == fields
    assert not Announcement.objects.exists()


@pytest.mark.parametrize(
    ("starts_at", "changes", "field"),
    [
        (NOW, {}, "starts_at"),
        (NOW - HOUR, {}, "starts_at"),
        (FAR, {}, "starts_at"),
        (NOW + 2 * HOUR, {"banner_until": NOW + HOUR}, "banner_until"),
        (NOW + HOUR, {"zones": ["geneva.storage-a"]}, "zones"),
        (None, {"roles": ["manager"]}, "zones"),
    ],
)
def test_it_is_not_scheduled_for_a_moment_that_is_over_nor_for_nobody(
    site: Site, starts_at: datetime | None, changes: dict[str, Any], field: str
) -> None:
    made = draft_of(site, NOW, **changes)
    with pytest.raises(Invalid) as refusal:
        announcements.schedule(
            announcement=made, starts_at=starts_at, version=1, actor=site.otto, now=NOW
        )
    assert set(refusal.value.errors) == {field}
    made.refresh_from_db()
    assert made.state == S.DRAFT


def test_a_scheduled_one_cannot_get_a_banner_that_is_over_by_then(site: Site) -> None:
    made = later(draft_of(site, NOW), site.otto, NOW)
    with pytest.raises(Invalid):
        announcements.change(
            announcement=made, words=words(banner_until=NOW + HOUR / 2), version=2,
            actor=site.otto, now=NOW,
        )  # fmt: skip


def test_each_verb_is_recorded_without_words_of_anybody(site: Site) -> None:
    made = draft_of(site, NOW)
    for verb in (change, later, withdraw):
        made = verb(made, site.otto, NOW)
    events = Event.objects.filter(subject_kind="announcement", subject_id=made.pk).order_by("pk")
    assert list(events.values_list("verb", "data")) == [
        ("announcement made", {}),
        ("announcement changed", {}),
        ("announcement scheduled", {"starts_at": (NOW + HOUR).isoformat()}),
        ("announcement withdrawn", {}),
    ]
    assert {each.actor for each in events} == {site.otto}


def test_a_subject_is_one_line_without_what_turns_it_around(site: Site) -> None:
    made = draft_of(site, NOW, subject="Bcc: x\r\nStops\u202e at \t noon ")
    assert made.subject == "Bcc: x Stops at noon"


def test_a_moment_may_be_chosen_anew(site: Site) -> None:
    made = later(draft_of(site, NOW), site.otto, NOW)
    again = announcements.schedule(
        announcement=made, starts_at=NOW + timedelta(days=2), version=2, actor=site.otto, now=NOW
    )
    assert (again.starts_at, again.version) == (NOW + timedelta(days=2), 3)
