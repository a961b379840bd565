"""Lists of who and how much: told of by each change that they show; who sees which groups."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from projects.actions.events import record
from projects.actions.people import make_group, rename_group, set_group_members
from projects.actions.projects import set_role
from projects.actions.units import make_unit, move_unit, rename_unit
from projects.states import Role
from quotas.actions.envelopes import declare, fund
from quotas.actions.ledger import issue
from quotas.actions.project_changes import decline, offer
from quotas.models import Account, Transfer
from quotas.tests import site as small
from quotas.tests.api import Caller, approval, caller, refusal, results, submit
from quotas.tests.site import Site, join, make_site


@pytest.fixture
def committed(database_copy: object) -> Site:
    return make_site(timezone.now() - timedelta(days=1))


class Copy:
    """What a program is told of a list, by a value of its rows, each time it asks again."""

    def __init__(self, person: Caller, path: str, key: str = "id", **query: str) -> None:
        self.person, self.path, self.key, self.query = person, path, key, query
        self.mark = ""
        self.all = self.news()

    def news(self) -> list[Any]:
        since = {"updated_since": self.mark} if self.mark else {}
        answer = self.person.get(self.path, **self.query, **since)
        found = [each[self.key] for each in results(answer)]
        self.mark = answer.json()["updated_until"]
        return found


def test_units_are_told_of_when_made_renamed_moved_or_above_one_that_was(committed: Site) -> None:
    copy, now = Copy(caller(committed, "alice"), "units/", "slug"), timezone.now()
    assert copy.news() == []
    made = make_unit(slug="cm", name="CM", parent=committed.units["it"], actor=None, now=now)
    assert copy.news() == ["cm"]
    rename_unit(unit=made, name="Cloud", actor=None, now=now)
    assert copy.news() == ["cm"]
    rename_unit(unit=committed.units["it"], name="Computers", actor=None, now=now)
    assert copy.news() == ["it"]
    move_unit(unit=committed.units["it"], parent=committed.units["ep"], now=now)
    assert copy.news() == ["it", "cm"]


def test_members_are_told_of_when_they_come_and_by_who_asks_when_they_go(committed: Site) -> None:
    alice, now = caller(committed, "alice"), timezone.now()
    path, project = "projects/atlas-reco/members/", committed.project
    copy, living = Copy(alice, path, "holder", ended="true"), Copy(alice, path, "holder")
    group = make_group(external_id="ops", name="Operations", now=now)
    for holder in ({"user": committed.mallory}, {"group": group}):
        set_role(project=project, role=Role.READER, actor=None, now=now, **holder)
    assert [each["name"] for each in copy.news()] == ["Mallory", "Operations"]
    assert len(living.news()) == 2
    later = now + timedelta(microseconds=1)
    set_role(project=project, role=None, user=committed.bob, actor=None, now=later)
    assert [each["name"] for each in copy.news()] == ["Bob"]
    assert living.news() == []


def test_changes_are_told_of_when_asked_for_answered_or_under_another_name(committed: Site) -> None:
    alice, now = caller(committed, "alice"), timezone.now()
    copy, project = Copy(alice, "changes/"), committed.project
    made = offer(project=project, user=committed.mallory, actor=committed.alice, now=now)
    assert copy.news() == [made.pk]
    assert copy.news() == []
    decline(change=made, answer="No.", version=1, actor=committed.mallory, now=now)
    assert copy.news() == [made.pk]
    record(
        "project renamed", actor=None, now=now, project=project, subject_kind="project",
        subject_id=project.pk,
    )  # fmt: skip
    assert copy.news() == [made.pk]


def test_members_are_found_by_person_group_and_role(site_today: Site) -> None:
    alice, group = caller(site_today, "alice"), small.make_group("ops")
    join(site_today.project, group, Role.READER, timezone.now())

    def names(**query: str) -> list[str]:
        found = results(alice.get("projects/atlas-reco/members/", **query))
        return [each["holder"]["name"] for each in found]

    assert names(role="reader") == ["Rita", "ops"]
    assert names(person=str(site_today.rita.public_id)) == ["Rita"]
    assert names(person=str(site_today.rita.public_id), role="owner") == []
    assert names(group=str(group.public_id)) == ["ops"]
    wrong = alice.get("projects/atlas-reco/members/", person="rita", role="king")
    assert refusal(wrong) == (422, "invalid")
    assert {each["pointer"] for each in wrong.json()["errors"]} == {"#/person", "#/role"}


def test_what_moves_is_told_of_at_both_ends(committed: Site) -> None:
    """Transfers and balances: issued, funded, granted, and an account opened at nothing."""
    otto, now = caller(committed, "otto"), timezone.now()
    accounts, vcpu = Copy(otto, "accounts/"), committed.vcpu
    of_unit = Copy(otto, "units/atlas/transfers/")
    of_project = Copy(otto, "projects/atlas-reco/transfers/")
    own = Copy(otto, "projects/atlas-reco/accounts/", "offering")

    def ids(**which: Any) -> set[int]:
        return set(Account.objects.filter(offering=vcpu, **which).values_list("pk", flat=True))

    site, pool = ids(holder="site"), ids(holder="pool")
    issue(offering=vcpu, amount=5, actor=None, now=now)
    assert set(accounts.news()) == site | pool
    fund(offering=vcpu, unit=committed.units["atlas"], amount=5, actor=None, now=now)
    # Paid by the nearest envelope above.
    payer = Transfer.objects.latest("pk").debit_id
    assert set(accounts.news()) == ids(unit=committed.units["atlas"]) | {payer}
    assert len(of_unit.news()) == 1
    declared = declare(unit=committed.units["it"], offering=vcpu, actor=None, now=now)
    assert accounts.news() == [declared.pk]
    asked = submit(committed)
    assert accounts.news() == []
    answer = caller(committed, "dana").post(
        f"requests/{asked.pk}/approve/", approval(committed, asked)
    )
    assert answer.status_code == 200, answer.content
    quota = ids(project=committed.project)
    assert set(accounts.news()) == quota | ids(unit=committed.units["atlas"])
    assert own.news() == [vcpu.slug]
    assert of_unit.news() == of_project.news() == [Transfer.objects.latest("pk").pk]
    assert (of_unit.news(), of_project.news(), own.news()) == ([], [], [])


def test_groups_are_told_of_when_made_renamed_or_of_other_people(committed: Site) -> None:
    copy, now = Copy(caller(committed, "otto"), "groups/", "name"), timezone.now()
    group = make_group(external_id="ops", name="Operations", now=now)
    assert copy.news() == ["Operations"]
    rename_group(group=group, name="Ops", now=now)
    assert copy.news() == ["Ops"]
    set_group_members(group=group, users=[committed.bob], now=now)
    assert copy.news() == ["Ops"]
    assert copy.news() == []


def test_groups_are_one_s_own_those_one_meets_and_all_for_who_hands_on(site_today: Site) -> None:
    now = timezone.now()
    own, met, far = small.make_group("own", site_today.bob), small.make_group("met"), "far"
    small.make_group(far, site_today.erin, site_today.dana)
    join(site_today.project, met, Role.READER, now)

    def seen(name: str) -> dict[str, int | None]:
        found = results(caller(site_today, name).get("groups/"))
        return {each["name"]: each["member_count"] for each in found}

    assert seen("bob") == {own.name: None, met.name: None}
    assert seen("rita") == {met.name: None}
    assert seen("mallory") == {}
    # Erin may hand on, and finds any group by its name there.
    everything = {own.name: 1, met.name: 0, far: 2}
    assert seen("erin") == seen("otto") == seen("audrey") == everything
    found = results(caller(site_today, "erin").get("groups/", name="A"))
    assert [each["name"] for each in found] == [far]
