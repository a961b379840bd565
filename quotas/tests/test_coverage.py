"""Where deciders are missing, and telling people in time that an authority ends."""

from datetime import datetime, timedelta

import pytest

from portal.lib.errors import Forbidden
from projects.actions.units import make_unit
from projects.models import Delegation, Event, GroupMembership, Notice, Unit, User
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, Power, Role
from quotas.actions.ends import warn_of_ends
from quotas.actions.escalation import escalate_due
from quotas.models import DelegationBound, Policy, RequestLine
from quotas.queries.coverage import Coverage, coverage_of
from quotas.states import PolicyState
from quotas.tests.api import caller
from quotas.tests.counting import assert_flat
from quotas.tests.pages import acting
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import NOW, Site, join, make_group
from quotas.tests.test_decide import ask

DAY = timedelta(days=1)


def seen_by(site: Site, reader: str, now: datetime = NOW) -> Coverage:
    return coverage_of(Viewer.of(User.objects.get(subject=reader), now))


def thin(coverage: Coverage) -> list[tuple[str, list[str], int]]:
    return [
        (each.unit.slug, [str(one) for one in each.people], each.below_count)
        for each in coverage.thin.rows
    ]


def hand(site: Site, holder: str, place: str, **more: object) -> Delegation:
    """Somebody else of the cast decides there too, by Erin's delegation or else by Otto's."""
    parent = site.delegations["erin" if place == "atlas" else "otto"]
    terms = {
        "parent": parent, "ancestors": parent.chain_ids, "grantor": parent.user,
        "user": site.people[holder], "powers": [Power.DECIDE_QUOTA], "unit": site.units[place],
        "starts_at": NOW - 90 * DAY, "created_at": NOW - 90 * DAY,
    }  # fmt: skip
    made = Delegation.objects.create(**(terms | more))
    DelegationBound.objects.create(delegation=made)
    return made


# --- units ------------------------------------------------------------------------------


def test_units_with_fewer_than_two_are_named_and_those_below_counted(site: Site) -> None:
    make_unit(slug="cm", name="CM", parent=site.units["it"], now=NOW)
    assert thin(seen_by(site, "otto")) == [("org", ["Otto"], 2)]


def test_members_of_a_group_count_each_and_whoever_left_does_not(site: Site) -> None:
    group = make_group("heads", site.mallory, site.bob, since=NOW - DAY)
    hand(site, "erin", "it", user=None, group=group)
    assert thin(seen_by(site, "otto")) == [("org", ["Otto"], 0)]
    User.objects.filter(subject__in=["mallory", "bob"]).update(is_active=False)
    assert thin(seen_by(site, "otto")) == [("org", ["Otto"], 1)]


def test_whoever_holds_a_role_in_every_project_of_a_unit_does_not_count(site: Site) -> None:
    group = make_group("readers", site.erin, site.otto, since=NOW - DAY)
    join(site.project, group, Role.MEMBER, NOW - DAY)
    assert ("atlas", ["Dana"], 0) in thin(seen_by(site, "otto"))


def test_an_overseer_reads_of_their_subtree_only(site: Site) -> None:
    assert thin(seen_by(site, "erin")) == []
    Delegation.objects.filter(pk=site.delegations["otto"].pk).update(ends_at=NOW + 9 * DAY)
    assert thin(seen_by(site, "erin", NOW)) == []
    User.objects.filter(subject="otto").update(is_active=False)
    assert thin(seen_by(site, "erin")) == [("ep", ["Erin"], 0)]


def test_who_cannot_hand_on_and_audits_nothing_oversees_nothing(site: Site) -> None:
    hand(site, "mallory", "atlas", depth=0)
    for name in ("mallory", "alice"):
        with pytest.raises(Forbidden):
            seen_by(site, name)


# --- what ends, who does not come, who grew -----------------------------------------------


def test_roots_are_named_60_days_before_and_others_30(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["otto"].pk).update(ends_at=NOW + 59 * DAY)
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(ends_at=NOW + 29 * DAY)
    hand(site, "mallory", "atlas", ends_at=NOW + 31 * DAY)
    hand(site, "bob", "atlas", ends_at=NOW + 2 * DAY, is_deputy=True)
    found = seen_by(site, "otto")
    assert [str(each.delegation.user) for each in found.roots.rows] == ["Otto"]
    assert [str(each.delegation.user) for each in found.ending.rows] == ["Dana"]


def test_a_root_whose_end_was_fixed_by_command_runs_out_then(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["otto"].pk).update(revoked_at=NOW + 5 * DAY)
    (root,) = seen_by(site, "audrey").roots.rows
    assert root.over_at == NOW + 5 * DAY


def test_deciders_who_do_not_come_are_named_only_if_something_waits(site: Site) -> None:
    User.objects.filter(subject="dana").update(last_login=NOW - 61 * DAY)
    assert seen_by(site, "erin").absent.rows == []
    ask(site)
    (absent,) = seen_by(site, "erin").absent.rows
    assert (str(absent.person), absent.waiting_count) == ("Dana", 1)
    User.objects.filter(subject="dana").update(last_login=NOW - 59 * DAY)
    assert seen_by(site, "erin").absent.rows == []


def test_groups_that_grew_since_they_were_given_authority(site: Site) -> None:
    group = make_group("heads", site.mallory, since=NOW - 91 * DAY)
    made = hand(site, "erin", "it", user=None, group=group)
    assert seen_by(site, "otto").grown.rows == []
    GroupMembership.objects.create(group=group, user=site.bob, starts_at=NOW - DAY)
    (grown,) = seen_by(site, "otto").grown.rows
    assert (grown.delegation, grown.before, grown.now) == (made, 1, 2)


# --- lines and rules ---------------------------------------------------------------------


def test_lines_that_wait_for_nobody_stand_there_with_the_reason(site: Site) -> None:
    asked = ask(site)
    assert seen_by(site, "audrey").stranded.rows == []
    Delegation.objects.exclude(user=site.audrey).update(revoked_at=NOW)
    (line,) = seen_by(site, "audrey").stranded.rows
    assert (line.line.request_id, line.reason) == (asked.pk, "ended")
    assert "those who run the site" in line.sentence.lower()


def test_lines_whose_deciders_all_have_a_part_in_it(site: Site) -> None:
    for name in ("dana", "erin", "otto"):
        join(site.project, site.people[name], Role.MEMBER, NOW - DAY)
    ask(site)
    (line,) = seen_by(site, "audrey").stranded.rows
    assert line.reason == "interested"


def test_a_line_that_nobody_at_the_top_answers_is_told_of(site: Site) -> None:
    asked = ask(site)
    for week in range(1, 4):
        assert seen_by(site, "audrey").unanswered.rows == []
        escalate_due(NOW + 14 * week * DAY)
    (line,) = seen_by(site, "audrey").unanswered.rows
    assert (line.request_id, line.level) == (asked.pk, 2)
    assert seen_by(site, "audrey").stranded.rows == []
    assert len(seen_by(site, "erin").unanswered) == 1
    # Nobody can decide it any more: that is another list.
    Delegation.objects.exclude(user=site.audrey).update(revoked_at=NOW)
    found = seen_by(site, "audrey")
    assert (len(found.unanswered), len(found.stranded)) == (0, 1)


def test_a_line_whose_only_decider_joined_the_project_waits_for_nobody(site: Site) -> None:
    Delegation.objects.filter(user__in=[site.erin, site.otto]).update(user=site.dana)
    ask(site)
    join(site.project, site.dana, Role.MEMBER, NOW - DAY)
    (line,) = seen_by(site, "audrey").stranded.rows
    assert line.reason == "interested"


def test_rules_that_nobody_stands_behind(site: Site) -> None:
    policy = Policy.objects.create(
        unit=site.units["atlas"], delegation=site.delegations["dana"], person=site.dana,
        name="Small ones", state=PolicyState.ON, created_at=NOW,
    )  # fmt: skip
    assert seen_by(site, "erin").policies.rows == []
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(revoked_at=NOW)
    assert list(seen_by(site, "erin").policies.rows) == [policy]


# --- both doors -------------------------------------------------------------------------


def test_the_page_says_what_to_do_and_the_api_says_the_same(site_today: Site) -> None:
    site = site_today
    text = text_of(client_of(site, "otto").get("/remit/coverage/"))
    assert "Fewer than two people decide" in text
    assert "Otto" in text
    found = caller(site, "otto").get("coverage/").json()
    assert [(each["unit"], each["below_count"]) for each in found["thin"]] == [("org", 1)]
    assert (found["stranded"], found["more"]) == ([], [])
    line = acting.ask(site).lines.get()
    RequestLine.objects.filter(pk=line.pk).update(level=2, escalate_at=None)
    text = text_of(client_of(site, "otto").get("/remit/coverage/"))
    assert "Went up to the top, and wait there" in text
    (row,) = caller(site, "otto").get("coverage/").json()["unanswered"]
    assert (row["line"], row["unit"]) == (line.pk, "atlas")
    assert client_of(site, "mallory").get("/remit/coverage/").status_code == 403


def test_nothing_missing_is_said_as_such(site_today: Site) -> None:
    text = text_of(client_of(site_today, "erin").get("/remit/coverage/"))
    assert "Every unit has two people who decide" in text


def test_it_costs_the_same_for_many_units(site_today: Site) -> None:
    site = site_today
    client = client_of(site, "otto")

    def grow() -> None:
        root = site.units["it"]
        Unit.objects.bulk_create(
            Unit(slug=f"u{number}", name="U", parent=root, path=f"{root.path}u{number}/")
            for number in range(120)
        )
        for number in range(3):
            hand(site, "bob", "it", ends_at=NOW + (400 + number) * DAY)

    assert_flat("coverage", lambda: client.get("/remit/coverage/").content, grow)


def test_each_list_is_cut_and_says_so(site: Site) -> None:
    people = [User.objects.create(subject=f"p{n}", name=f"P{n}", password="!") for n in range(60)]
    units = Unit.objects.bulk_create(
        Unit(slug=f"u{n}", name="U", parent=site.units["it"], path=f"org/it/u{n}/")
        for n in range(60)
    )
    User.objects.filter(subject="otto").update(is_active=False)
    for person, unit in zip(people, units, strict=True):
        hand(site, "bob", "it", user=person, unit=unit)
    found = seen_by(site, "audrey")
    assert (len(found.thin), found.thin.has_more) == (50, True)


# --- warnings ---------------------------------------------------------------------------


def told(kind: NoticeKind = NoticeKind.ENDS_SOON) -> list[str]:
    rows = Notice.objects.filter(kind=kind).values_list("person__name", flat=True)
    return sorted(rows)


def test_a_root_that_runs_out_is_told_to_all_root_holders_and_operators_once(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["otto"].pk).update(ends_at=NOW + 60 * DAY)
    User.objects.create(subject="olga", name="Olga", is_operator=True, password="!")
    assert warn_of_ends(NOW - timedelta(seconds=1)) == 0
    assert warn_of_ends(NOW) == 1
    assert told() == ["Audrey", "Olga", "Otto"]
    assert warn_of_ends(NOW + DAY) == 0
    assert Event.objects.filter(verb="ends soon").count() == 1


def test_a_delegation_that_ends_is_told_to_its_holder_and_grantor(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(ends_at=NOW + 30 * DAY)
    assert warn_of_ends(NOW) == 1
    assert told() == ["Dana", "Erin"]


def test_of_a_group_each_member_is_told_and_short_ones_are_told_to_nobody(site: Site) -> None:
    group = make_group("heads", site.mallory, site.bob, since=NOW - DAY)
    hand(site, "erin", "it", user=None, group=group, ends_at=NOW + 10 * DAY)
    hand(site, "rita", "it", starts_at=NOW - DAY, ends_at=NOW + 10 * DAY)
    assert warn_of_ends(NOW) == 1
    assert told() == ["Bob", "Mallory", "Otto"]


def test_what_was_revoked_is_told_to_nobody(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(
        ends_at=NOW + 9 * DAY, revoked_at=NOW - DAY
    )
    assert warn_of_ends(NOW) == 0
