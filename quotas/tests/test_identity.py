"""A project in Keystone: once, ours by its tag, with its people's roles, and put right."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from contrib.testing.clouds import SandboxSite
from contrib.testing.plain import PlainClient
from projects.models import Membership
from projects.states import Role
from quotas.actions.targets import wake_targets
from quotas.delivery import leases
from quotas.delivery.converge import converge, work
from quotas.models import (
    Drift,
    Endpoint,
    HolderHandle,
    ProjectHandle,
    Reading,
    RoleGrant,
    Target,
)
from quotas.queries.holders import missing_holders
from quotas.states import DriftEnd, DriftKind, TargetState
from quotas.tests.site import NOW, Site, join, make_group


@pytest.fixture
def cloud(sandbox: RunningSandbox, settings: Settings) -> RunningSandbox:
    settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 2
    return sandbox


@pytest.fixture
def plain(sandbox_site: SandboxSite) -> PlainClient:
    return sandbox_site.plain


@pytest.fixture(autouse=True)
def _clean_cloud(site: Site, cloud: RunningSandbox, plain: PlainClient) -> Iterator[None]:
    """No project of this name is left behind."""
    yield
    for row in plain.done("GET", "identity", f"/projects?name={site.project.name}")["projects"]:
        cloud.delete_project(row["id"])


def at(endpoint: str, site: Site) -> Target:
    return Target.objects.select_related("endpoint__identity", "project").get(
        project=site.project, endpoint__slug=endpoint
    )


def run(site: Site, endpoint: str = "keystone") -> Target:
    """Have the target worked on now; how it ends."""
    target = at(endpoint, site)
    wake_targets([target])
    converge(target.pk)
    return at(endpoint, site)


def handle() -> str:
    return ProjectHandle.objects.get().external_id


def set_role(site: Site, role: str = "member") -> None:
    Endpoint.objects.filter(slug="keystone").update(options={"role": role})


def known(site: Site, plain: PlainClient, *names: str) -> dict[str, str]:
    """Give these people an id in Keystone; {name: id}."""
    found = {}
    for name in names:
        found[name] = plain.new_user(f"{name}-{site.project.public_id.hex[:8]}")
        HolderHandle.objects.create(
            user=site.people[name], identity=site.endpoints["keystone"], external_id=found[name]
        )
    return found


# --- roles ------------------------------------------------------------------------------


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


# --- exactly one ------------------------------------------------------------------------


def test_a_worker_that_slept_stores_no_handle(site: Site, plain: PlainClient) -> None:
    """What it found may be gone by now; whoever has the target finds the project by its tag."""
    target = at("keystone", site)
    Target.objects.update(next_try_at=Now())
    sleeper = leases.take(target.pk)
    assert sleeper is not None
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.DUE, lease_token=None, lease_until=None
    )
    body = {"name": site.project.name, "tags": [site.project.tag], "domain_id": "default"}
    plain.done("POST", "identity", "/projects", {"project": body})
    work(sleeper)
    assert ProjectHandle.objects.count() == 0
    Target.objects.update(state=TargetState.DUE, dirty_until=None, next_try_at=Now())
    assert run(site).state == TargetState.APPLIED
    assert [row["id"] for row in plain.projects_with(site.project.tag)] == [handle()]


def test_two_projects_with_our_tag_are_refused_by_their_ids(site: Site, plain: PlainClient) -> None:
    ids = []
    for name in (site.project.name, f"{site.project.name}-2"):
        body = {"name": name, "tags": [site.project.tag], "domain_id": "default"}
        ids.append(plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"])
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "tag_twice")
    assert all(each in target.error_words for each in ids)
    for each in ids:
        plain.done("DELETE", "identity", f"/projects/{each}")


def made_and_renamed(site: Site, plain: PlainClient) -> str:
    """What a worker leaves that is killed before it stores the handle, renamed by somebody."""
    body = {"name": f"{site.project.name}-away", "tags": [site.project.tag], "domain_id": "default"}
    made = plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"]
    return str(made)


def test_a_renamed_project_that_the_search_by_tag_hides_is_found_all_the_same(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    made = made_and_renamed(site, plain)
    cloud.set_listing(1)
    assert run(site).state == TargetState.APPLIED
    assert handle() == made
    assert [row["id"] for row in plain.projects_with(site.project.tag)] == [made]
    assert Drift.objects.get().kind == DriftKind.PROJECT_RENAMED
    plain.done("DELETE", "identity", f"/projects/{made}")


def test_where_keystone_does_not_list_it_no_second_one_is_made(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    made = made_and_renamed(site, plain)
    cloud.set_listing(1, has_pages=False)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "list_truncated")
    assert "have its list_limit raised" in target.error_words
    cloud.reset()
    assert run(site).state == TargetState.APPLIED
    assert handle() == made
    assert [row["id"] for row in plain.projects_with(site.project.tag)] == [made]
    plain.done("DELETE", "identity", f"/projects/{made}")


# --- made again -------------------------------------------------------------------------


def asked(site: Site) -> None:
    Target.objects.filter(endpoint__slug="keystone").update(recreate_external_id=handle())


def test_a_deleted_project_is_made_again_once_somebody_asked(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    run(site)
    run(site, "nova-geneva")
    set_role(site)
    ids = known(site, plain, "alice")
    run(site)
    old, generation = handle(), at("nova-geneva", site).generation
    cloud.delete_project(old)
    assert run(site).error_code == "project_gone"
    assert handle() == old
    drift = Drift.objects.get(kind=DriftKind.PROJECT_MISSING)
    Drift.objects.update(restore_asked_at=NOW)
    asked(site)
    assert run(site).state == TargetState.APPLIED
    assert [row["id"] for row in plain.projects_with(site.project.tag)] == [handle()]
    assert handle() != old
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}
    service = at("nova-geneva", site)
    assert (service.state, service.generation) == (TargetState.DUE, generation + 1)
    assert Reading.objects.filter(target=service).count() == 0
    drift.refresh_from_db()
    assert drift.end == DriftEnd.RESTORED
    assert at("keystone", site).recreate_external_id == ""


def test_one_that_is_there_after_all_is_kept(site: Site, cloud: RunningSandbox) -> None:
    run(site)
    old = handle()
    asked(site)
    assert run(site).state == TargetState.APPLIED
    assert handle() == old
    assert at("keystone", site).recreate_external_id == ""


def test_a_wish_for_an_earlier_project_makes_no_new_one(site: Site, cloud: RunningSandbox) -> None:
    run(site)
    Target.objects.filter(endpoint__slug="keystone").update(recreate_external_id="an-earlier-one")
    cloud.delete_project(handle())
    assert run(site).error_code == "project_gone"


# --- put right --------------------------------------------------------------------------


def change(plain: PlainClient, **fields: object) -> None:
    plain.done("PATCH", "identity", f"/projects/{handle()}", {"project": fields})


def row(plain: PlainClient) -> dict[str, object]:
    found = plain.project(handle())
    assert found is not None
    return found


def test_a_renamed_and_disabled_project_is_left_until_somebody_asks(
    site: Site, plain: PlainClient
) -> None:
    run(site)
    change(plain, name=f"{site.project.name}-x", enabled=False)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "project_disabled")
    assert set(Drift.objects.values_list("kind", flat=True)) == {
        DriftKind.PROJECT_RENAMED, DriftKind.PROJECT_DISABLED,
    }  # fmt: skip
    Drift.objects.update(restore_asked_at=NOW)
    assert run(site).state == TargetState.APPLIED
    assert (row(plain)["name"], row(plain)["enabled"]) == (site.project.name, True)
    assert set(Drift.objects.values_list("end", flat=True)) == {DriftEnd.RESTORED}


def test_only_what_was_asked_for_is_put_right(site: Site, plain: PlainClient) -> None:
    run(site)
    change(plain, name=f"{site.project.name}-x", enabled=False)
    run(site)
    Drift.objects.filter(kind=DriftKind.PROJECT_DISABLED).update(restore_asked_at=NOW)
    assert run(site).state == TargetState.APPLIED
    assert (row(plain)["name"], row(plain)["enabled"]) == (f"{site.project.name}-x", True)
    cloud_name = row(plain)["name"]
    change(plain, name=site.project.name)
    assert cloud_name != site.project.name


def test_the_services_of_a_project_that_is_enabled_again_go_on(
    site: Site, plain: PlainClient
) -> None:
    run(site)
    change(plain, enabled=False)
    run(site)
    assert run(site, "nova-geneva").error_code == "project_disabled"
    Drift.objects.update(restore_asked_at=NOW)
    run(site)
    assert at("nova-geneva", site).state == TargetState.DUE


def test_a_name_that_another_has_taken_meanwhile_is_refused(site: Site, plain: PlainClient) -> None:
    run(site)
    change(plain, name=f"{site.project.name}-x")
    run(site)
    body = {"name": site.project.name, "domain_id": "default"}
    plain.done("POST", "identity", "/projects", {"project": body})
    Drift.objects.update(restore_asked_at=NOW)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "rename_refused")
    plain.done("DELETE", "identity", f"/projects/{handle()}")


def test_a_yes_that_changes_nothing_is_no_restore(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    run(site)
    change(plain, enabled=False)
    run(site)
    Drift.objects.update(restore_asked_at=NOW)
    cloud.add_fault("ignore", service="identity", method="PATCH")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "not_taken")
    assert Drift.objects.get().ended_at is None


# --- adopted ----------------------------------------------------------------------------


def stranger(site: Site, plain: PlainClient, **fields: object) -> str:
    """A project in Keystone that has our name and is not ours; its id."""
    body = {"name": site.project.name, "domain_id": "default", "description": "by hand", **fields}
    return str(plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"])


def wish(external_id: str) -> None:
    Target.objects.filter(endpoint__slug="keystone").update(adopt_external_id=external_id)


def test_who_has_the_name_is_kept_for_operators(site: Site, plain: PlainClient) -> None:
    other = stranger(site, plain, tags=["by-hand"])
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "name_taken")
    assert other in target.error_words
    assert target.name_taken_by == {
        "id": other, "name": site.project.name, "description": "by hand", "is_enabled": True,
        "tags": ["by-hand"],
    }  # fmt: skip
    assert ProjectHandle.objects.count() == 0


def test_an_adopted_project_carries_our_tag_beside_its_own(site: Site, plain: PlainClient) -> None:
    other = stranger(site, plain, tags=["by-hand"])
    run(site, "nova-geneva")
    run(site)
    wish(other)
    assert run(site).state == TargetState.APPLIED
    assert handle() == other
    assert sorted(row(plain)["tags"]) == sorted(["by-hand", site.project.tag])  # type: ignore[call-overload]  # a list
    target = at("keystone", site)
    assert (target.adopt_external_id, target.name_taken_by) == ("", {})
    assert at("nova-geneva", site).state == TargetState.DUE


def test_a_project_of_another_remit_is_not_adopted(site: Site, plain: PlainClient) -> None:
    other = stranger(site, plain, tags=["remit:of-another"])
    wish(other)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "adopt_refused")
    assert "remit:of-another" in target.error_words
    assert target.adopt_external_id == ""
    assert plain.project(other)["tags"] == ["remit:of-another"]  # type: ignore[index]  # it is there


def test_one_that_has_gone_meanwhile_is_not_adopted(site: Site, plain: PlainClient) -> None:
    wish("0" * 32)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "adopt_refused")
    # Nothing is in the way now.
    assert run(site).state == TargetState.APPLIED


def test_a_tag_whose_answer_was_lost_is_adopted_by_it(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    other = stranger(site, plain)
    wish(other)
    cloud.add_fault("drop_after", service="identity", method="PUT", path="/tags/", count=1)
    target = run(site)
    assert (target.state, target.adopt_external_id) == (TargetState.DIRTY, other)
    Target.objects.update(state=TargetState.DUE, dirty_until=None, next_try_at=Now())
    assert run(site).state == TargetState.APPLIED
    assert handle() == other


def test_a_tag_that_is_not_there_afterwards_is_no_adoption(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    wish(stranger(site, plain))
    cloud.add_fault("ignore", service="identity", method="PUT", path="/tags/")
    assert run(site).error_code == "adopt_refused"
    assert ProjectHandle.objects.count() == 0
