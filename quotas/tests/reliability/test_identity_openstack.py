"""A project's life in a real Keystone: adopted, given roles, put right, and made anew."""

import uuid

import pytest
from pytest_django import Settings

from contrib.testing.clouds import OpenstackSite
from projects.models import Project
from quotas.actions.targets import wake_targets
from quotas.delivery.converge import converge
from quotas.models import Drift, Endpoint, HolderHandle, ProjectHandle, RoleGrant, Target
from quotas.states import DriftEnd, TargetState
from quotas.tests.site import NOW, Site

pytestmark = pytest.mark.needs("openstack")


@pytest.fixture
def keystone(site: Site, openstack_site: OpenstackSite, settings: Settings) -> OpenstackSite:
    """The site's one identity endpoint is the real one, and its project has a name of its own."""
    settings.CLOUDS_YAML = str(openstack_site.clouds_yaml)
    Endpoint.objects.filter(slug="keystone").update(
        cloud=openstack_site.cloud,
        region_name=openstack_site.regions[0],
        options={"role": "member"},
    )
    Project.objects.filter(pk=site.project.pk).update(name=f"life-{uuid.uuid4().hex[:8]}")
    return openstack_site


def run(site: Site) -> Target:
    """Have the identity target worked on now; how it ends."""
    target = Target.objects.get(project=site.project, endpoint__slug="keystone")
    wake_targets([target])
    converge(target.pk)
    return Target.objects.get(pk=target.pk)


def test_a_project_is_adopted_given_roles_put_right_and_made_anew(
    site: Site, keystone: OpenstackSite
) -> None:
    plain, name = keystone.plain, site.project.name
    body = {"name": name, "domain_id": "default", "tags": ["by-hand"]}
    theirs = plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"]
    alice = plain.new_user(f"alice-{name}")
    HolderHandle.objects.create(
        user=site.alice, identity=site.endpoints["keystone"], external_id=alice
    )

    taken = run(site)
    assert (taken.error_code, taken.name_taken_by["id"]) == ("name_taken", theirs)
    Target.objects.filter(pk=taken.pk).update(adopt_external_id=theirs)
    assert run(site).state == TargetState.APPLIED
    adopted = plain.project(theirs)
    assert adopted is not None
    assert sorted(adopted["tags"]) == sorted(["by-hand", site.project.tag])
    assert plain.granted(theirs) == {("user", alice, "member")}
    assert RoleGrant.objects.get().granted_at is not None

    away = {"project": {"name": f"{name}-x", "enabled": False}}
    plain.done("PATCH", "identity", f"/projects/{theirs}", away)
    assert run(site).error_code == "project_disabled"
    Drift.objects.update(restore_asked_at=NOW)
    assert run(site).state == TargetState.APPLIED
    mended = plain.project(theirs)
    assert mended is not None
    assert (mended["name"], mended["enabled"]) == (name, True)
    assert set(Drift.objects.values_list("end", flat=True)) == {DriftEnd.RESTORED}

    plain.done("DELETE", "identity", f"/projects/{theirs}")
    assert run(site).error_code == "project_gone"
    Target.objects.filter(pk=taken.pk).update(recreate_external_id=theirs)
    assert run(site).state == TargetState.APPLIED
    made = ProjectHandle.objects.get().external_id
    assert made != theirs
    assert [row["id"] for row in plain.projects_with(site.project.tag)] == [made]
    assert plain.granted(made) == {("user", alice, "member")}
    plain.done("DELETE", "identity", f"/projects/{made}")


def test_who_and_what_keystone_does_not_know_is_said(site: Site, keystone: OpenstackSite) -> None:
    plain = keystone.plain
    bob = plain.new_user(f"bob-{site.project.name}")
    for user, external_id in ((site.alice, "0" * 32), (site.bob, bob)):
        HolderHandle.objects.create(
            user=user, identity=site.endpoints["keystone"], external_id=external_id
        )
    assert run(site).error_code == "holder_gone"
    project = ProjectHandle.objects.get().external_id
    assert plain.granted(project) == {("user", bob, "member")}
    Endpoint.objects.filter(slug="keystone").update(options={"role": "wizard"})
    assert run(site).error_code == "unknown_role"
    # What was ours by the former options is taken back.
    assert plain.granted(project) == set()
    plain.done("DELETE", "identity", f"/projects/{project}")
