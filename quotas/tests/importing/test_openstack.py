"""Projects of a real OpenStack of two releases are taken over, and nothing there changes."""

import io
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from contrib.testing.clouds import OpenstackSite
from projects.models import Membership, Project, User
from quotas.delivery.converge import converge
from quotas.models import Drift, Endpoint, HolderHandle, Target
from quotas.queries.accounts import audit
from quotas.states import DriftKind, TargetState
from quotas.tests.importing.test_import import run
from quotas.tests.importing.town import quotas_of
from quotas.tests.stage import set_up_site

pytestmark = [pytest.mark.needs("openstack"), pytest.mark.django_db]
GIB = 2**30

RULES = """
rules:
  - {name: "NAME-*", unit: cm}
  - {name: "*", leave_out: true}
split: {"nova-*.*": compute-a}
room: {"*": issue}
accept: [no owner, unknown role]
"""


def limits(site: OpenstackSite, project_id: str) -> list[dict[str, Any]]:
    return [
        read(region, project_id)
        for region in site.regions
        for read in (site.plain.compute_limits, site.plain.volume_limits)
    ]


def test_real_projects_are_taken_over_without_a_write(
    openstack_site: OpenstackSite, tmp_path: Path, settings: Settings
) -> None:
    settings.CLOUDS_YAML = str(openstack_site.clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 30
    set_up_site(openstack_site, tmp_path)
    Target.objects.all().delete()  # of the project in the site's file
    plain, name = openstack_site.plain, f"old-{uuid.uuid4().hex[:8]}"
    alice = plain.new_user(f"{name}-alice")
    HolderHandle.objects.create(
        user=User.objects.get(subject="alice"), external_id=alice,
        identity=Endpoint.objects.get(slug="keystone"),
    )  # fmt: skip
    ids = {}
    for each in ("told", "default"):
        body = {"project": {"name": f"{name}-{each}", "domain_id": "default", "tags": ["by-hand"]}}
        ids[each] = plain.done("POST", "identity", "/projects", body)["project"]["id"]
    roles = {row["name"]: row["id"] for row in plain.done("GET", "identity", "/roles")["roles"]}
    path = f"/projects/{ids['told']}/users/{alice}/roles/{roles['member']}"
    plain.done("PUT", "identity", path)
    types = openstack_site.volume_types[:2]
    told = {
        **{f"gigabytes_{each}": 500 for each in types}, **{f"volumes_{each}": 5 for each in types}
    }  # fmt: skip
    for region in openstack_site.regions:
        plain.done(
            "PUT", "volumev3", f"/os-quota-sets/{ids['told']}", {"quota_set": told}, region=region
        )
    openstack_site.set_instances(openstack_site.regions[0], ids["told"], 2)
    before = {each: limits(openstack_site, ids[each]) for each in ids}

    code, said = run(answers=RULES.replace("NAME", name), folder=tmp_path)
    # What Cinder leaves unlimited waits for an answer.
    assert (code, "unlimited: " in said) == (1, True), said
    vcpu = {f"{region}.compute-a.vcpu": 20 for region in openstack_site.regions}
    assert vcpu.items() <= quotas_of(f"{name}-told").items()
    one = openstack_site.regions[0]
    assert quotas_of(f"{name}-told")[f"{one}.storage-b.space"] == 500 * GIB
    assert f"{one}.storage-b.space" not in quotas_of(f"{name}-default")
    project = Project.objects.get(name=f"{name}-told")
    assert [str(each.user) for each in Membership.objects.filter(project=project)] == [
        "Alice Meyer"
    ]
    for pk in Target.objects.exclude(next_try_at=None).order_by("pk").values_list("pk", flat=True):
        converge(pk)
    states = Target.objects.order_by("pk").values_list("state", flat=True)
    assert set(states) == {TargetState.APPLIED}
    kinds = Drift.objects.filter(ended_at=None).order_by("pk").values_list("kind", flat=True)
    assert DriftKind.UNLIMITED in set(kinds)
    for each, external_id in ids.items():
        found = plain.project(external_id)
        tag = Project.objects.get(name=f"{name}-{each}").tag
        assert found is not None
        assert sorted(found["tags"]) == sorted(["by-hand", tag])
        assert limits(openstack_site, external_id) == before[each]
    assert audit() == []
    assert "Nothing to do" in run(answers=RULES.replace("NAME", name), folder=tmp_path)[1]
    call_command("audit_ledger", stdout=io.StringIO())
