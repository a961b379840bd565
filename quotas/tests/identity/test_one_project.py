"""A project is in Keystone once, ours by its tag, and made again only when somebody asked."""

from django.db.models.functions import Now

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from quotas.delivery import leases
from quotas.delivery.converge import work
from quotas.models import Drift, KeptLimit, Limit, ProjectHandle, Reading, Target
from quotas.states import DriftEnd, DriftKind, KeptWhy, TargetState
from quotas.tests.identity.steps import at, handle, known, run, set_role
from quotas.tests.site import NOW, Site

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
    # An import kept one as it was in the old one.
    limit = Limit.objects.get(endpoint__slug="nova-geneva", key="cores")
    KeptLimit.objects.create(
        target=at("nova-geneva", site), limit=limit, why=KeptWhy.TOTAL, seen=7, kept_at=NOW
    )
    asked(site)
    assert run(site).state == TargetState.APPLIED
    assert [row["id"] for row in plain.projects_with(site.project.tag)] == [handle()]
    assert handle() != old
    assert plain.granted(handle()) == {("user", ids["alice"], "member")}
    service = at("nova-geneva", site)
    assert (service.state, service.generation) == (TargetState.DUE, generation + 1)
    assert Reading.objects.filter(target=service).count() == 0
    assert not KeptLimit.objects.exists()
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
