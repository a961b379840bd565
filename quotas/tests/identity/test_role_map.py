"""Roles by the endpoint's map: granted, changed with the membership, taken back where ours."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from projects.models import Group, Membership, User
from projects.states import Role
from quotas.actions.members import change_role
from quotas.delivery import roles
from quotas.models import Endpoint, HolderHandle, RoleGrant, Target
from quotas.states import TargetState
from quotas.tests.identity.steps import at, handle, known, run
from quotas.tests.site import NOW, Site, join, make_group

MAP = {"owner": ["member", "reader"], "manager": ["member"], "member": ["member"]}


@pytest.fixture(autouse=True)
def _map(site: Site) -> None:
    set_map(MAP)


def set_map(roles: dict[str, list[str]]) -> None:
    Endpoint.objects.filter(slug="keystone").update(options={"roles": roles})


def give(site: Site, role: Role | None, user: User | None, group: Group | None = None) -> None:
    """As the page does it: the membership of before ends with the new one."""
    change_role(site.project, role, user=user, group=group, actor=site.alice, now=NOW)


def grant_by_hand(plain: PlainClient, user_id: str, role: str) -> None:
    rows = {row["name"]: row["id"] for row in plain.done("GET", "identity", "/roles")["roles"]}
    plain.done("PUT", "identity", f"/projects/{handle()}/users/{user_id}/roles/{rows[role]}")


def test_each_role_in_the_project_is_the_roles_of_the_map(site: Site, plain: PlainClient) -> None:
    ids = known(site, plain, "alice", "bob", "rita")
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {
        ("user", ids["alice"], "member"), ("user", ids["alice"], "reader"),
        ("user", ids["bob"], "member"),
    }  # fmt: skip
    assert RoleGrant.objects.filter(granted_at__isnull=False).count() == 3


def test_a_reader_holds_what_the_map_says_of_readers(site: Site, plain: PlainClient) -> None:
    set_map({"reader": ["reader"]})
    ids = known(site, plain, "alice", "rita")
    run(site)
    assert plain.granted(handle()) == {("user", ids["rita"], "reader")}


def test_who_gets_another_role_holds_that_alone(site: Site, plain: PlainClient) -> None:
    join(site.project, site.erin, Role.OWNER, NOW - timedelta(days=1))
    ids = known(site, plain, "alice", "erin")
    run(site)
    give(site, Role.MEMBER, site.alice)
    assert at("keystone", site).state == TargetState.DUE
    run(site)
    assert plain.granted(handle()) == {
        ("user", ids["alice"], "member"),
        ("user", ids["erin"], "member"), ("user", ids["erin"], "reader"),
    }  # fmt: skip
    assert RoleGrant.objects.filter(holder__user=site.alice).get().role == "member"


def test_who_left_holds_nothing_of_ours_and_keeps_what_others_gave(
    site: Site, plain: PlainClient
) -> None:
    ids = known(site, plain, "alice", "bob")
    run(site)
    grant_by_hand(plain, ids["bob"], "reader")
    give(site, None, site.bob)
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {
        ("user", ids["alice"], "member"), ("user", ids["alice"], "reader"),
        ("user", ids["bob"], "reader"),
    }  # fmt: skip
    assert not RoleGrant.objects.filter(holder__user=site.bob).exists()


def test_a_role_that_was_there_before_is_not_ours_to_take(site: Site, plain: PlainClient) -> None:
    """Somebody gave it for a reason of theirs, which does not end with the membership here."""
    run(site)
    ids = known(site, plain, "bob")
    grant_by_hand(plain, ids["bob"], "member")
    run(site)
    assert RoleGrant.objects.count() == 0
    give(site, None, site.bob)
    run(site)
    assert plain.granted(handle()) == {("user", ids["bob"], "member")}


def test_a_role_of_their_own_and_one_of_their_group_are_two(site: Site, plain: PlainClient) -> None:
    group = make_group("students", site.bob)
    join(site.project, group, Role.MEMBER, NOW - timedelta(days=1))
    group_id = plain.new_group(f"students-{site.project.public_id.hex[:8]}")
    HolderHandle.objects.create(
        group=group, identity=site.endpoints["keystone"], external_id=group_id
    )
    ids = known(site, plain, "bob")
    run(site)
    assert plain.granted(handle()) == {
        ("user", ids["bob"], "member"), ("group", group_id, "member")
    }  # fmt: skip
    give(site, None, site.bob)
    run(site)
    assert plain.granted(handle()) == {("group", group_id, "member")}


def test_who_has_another_id_holds_nothing_under_the_former(site: Site, plain: PlainClient) -> None:
    ids = known(site, plain, "bob")
    run(site)
    other = plain.new_user(f"bob-2-{site.project.public_id.hex[:8]}")
    HolderHandle.objects.filter(user=site.bob).update(external_id=other)
    run(site)
    assert plain.granted(handle()) == {("user", other, "member")}
    assert ids["bob"] != other


def test_another_map_takes_back_what_the_former_gave(site: Site, plain: PlainClient) -> None:
    ids = known(site, plain, "alice")
    run(site)
    set_map({"owner": ["reader"]})
    run(site)
    assert plain.granted(handle()) == {("user", ids["alice"], "reader")}
    Endpoint.objects.filter(slug="keystone").update(options={})
    run(site)
    assert plain.granted(handle()) == set()


def test_a_role_that_keystone_lacks_holds_up_no_other(site: Site, plain: PlainClient) -> None:
    set_map({"owner": ["wizard", "member"], "member": ["wizard", "member"]})
    ids = known(site, plain, "alice", "bob")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "unknown_role")
    assert plain.granted(handle()) == {
        ("user", ids["alice"], "member"), ("user", ids["bob"], "member")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"kind": "status", "status": 503}, TargetState.DIRTY),
        ({"kind": "drop_after"}, TargetState.DIRTY),
        ({"kind": "ignore"}, TargetState.REFUSED),
    ],
)
def test_taking_back_that_fails_is_done_in_the_end(
    site: Site, cloud: RunningSandbox, plain: PlainClient, fault: dict[str, Any],
    state: TargetState,
) -> None:  # fmt: skip
    ids = known(site, plain, "alice", "bob")
    run(site)
    give(site, None, site.bob)
    cloud.add_fault(service="identity", method="DELETE", path="/roles/", count=1, **fault)
    assert run(site).state == state
    assert RoleGrant.objects.filter(holder__user=site.bob).count() == 1
    Target.objects.update(state=TargetState.DUE, dirty_until=None, next_try_at=Now())
    assert run(site).state == TargetState.APPLIED
    assert {holder for _kind, holder, _role in plain.granted(handle())} == {ids["alice"]}
    assert RoleGrant.objects.filter(holder__user=site.bob).count() == 0


def test_a_note_of_a_call_that_may_yet_come_is_kept(site: Site, plain: PlainClient) -> None:
    """A worker that was killed may have asked for it a moment ago."""
    known(site, plain, "bob")
    run(site)
    give(site, None, site.bob)
    RoleGrant.objects.update(granted_at=None, asked_at=Now())
    rows = {row["name"]: row["id"] for row in plain.done("GET", "identity", "/roles")["roles"]}
    bob = HolderHandle.objects.get(user=site.bob).external_id
    plain.done("DELETE", "identity", f"/projects/{handle()}/users/{bob}/roles/{rows['member']}")
    run(site)
    assert RoleGrant.objects.count() == 1
    RoleGrant.objects.update(asked_at=NOW - timedelta(days=1))
    run(site)
    assert RoleGrant.objects.count() == 0


def test_more_than_one_attempt_can_do_is_done_by_the_next(
    site: Site, plain: PlainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "MOST_AT_ONCE", 2)
    ids = known(site, plain, "alice", "bob")
    assert run(site).state == TargetState.DUE
    assert run(site).state == TargetState.APPLIED
    assert len(plain.granted(handle())) == 3
    assert {holder for _kind, holder, _role in plain.granted(handle())} == set(ids.values())


def test_a_membership_that_time_ended_is_found_by_the_sweep(site: Site, plain: PlainClient) -> None:
    known(site, plain, "alice", "bob")
    run(site)
    assert roles.wake_strays() == 0
    Membership.objects.filter(user=site.bob).update(
        starts_at=NOW - timedelta(days=2), ends_at=NOW - timedelta(days=1)
    )
    assert roles.wake_strays() == 1
    assert at("keystone", site).state == TargetState.DUE
