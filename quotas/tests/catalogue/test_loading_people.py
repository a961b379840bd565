"""Loading units, people, groups and projects, with their history."""

from typing import Any

import pytest

from projects.models import (
    Group,
    GroupMembership,
    Holiday,
    Membership,
    Project,
    ProjectPlacement,
    Unit,
    UnitPlacement,
    User,
)
from quotas.catalogue.loading import load
from quotas.catalogue.problems import Refused
from quotas.catalogue.reading import read_site
from quotas.models import (
    Account,
    Holder,
    Offering,
)
from quotas.tests.catalogue.sample import LATER, NOW, SITE, changed, line_of


def test_load_refuses_a_unit_below_itself(db: None) -> None:
    text = changed(
        "  ep: {name: Physics, units: {atlas: ATLAS}}",
        "  ep: {name: Physics, parent: atlas}\n  atlas: {parent: ep}",
    )

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    assert [str(each) for each in refused.value.problems] == [
        f"line {line_of(text, '  ep:')}: ep stands below itself, through its parents.",
        f"line {line_of(text, '  atlas:')}: atlas stands below itself, through its parents.",
    ]


def test_load_refuses_a_project_in_an_unknown_unit(db: None) -> None:
    text = changed("unit: atlas", "unit: atlass")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    assert [str(each) for each in refused.value.problems] == [
        f"line {line_of(text, '  reco:')}: reco is in atlass, which is no unit; did you mean atlas?"
    ]


def test_load_moves_a_unit_with_all_below_it(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed(
        "  ep: {name: Physics, units: {atlas: ATLAS}}\n  it: Computing",
        "  it: {name: Computing, units: {ep: {name: Physics, units: {atlas: ATLAS}}}}",
    )

    changes = load(read_site(text), now=LATER)

    assert [str(each) for each in changes.found] == ["~ unit EP: moves to IT/EP"]
    assert Unit.objects.get(slug="atlas").path == "it/ep/atlas/"
    placements = UnitPlacement.objects.filter(unit__slug="ep").order_by("starts_at")
    assert [(str(each.parent), each.starts_at, each.ends_at) for each in placements] == [
        ("None", NOW, LATER),
        ("Computing", LATER, None),
    ]


def test_load_swaps_parent_and_child(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed(
        "  ep: {name: Physics, units: {atlas: ATLAS}}",
        "  atlas: {name: ATLAS, units: {ep: Physics}}",
    )

    load(read_site(text), now=LATER)

    paths = dict(Unit.objects.values_list("slug", "path"))
    assert paths == {"atlas": "atlas/", "ep": "atlas/ep/", "it": "it/"}


def test_load_closes_and_opens_memberships(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed("members: [bob]", "members: [alice]").replace(
        "    owners: alice\n", "    owners: bob\n    former: alice\n"
    )

    load(read_site(text), now=LATER)

    periods = GroupMembership.objects.values_list("user__subject", "starts_at", "ends_at")
    assert set(periods) == {("bob", NOW, LATER), ("alice", LATER, None)}
    roles = Membership.objects.filter(user__isnull=False)
    assert set(roles.values_list("user__subject", "role", "starts_at", "ends_at")) == {
        ("alice", "owner", NOW, LATER),
        ("bob", "owner", LATER, None),
    }


def test_load_keeps_roles_that_the_file_does_not_name(db: None) -> None:
    load(read_site(SITE), now=NOW)

    changes = load(read_site(changed("    owners: alice\n", "")), now=LATER)

    assert changes.found == []
    assert Membership.objects.filter(user__subject="alice", ends_at=None).exists()


def test_load_keeps_a_group_whose_members_are_not_said(db: None) -> None:
    load(read_site(SITE), now=NOW)

    load(read_site(changed("dq: {name: Quality, members: [bob]}", "dq: Quality")), now=LATER)

    assert Group.objects.get().memberships.filter(ends_at=None).count() == 1


def test_load_moves_a_project_without_quota(db: None) -> None:
    load(read_site(SITE), now=NOW)

    changes = load(read_site(changed("unit: atlas", "unit: it")), now=LATER)

    assert [str(each) for each in changes.found] == ["~ project reco: EP/ATLAS → IT"]
    placements = ProjectPlacement.objects.order_by("starts_at")
    assert [(each.unit.slug, each.ends_at) for each in placements] == [
        ("atlas", LATER),
        ("it", None),
    ]


def test_load_refuses_to_move_a_project_with_quota(db: None) -> None:
    load(read_site(SITE), now=NOW)
    Account.objects.create(
        offering=Offering.objects.get(slug="geneva.ca.vcpu"),
        holder=Holder.PROJECT,
        project=Project.objects.get(),
        balance=1,
    )
    text = changed("unit: atlas", "unit: it")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=LATER)

    assert [each.line for each in refused.value.problems] == [line_of(text, "  reco:")]
    assert Project.objects.get().unit.slug == "atlas"


def test_load_refuses_passwords_without_local_accounts(db: None, settings: Any) -> None:
    settings.LOCAL_ACCOUNTS = False
    text = changed("bob: Bob", "bob: {name: Bob, password: remit-demo}")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    assert [str(each) for each in refused.value.problems] == [
        f"line {line_of(text, '  bob:')}: bob has a password, but this site has no local accounts."
    ]


def test_load_gives_a_password_once(db: None) -> None:
    text = changed("bob: Bob", "bob: {name: Bob, password: remit-demo}")
    load(read_site(text), now=NOW)
    bob = User.objects.local("bob")
    assert bob.check_password("remit-demo")
    bob.set_password("my own choice")
    bob.save(update_fields=["password"])

    load(read_site(text), now=LATER)

    assert User.objects.local("bob").check_password("my own choice")
    assert not User.objects.local("alice").has_usable_password()


def test_load_holidays_is_complete_for_days_to_come(db: None) -> None:
    days = 'holidays:\n  2026-11-02: "All Souls"\n  2026-12-25: Christmas\n  2026-12-31: Eve\n'
    load(read_site(SITE + days), now=NOW)
    Holiday.objects.filter(on="2026-12-31").update(name="Old")

    changes = load(read_site(SITE + "holidays:\n  2026-12-31: Eve\n"), now=NOW)

    assert [(str(each.on), each.name) for each in Holiday.objects.all()] == [
        ("2026-11-02", "All Souls"), ("2026-12-31", "Eve"),
    ]  # fmt: skip
    assert len(changes.found) == 2


def test_load_without_holidays_leaves_them(db: None) -> None:
    load(read_site(SITE + "holidays:\n  2026-12-25: Christmas\n"), now=NOW)
    load(read_site(SITE), now=NOW)
    assert Holiday.objects.count() == 1


def test_read_refuses_a_day_that_is_none(db: None) -> None:
    with pytest.raises(Refused, match="is no day"):
        read_site(SITE + "holidays:\n  Christmas: Christmas\n")
