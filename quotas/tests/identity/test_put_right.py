"""A project that was renamed or disabled in Keystone is put right when somebody asked."""

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from quotas.models import Drift
from quotas.states import DriftEnd, DriftKind, TargetState
from quotas.tests.identity.steps import at, handle, row, run
from quotas.tests.site import NOW, Site


def change(plain: PlainClient, **fields: object) -> None:
    plain.done("PATCH", "identity", f"/projects/{handle()}", {"project": fields})


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
