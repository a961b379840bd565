"""A whole year of the clock, all together: what ends, returns and is handed over, and who is told.

The year is lived once; each test asks it one question.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.test import override_settings

from contrib.testing.clouds import SandboxSite
from portal.testing.servers import DatabaseCopy
from projects.models import (
    Delegation,
    EndNotice,
    Event,
    Notice,
    Project,
    ProjectChange,
    User,
    in_force,
)
from projects.states import ChangeState, ProjectState
from quotas.models import Assignment, Loan
from quotas.queries.accounts import audit
from quotas.tests.mail.acting import check_letters, post
from quotas.tests.mail.server import HOST, address, serving
from quotas.tests.site import CAST, NOW, make_site
from quotas.tests.year.story import HAPPENS, MUCH_LATER, YEAR
from quotas.tests.year.world import World, moment, on

# {what: {its end: days on which people are told of it}}; an end that is paused or moved
# meanwhile is not told of again.
TOLD = {
    ("project", "ended"): {100: {60: 40, 27: 73, 7: 93}},
    ("project", "renewed"): {120: {60: 60, 27: 93}, 250: {60: 190, 27: 223, 7: 243}},
    ("project", "held"): {90: {60: 30}, 300: {60: 240, 27: 273, 7: 293}},
    ("project", "asked"): {80: {60: 20, 27: 53}},
    ("loan", "returned"): {100: {60: 40, 27: 73, 7: 93}},
    ("loan", "overdue"): {130: {60: 70, 27: 103, 7: 123}},
    ("loan", "extended"): {120: {60: 60, 27: 93, 7: 113}, 240: {60: 180, 27: 213, 7: 233}},
}


@pytest.fixture(scope="module")
def year(module_database: DatabaseCopy, sandbox_site: SandboxSite) -> Iterator[World]:
    site = make_site(NOW)
    for name in CAST:
        User.objects.filter(subject=name).update(mail=address(name))
        site.people[name].mail = address(name)
    with (
        serving() as server,
        override_settings(
            CLOUDS_YAML=str(sandbox_site.clouds_yaml), EMAIL_HOST=HOST, EMAIL_PORT=server.port,
            SITE_URL="https://remit.example.org", DEFAULT_FROM_EMAIL="remit@example.org",
        ),
        pytest.MonkeyPatch.context() as clock,
    ):  # fmt: skip
        world = World(site, sandbox_site, server, clock)
        world.live(YEAR, HAPPENS)
        post(moment(YEAR + 3))
        yield world


def days_of(verb: str, slug: str) -> list[int]:
    """On which days it is in the record of a project."""
    rows = Event.objects.filter(verb=verb, project__slug=slug).order_by("pk")
    return [(each - NOW).days for each in rows.values_list("at", flat=True)]


def test_every_day_ledger_and_clouds_agreed_and_every_orphan_was_offered_or_waited_for_people(
    year: World,
) -> None:
    assert year.wrong == []
    assert year.disagreements() == []
    assert audit() == []
    call_command("audit_ledger")
    call_command("verify_decisions")


def test_each_notice_of_an_end_came_once_and_on_its_day(year: World) -> None:
    loans = dict(Loan.objects.values_list("pk", "account__project__slug"))
    projects = dict(Project.objects.values_list("pk", "slug"))
    found = Counter(
        (
            (each.subject_kind, (projects, loans)[each.subject_kind == "loan"][each.subject_id]),
            each.ends_on, each.days_before, each.at,
        )
        for each in EndNotice.objects.all()
    )  # fmt: skip
    assert found == Counter(
        (what, on(end), before, moment(day))
        for what, ends in TOLD.items()
        for end, stages in ends.items()
        for before, day in stages.items()
    )
    told = Notice.objects.filter(event__verb__in=["project ends soon", "loan ends soon"])
    assert Counter(told.values_list("person__subject", "event__verb")) == {
        ("bob", "project ends soon"): 14, ("audrey", "project ends soon"): 3,
        ("alice", "loan ends soon"): 12,
    }  # fmt: skip


def test_each_thing_that_people_were_told_reached_them_in_one_letter(year: World) -> None:
    check_letters(year.server)


def test_projects_ended_were_kept_and_closed_on_their_days(year: World) -> None:
    closings = {slug: days_of("project closing", slug) for slug in ("ended", "held", "xena-own")}
    assert closings == {"ended": [101], "held": [151, 301], "xena-own": [71]}
    # The countdown, and for one of them what was in use until then.
    closed = {slug: days_of("project closed", slug) for slug in closings}
    assert closed == {"ended": [150], "held": [316], "xena-own": [86]}
    standing = Project.objects.filter(state=ProjectState.ACTIVE).values_list("slug", "ends_on")
    assert dict(standing) == {
        "renewed": on(245 + 365), "asked": MUCH_LATER, "atlas-reco": None, "returned": None,
        "overdue": None, "extended": None, "vera-work": None, "walt-work": None,
    }  # fmt: skip


def test_loans_came_back_on_their_day_or_as_use_fell(year: World) -> None:
    days = {slug: days_of("loan returned", slug) for slug in ("returned", "overdue", "extended")}
    assert days == {"returned": [101], "overdue": [131, 160, 200], "extended": [241]}
    assert not Loan.objects.filter(outstanding__gt=0).exists()
    left = {slug: year.site.quota(year.site.vcpu, year.get(slug)) for slug in days}
    assert left == dict.fromkeys(days, 4)


def test_what_leavers_owned_was_offered_in_turn_and_has_owners_again(year: World) -> None:
    rows = ProjectChange.objects.filter(kind="hand over").order_by("pk")
    offers = rows.values_list("project__slug", "to_user__subject", "state")
    assert list(offers) == [
        ("vera-work", "mallory", ChangeState.ACCEPTED),
        ("walt-work", "rita", ChangeState.LAPSED),
        ("walt-work", "audrey", ChangeState.LAPSED),
        ("walt-work", "bob", ChangeState.ACCEPTED),
    ]
    assert [(each.created_at - NOW).days for each in rows] == [50, 60, 74, 210]
    assert year.orphans() == []


def test_what_a_leaver_decided_ended_and_what_waited_for_them_waits_for_the_next(
    year: World,
) -> None:
    held = Delegation.objects.get(pk=year.site.delegations["vera"].pk)
    assert held.revoked_at == moment(50)
    assert Notice.objects.filter(person=year.site.dana, event__verb="holder left").count() == 1
    turns = Assignment.objects.filter(line__request__project__slug="renewed", kind="decide")
    assert turns.filter(user__subject="vera").get().ends_at == moment(50)
    after = turns.filter(in_force(moment(51)))
    assert set(after.values_list("user__subject", flat=True)) == {"dana"}
