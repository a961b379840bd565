"""Asking for a project over REST: what is made, what a dry run tells, what lists show of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from projects.models import Membership, Project, ProjectAct
from projects.states import ProjectActKind, ProjectState, Role
from quotas.models import Preset, PresetLine, QuotaRequest
from quotas.tests.api import approval, caller, refusal
from quotas.tests.rehearsing import DRY, done, plan, route, send
from quotas.tests.site import GIB, Site, make_group
from quotas.tests.test_proposing import opens_projects


@pytest.fixture
def site(site_today: Site) -> Site:
    opens_projects(site_today, "otto", "erin")
    preset = Preset.objects.create(slug="small", name="Small", region=site_today.vcpu.zone.region)
    PresetLine.objects.create(preset=preset, offering=site_today.vcpu, increase=4)
    return site_today


def wanted(site: Site, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Higgs Reco", "purpose": "Reconstruction of 2026 data.", "unit": "atlas",
        "presets": ["small"], "lines": {site.space.slug: 3 * GIB},
        "members": [member("person", site.bob), member("group", make_group("reco", site.rita))],
    } | changes  # fmt: skip


def member(kind: str, holder: Any, role: Role = Role.MEMBER) -> dict[str, Any]:
    return {"holder": {"kind": kind, "id": str(holder.public_id)}, "role": role.value}


def test_a_stranger_asks_for_a_project_and_it_is_decided_as_any_request(site: Site) -> None:
    mallory, erin = caller(site, "mallory"), caller(site, "erin")
    made = done(mallory, "projects/", wanted(site))
    assert (made["state"], made["slug"], made["roles"]) == ("proposed", "higgs-reco", ["owner"])
    lines = {each["offering"]: each["wanted"] for each in made["request"]["lines"]}
    assert lines == {site.vcpu.slug: 4, site.space.slug: 3 * GIB}
    assert made["request"]["reason"] == made["purpose"]
    held = Membership.objects.filter(project__slug="higgs-reco").order_by("pk")
    assert list(held.values_list("user__subject", "group__name", "role")) == [
        ("mallory", None, "owner"), ("bob", None, "member"), (None, "reco", "member"),
    ]  # fmt: skip
    asked = QuotaRequest.objects.get(pk=made["request"]["id"])
    done(erin, f"requests/{asked.pk}/approve/", approval(site, asked, seen={
        str(line.pk): 0 for line in asked.lines.all()
    }))  # fmt: skip
    assert mallory.get("projects/higgs-reco/").json()["state"] == "active"


def test_a_dry_run_tells_what_is_then_done(site: Site) -> None:
    mallory = caller(site, "mallory")
    body = wanted(site)
    found = plan(mallory, "projects/", body)
    assert found["project"] == {
        "slug": "higgs-reco", "name": "Higgs Reco", "unit": "atlas", "state": "proposed",
    }  # fmt: skip
    made = done(mallory, "projects/", body)
    assert made["slug"] == found["project"]["slug"]
    waiting = mallory.get(f"requests/{made['request']['id']}/waiting/").json()["lines"]
    assert [route(each["waits"]) for each in found["lines"]] == [route(each) for each in waiting]
    assert {(each["promised"], each["after"]) for each in found["limits"]} == {(0, 0)}


def test_the_same_key_makes_one_project(site: Site) -> None:
    mallory, body = caller(site, "mallory"), wanted(site)
    key = {"Idempotency-Key": "higgs-1"}
    first, second = (send(mallory, "projects/", body, **key) for _each in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Project.objects.filter(name="Higgs Reco").count() == 1


def pointers(answer: Any) -> set[str]:
    return {each["pointer"] for each in answer.json()["errors"]}


def test_everything_wrong_is_told_at_once_and_by_its_field(site: Site) -> None:
    mallory, body = caller(site, "mallory"), wanted(site)
    answer = mallory.post("projects/", body | {
        "unit": "nowhere", "presets": ["huge"], "members": [member("group", site.bob)] * 2,
    })  # fmt: skip
    assert refusal(answer) == (422, "invalid")
    assert pointers(answer) == {"#/unit", "#/presets", "#/members/0", "#/members/1"}
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    answer = mallory.post("projects/", body | {
        "name": site.project.name.upper(), "purpose": "", "ends_on": yesterday, "presets": [],
        "lines": {},
    })  # fmt: skip
    assert pointers(answer) == {"#/name", "#/purpose", "#/ends_on", "#/lines"}
    answer = mallory.post("projects/" + DRY, body | {"name": "a/b"})
    assert pointers(answer) == {"#/name"}


def test_a_dropped_project_is_listed_only_for_who_asks_or_keeps_a_copy(
    committed_site: Site,
) -> None:
    mallory = caller(committed_site, "mallory")
    marker = mallory.get("projects/").json()["updated_until"]
    made = done(mallory, "projects/", wanted(committed_site, presets=[]))
    done(mallory, f"requests/{made['request']['id']}/withdraw/", {})
    slug = Project.objects.get(state=ProjectState.DROPPED).slug

    def listed(**query: str) -> list[str]:
        return [each["slug"] for each in mallory.get("projects/", **query).json()["results"]]

    assert listed() == []
    assert listed(state="dropped") == listed(updated_since=marker) == [slug]


def test_projects_are_narrowed_by_kind_and_by_when_they_end(site: Site) -> None:
    mallory, day = caller(site, "mallory"), timezone.localdate() + timedelta(days=9)
    done(mallory, "projects/", wanted(site, ends_on=day.isoformat()))
    for query, found in (
        ({"ends_by": day.isoformat()}, ["higgs-reco"]),
        ({"ends_by": (day - timedelta(days=1)).isoformat()}, []),
        ({"kind": "personal"}, []),
        ({"kind": "shared", "state": "proposed"}, ["higgs-reco"]),
    ):
        rows = mallory.get("projects/", **query).json()["results"]
        assert [each["slug"] for each in rows] == found, query


def test_a_proposed_project_gets_another_name_for_the_version_that_was_seen(site: Site) -> None:
    mallory, bob = caller(site, "mallory"), caller(site, "bob")
    made = done(mallory, "projects/", wanted(site))
    path = "projects/higgs-reco/rename/"
    assert refusal(bob.post(path, {"name": "Mine", "version": 1})) == (403, "forbidden")
    assert refusal(mallory.post(path, {"name": "Other"})) == (428, "precondition_required")
    taken = mallory.post(path, {"name": "ATLAS-reco", "version": made["version"]})
    assert pointers(taken) == {"#/name"}
    tag = mallory.get("projects/higgs-reco/").headers["ETag"]
    answer = send(mallory, path, {"name": "Higgs 2026"}, **{"If-Match": tag})
    assert (answer.status_code, answer.json()["name"]) == (200, "Higgs 2026")
    assert refusal(send(mallory, path, {"name": "Other"}, **{"If-Match": tag})) == (412, "stale")
    assert ProjectAct.objects.get(kind=ProjectActKind.RENAME).data == {
        "before": "Higgs Reco", "after": "Higgs 2026",
    }  # fmt: skip
