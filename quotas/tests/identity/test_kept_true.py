"""Name, description and enabled follow what is done here; a closed project is let go of."""

import pytest
from django.db.models import F
from django.db.models.functions import Now

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from projects.actions.projects import describe_project
from projects.models import Event, Notice, Project, ProjectAct
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.actions import lives
from quotas.actions.opening import rename
from quotas.delivery import closing
from quotas.delivery.observe import observe
from quotas.models import Drift, Endpoint, ProjectHandle, RoleGrant, Target
from quotas.states import TargetState
from quotas.tests.identity.steps import at, handle, known, row, run, set_role
from quotas.tests.site import NOW, Site, make_project


@pytest.fixture
def _standing(site: Site) -> None:
    """Everything stands in the cloud."""
    for endpoint in ("keystone", "nova-geneva", "cinder-geneva"):
        assert run(site, endpoint).state == TargetState.APPLIED


def change(plain: PlainClient, **fields: object) -> None:
    plain.done("PATCH", "identity", f"/projects/{handle()}", {"project": fields})


def suspend(site: Site) -> None:
    lives.suspend(project=site.project, reason="found mining", actor=site.otto, now=NOW)


def look(site: Site, endpoint: str = "keystone") -> Target:
    Target.objects.filter(endpoint__slug=endpoint).update(looked_at=None)
    observe(at(endpoint, site).pk)
    return at(endpoint, site)


# --- suspended and resumed --------------------------------------------------------------


@pytest.mark.usefixtures("_standing")
def test_a_suspended_project_is_disabled_and_no_drift(site: Site, plain: PlainClient) -> None:
    suspend(site)
    assert at("keystone", site).state == TargetState.DUE
    assert run(site).state == TargetState.APPLIED
    assert row(plain)["enabled"] is False
    assert look(site).state == TargetState.APPLIED
    assert look(site, "nova-geneva").state == TargetState.APPLIED
    assert run(site, "nova-geneva").state == TargetState.APPLIED
    assert Drift.objects.count() == 0
    lives.resume(project=site.project, actor=site.otto, now=NOW)
    assert run(site).state == TargetState.APPLIED
    assert row(plain)["enabled"] is True
    assert ProjectHandle.objects.get().disabled_at is None


@pytest.mark.usefixtures("_standing")
def test_who_enables_a_suspended_project_outside_does_not_for_long(
    site: Site, plain: PlainClient
) -> None:
    suspend(site)
    run(site)
    change(plain, enabled=True)
    assert look(site).state == TargetState.DUE
    run(site)
    assert row(plain)["enabled"] is False


@pytest.mark.usefixtures("_standing")
def test_what_others_disabled_stays_theirs_to_enable(site: Site, plain: PlainClient) -> None:
    change(plain, enabled=False)
    suspend(site)
    assert run(site).state == TargetState.APPLIED
    lives.resume(project=site.project, actor=site.otto, now=NOW)
    assert run(site).error_code == "project_disabled"
    assert row(plain)["enabled"] is False


def test_a_project_that_is_suspended_before_it_is_made_is_made_disabled(
    site: Site, plain: PlainClient
) -> None:
    suspend(site)
    assert run(site).state == TargetState.APPLIED
    assert row(plain)["enabled"] is False
    lives.resume(project=site.project, actor=site.otto, now=NOW)
    run(site)
    assert row(plain)["enabled"] is True


@pytest.mark.usefixtures("_standing")
def test_a_yes_that_disables_nothing_is_refused(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    suspend(site)
    cloud.add_fault("ignore", service="identity", method="PATCH", count=1)
    assert run(site).error_code == "not_taken"
    assert run(site).state == TargetState.APPLIED
    assert row(plain)["enabled"] is False


# --- name and description ---------------------------------------------------------------


@pytest.mark.usefixtures("_standing")
def test_a_description_written_here_is_written_there(site: Site, plain: PlainClient) -> None:
    describe_project(project=site.project, description="anew", actor=site.alice, now=NOW)
    run(site)
    assert row(plain)["description"] == "anew"
    change(plain, description="by hand")
    assert look(site).state == TargetState.APPLIED
    run(site)
    assert row(plain)["description"] == "by hand"
    Endpoint.objects.filter(slug="keystone").update(drift_policy="restore")
    assert look(site).state == TargetState.DUE
    run(site)
    assert row(plain)["description"] == "anew"


def renamed(site: Site) -> str:
    name = f"{site.project.name}-anew"
    Project.objects.filter(pk=site.project.pk).update(name=name)
    return name


@pytest.mark.usefixtures("_standing")
def test_a_project_renamed_here_is_renamed_there_and_no_drift(
    site: Site, plain: PlainClient
) -> None:
    before = site.project.name
    name = renamed(site)
    assert look(site).state == TargetState.DUE
    assert Drift.objects.count() == 0
    assert run(site).state == TargetState.APPLIED
    assert row(plain)["name"] == name != before
    assert Drift.objects.count() == 0
    change(plain, name=before)
    run(site)
    assert row(plain)["name"] == before, "renamed outside: somebody may have meant it"
    assert Drift.objects.get().ended_at is None
    change(plain, name=name)


@pytest.mark.usefixtures("_standing")
def test_a_name_that_is_taken_keeps_nothing_else_from_being_done(
    site: Site, plain: PlainClient
) -> None:
    body = {"name": f"{site.project.name}-anew", "domain_id": "default"}
    theirs = plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"]
    renamed(site)
    set_role(site)
    ids = known(site, plain, "alice")
    suspend(site)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "name_taken")
    assert row(plain)["enabled"] is False
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}
    plain.done("DELETE", "identity", f"/projects/{theirs}")
    assert run(site).state == TargetState.APPLIED
    plain.done("DELETE", "identity", f"/projects/{handle()}")


def test_owners_and_managers_are_told_once_for_each_name_that_is_taken(
    site: Site, plain: PlainClient
) -> None:
    project = site.project
    ProjectAct.objects.create(
        project=project, kind=ProjectActKind.PROPOSE, actor=site.alice, at=NOW
    )
    ids = []
    for name in (project.name, f"{project.name}-2"):
        body = {"name": name, "domain_id": "default"}
        ids.append(plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"])
    for _ in range(2):
        assert run(site).error_code == "name_taken"
    told = Notice.objects.filter(kind=NoticeKind.NAME_TAKEN)
    assert told.get().person == site.alice
    rename(
        project=project, name=f"{project.name}-2", version=project.version, actor=site.alice,
        now=NOW,
    )  # fmt: skip
    assert run(site).error_code == "name_taken"
    assert told.count() == 2
    assert Event.objects.filter(verb="name taken").count() == 2
    for each in ids:
        plain.done("DELETE", "identity", f"/projects/{each}")
    assert run(site).state == TargetState.APPLIED
    plain.done("DELETE", "identity", f"/projects/{handle()}")


def test_a_clash_of_a_project_that_stood_before_remit_is_for_operators_alone(
    site: Site, plain: PlainClient
) -> None:
    body = {"name": site.project.name, "domain_id": "default"}
    plain.done("POST", "identity", "/projects", {"project": body})
    assert run(site).error_code == "name_taken"
    assert Notice.objects.filter(kind=NoticeKind.NAME_TAKEN).count() == 0


# --- closed -----------------------------------------------------------------------------


def close(site: Site) -> None:
    Project.objects.filter(pk=site.project.pk).update(state=ProjectState.CLOSED)
    lives.wake_identities(site.project)


def test_a_closed_project_is_disabled_its_roles_gone_and_its_id_forgotten(
    site: Site, plain: PlainClient
) -> None:
    set_role(site)
    ids = known(site, plain, "alice", "bob")
    for endpoint in ("keystone", "nova-geneva", "cinder-geneva"):
        run(site, endpoint)
    external_id = handle()
    close(site)
    assert run(site).state == TargetState.APPLIED
    there = plain.project(external_id)
    assert there is not None
    assert there["enabled"] is False
    assert plain.granted(external_id) == set()
    assert RoleGrant.objects.count() == ProjectHandle.objects.count() == 0
    # Nothing brings it back.
    for endpoint in ("keystone", "nova-geneva"):
        assert run(site, endpoint).state == TargetState.APPLIED
    assert len(plain.projects_with(site.project.tag)) == 1
    assert len(ids) == 2


def test_its_id_is_kept_until_its_services_are_done(site: Site, plain: PlainClient) -> None:
    Endpoint.objects.filter(slug="keystone").update(options={"delete_closed": True})
    run(site)
    run(site, "nova-geneva")
    close(site)
    assert run(site).state == TargetState.APPLIED
    external_id = handle()
    assert closing.wake_closed() == 0
    run(site, "cinder-geneva")
    assert closing.wake_closed() == 1
    assert run(site).state == TargetState.APPLIED
    assert ProjectHandle.objects.count() == 0
    assert plain.project(external_id) is None


def test_those_that_wait_for_a_service_keep_no_other_from_being_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "FINISHED_AT_ONCE", 1)
    other = make_project(site, "atlas-sim", "atlas", NOW)
    identity = Endpoint.objects.get(slug="keystone")
    for project in (site.project, other):
        ProjectHandle.objects.create(
            project=project, identity=identity, external_id=project.slug, created_at=NOW
        )
    Project.objects.update(state=ProjectState.CLOSED)
    Target.objects.update(state=TargetState.APPLIED, applied_generation=F("generation"))
    Target.objects.filter(project=site.project, endpoint__slug="nova-geneva").update(
        state=TargetState.REFUSED
    )
    assert closing.wake_closed() == 1
    assert Target.objects.get(project=other, endpoint=identity).state == TargetState.DUE


def test_a_deletion_that_is_none_is_refused(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    Endpoint.objects.filter(slug="keystone").update(options={"delete_closed": True})
    for endpoint in ("keystone", "nova-geneva", "cinder-geneva"):
        run(site, endpoint)
    close(site)
    cloud.add_fault("status", status=503, service="identity", method="DELETE", count=1)
    assert run(site).state == TargetState.DIRTY
    assert ProjectHandle.objects.count() == 1
    Target.objects.filter(state=TargetState.DIRTY).update(
        state=TargetState.DUE, dirty_until=None, next_try_at=Now()
    )
    assert run(site).state == TargetState.APPLIED
    assert plain.projects_with(site.project.tag) == []
