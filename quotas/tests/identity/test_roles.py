"""The people of a project hold the role in Keystone, and nobody else is touched."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from projects.models import Membership
from projects.states import Role
from quotas.models import HolderHandle, RoleGrant, Target
from quotas.queries.holders import missing_holders
from quotas.states import TargetState
from quotas.tests.identity.steps import handle, known, run, set_role
from quotas.tests.site import NOW, Site, join, make_group


def test_everybody_above_reader_whom_keystone_knows_is_granted_the_role(
    site: Site, plain: PlainClient
) -> None:
    set_role(site)
    ids = known(site, plain, "alice", "bob", "rita", "mallory")
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {
        ("user", ids["alice"], "member"), ("user", ids["bob"], "member"),
    }  # fmt: skip
    assert RoleGrant.objects.filter(granted_at__isnull=False).count() == 2


def test_a_group_holds_the_role_as_a_group(site: Site, plain: PlainClient) -> None:
    set_role(site)
    group = make_group("students", site.mallory)
    join(site.project, group, Role.MEMBER, NOW)
    external_id = plain.new_group(f"students-{site.project.public_id.hex[:8]}")
    HolderHandle.objects.create(
        group=group, identity=site.endpoints["keystone"], external_id=external_id
    )
    run(site)
    assert plain.granted(handle()) == {("group", external_id, "member")}


def test_without_a_role_in_the_options_nobody_is_asked(site: Site, plain: PlainClient) -> None:
    known(site, plain, "alice")
    run(site)
    assert plain.granted(handle()) == set()
    assert RoleGrant.objects.count() == 0


def test_who_has_no_id_waits_and_nothing_fails(site: Site, plain: PlainClient) -> None:
    set_role(site)
    ids = known(site, plain, "alice")
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}
    waiting = missing_holders(site.project, NOW)
    assert [(each.holder, each.role) for each in waiting] == [(site.bob, "member")]


def test_who_left_is_granted_nothing(site: Site, plain: PlainClient) -> None:
    set_role(site)
    ids = known(site, plain, "alice", "bob")
    Membership.objects.filter(user=site.bob).update(
        starts_at=NOW - timedelta(days=2), ends_at=NOW - timedelta(days=1)
    )
    run(site)
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}


def test_roles_of_others_are_neither_noted_nor_touched(site: Site, plain: PlainClient) -> None:
    run(site)
    set_role(site)
    ids = known(site, plain, "alice", "bob")
    stranger = plain.new_user(f"stranger-{site.project.public_id.hex[:8]}")
    roles = {row["name"]: row["id"] for row in plain.done("GET", "identity", "/roles")["roles"]}
    for who, role in ((ids["alice"], "member"), (ids["alice"], "reader"), (stranger, "admin")):
        plain.done("PUT", "identity", f"/projects/{handle()}/users/{who}/roles/{roles[role]}")
    run(site)
    assert plain.granted(handle()) == {
        ("user", ids["alice"], "member"), ("user", ids["alice"], "reader"),
        ("user", stranger, "admin"), ("user", ids["bob"], "member"),
    }  # fmt: skip
    assert [each.holder.user for each in RoleGrant.objects.all()] == [site.bob]


def test_one_whom_keystone_does_not_know_holds_up_no_other(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    set_role(site)
    ids = known(site, plain, "alice", "bob")
    HolderHandle.objects.filter(user=site.alice).update(external_id="nobody")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "holder_gone")
    assert target.error_words == ("Keystone does not know everybody: Could not find user: nobody.")
    assert plain.granted(handle()) == {("user", ids["bob"], "member")}
    assert [each.holder.user for each in RoleGrant.objects.all()] == [site.bob]


def test_an_unknown_role_refuses_the_identity_target_and_no_service(
    site: Site, plain: PlainClient
) -> None:
    set_role(site, "wizard")
    known(site, plain, "alice")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "unknown_role")
    assert target.error_words == "this Keystone has no role called 'wizard'"
    assert run(site, "nova-geneva").state == TargetState.APPLIED


def test_a_grant_that_is_not_listed_afterwards_is_refused(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    run(site)
    set_role(site)
    known(site, plain, "alice")
    cloud.add_fault("ignore", service="identity", method="PUT", path="/roles/")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "role_not_taken")
    assert RoleGrant.objects.get().granted_at is None


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        ({"kind": "status", "status": 503}, TargetState.DIRTY, "unavailable"),
        ({"kind": "status", "status": 409}, TargetState.RETRYING, "conflict"),
        ({"kind": "drop_after"}, TargetState.DIRTY, "dropped"),
    ],
)
def test_a_grant_that_fails_is_noted_and_granted_once_in_the_end(
    site: Site,
    cloud: RunningSandbox,
    plain: PlainClient,
    fault: dict[str, Any],
    state: TargetState,
    code: str,
) -> None:
    run(site)
    set_role(site)
    ids = known(site, plain, "alice")
    cloud.add_fault(service="identity", method="PUT", path="/roles/", count=1, **fault)
    target = run(site)
    assert (target.state, target.error_code) == (state, code)
    assert RoleGrant.objects.get().granted_at is None
    Target.objects.update(state=TargetState.DUE, dirty_until=None, next_try_at=Now())
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}
    assert RoleGrant.objects.get().granted_at is not None


def test_a_role_that_somebody_took_away_is_granted_again(site: Site, plain: PlainClient) -> None:
    set_role(site)
    ids = known(site, plain, "alice")
    run(site)
    role = next(iter(plain.done("GET", "identity", "/roles?name=member")["roles"]))["id"]
    plain.done("DELETE", "identity", f"/projects/{handle()}/users/{ids['alice']}/roles/{role}")
    run(site)
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}


def test_a_second_look_grants_nothing(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    set_role(site)
    known(site, plain, "alice")
    run(site)
    cloud.forget_calls()
    assert run(site).state == TargetState.APPLIED
    assert cloud.calls(service="identity", method="PUT") == []
