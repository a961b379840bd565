"""The form of a new project: what fills it, what comes back, what it makes."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Membership, Project
from projects.states import ProjectState, Role
from quotas.models import Preset, PresetLine, QuotaRequest
from quotas.tests.site import GIB, Site, make_group
from quotas.tests.test_project_adoption import name_taken
from quotas.tests.test_proposing import opens_projects

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(site_today: Site) -> Site:
    opens_projects(site_today, "otto", "erin")
    preset = Preset.objects.create(slug="small", name="Small", region=site_today.vcpu.zone.region)
    PresetLine.objects.create(preset=preset, offering=site_today.vcpu, increase=4)
    return site_today


def browser(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def typed(site: Site, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Higgs Reco", "purpose": "Reconstruction of 2026 data.", "unit": "atlas",
        f"amount-{site.space.slug}": "3G", "until": "stays", "do": "send",
        f"role-person:{site.bob.public_id}": "manager",
    } | changes  # fmt: skip


def test_what_is_sent_becomes_a_proposed_project_with_its_request(site: Site) -> None:
    answer = browser(site, "mallory").post(reverse("project_new"), typed(site))
    project = Project.objects.get(name="Higgs Reco")
    asked = QuotaRequest.objects.get(project=project)
    assert answer.headers["Location"] == reverse("request_detail", args=[asked.pk])
    assert project.state == ProjectState.PROPOSED
    assert asked.lines.get().wanted == 3 * GIB
    held = Membership.objects.filter(project=project).values_list("user__subject", "role")
    assert sorted(held) == [("bob", "manager"), ("mallory", "owner")]


def test_everything_wrong_is_told_at_once_and_what_was_typed_comes_back(site: Site) -> None:
    answer = browser(site, "mallory").post(reverse("project_new"), typed(
        site, name="ATLAS-RECO", purpose="", until="date", ends_on="2020-01-01",
        **{f"amount-{site.space.slug}": "many"},
    ))  # fmt: skip
    text = answer.content.decode()
    assert answer.status_code == 422
    for said in ("called ATLAS-RECO already", "Write a sentence", "That day is over", "many"):
        assert said in text
    assert 'value="ATLAS-RECO"' in text
    assert 'value="2020-01-01"' in text
    assert not QuotaRequest.objects.exists()


def test_a_link_fills_the_form_and_sends_nothing(site: Site) -> None:
    link = "?unit=it&preset=small&name=Higgs&purpose=Run+4&ends_on=2099-01-31"
    text = browser(site, "mallory").get(reverse("project_new") + link).content.decode()
    for filled in ('value="Higgs"', "Run 4", 'value="it" checked', 'value="2099-01-31"'):
        assert filled in text
    assert f'name="amount-{site.vcpu.slug}" value="4"' in text
    taken = browser(site, "mallory").get(reverse("project_new") + "?name=ATLAS-reco")
    assert "called ATLAS-reco already" in taken.content.decode()
    assert not QuotaRequest.objects.exists()
    wrong = browser(site, "mallory").get(reverse("project_new") + "?unit=nowhere&preset=huge")
    assert "no unit “nowhere”" in wrong.content.decode()
    assert "no preset “huge”" in wrong.content.decode()


def test_rows_of_people_are_found_added_and_taken_out_without_javascript(site: Site) -> None:
    make_group("reconstruction", site.alice, since=timezone.now() - timedelta(days=1))
    alice, bob = browser(site, "alice"), f"person:{site.bob.public_id}"
    form = typed(site, do="search", search="bo")
    del form[f"role-{bob}"]
    assert f'name="add" value="{bob}"' in alice.post("/projects/new/", form).content.decode()
    text = alice.post("/projects/new/", form | {"add": bob}).content.decode()
    assert f'name="role-{bob}"' in text
    text = alice.post("/projects/new/", form | {f"role-{bob}": "reader"}).content.decode()
    assert '<option value="reader" selected>' in text
    text = alice.post("/projects/new/", typed(site, do="", remove=bob)).content.decode()
    assert f'name="role-{bob}"' not in text
    # A group that one is in is found by its name; a stranger finds none.
    group = alice.post("/projects/new/", form | {"search": "recons"}).content.decode()
    assert 'value="group:' in group
    found = browser(site, "mallory").post("/projects/new/", form | {"search": "recons"})
    assert 'value="group:' not in found.content.decode()


def test_the_preview_names_who_decides_without_those_who_would_work_in_it(site: Site) -> None:
    alice = browser(site, "alice")
    form = typed(site, do="")
    text = alice.post("/projects/new/preview/", form, headers={"HX-Request": "true"})
    assert "Erin" in text.content.decode()
    form[f"role-person:{site.erin.public_id}"] = Role.MEMBER.value
    text = alice.post("/projects/new/preview/", form, headers={"HX-Request": "true"})
    assert "Erin" not in text.content.decode()
    assert "Otto" in text.content.decode()


@pytest.mark.parametrize(
    ("name", "said"),
    [("atlas-RECO", "already"), ("a/b", "letters, digits"), ("Higgs", "No project is called")],
)
def test_a_name_is_looked_up_while_it_is_typed(site: Site, name: str, said: str) -> None:
    answer = browser(site, "mallory").get(reverse("project_name"), {"name": name})
    assert said in answer.content.decode()


def test_the_units_of_ones_own_projects_come_first_and_others_are_found(site: Site) -> None:
    alice = browser(site, "alice")
    assert 'value="atlas" checked' in alice.get("/projects/new/").content.decode()
    text = alice.post("/projects/new/", typed(site, do="unit", unit_search="it")).content.decode()
    assert 'name="unit" value="it"' in text


def test_a_proposed_project_gets_another_name_on_its_page(site: Site) -> None:
    mallory = browser(site, "mallory")
    mallory.post("/projects/new/", typed(site))
    url = reverse("project_rename", args=["higgs-reco"])
    assert browser(site, "bob").get(url).status_code == 200
    assert mallory.post(url, {"name": "atlas-reco", "version": 1}).status_code == 422
    assert mallory.post(url, {"name": "Higgs 2026", "version": 9}).status_code == 412
    assert mallory.post(url, {"name": "Higgs 2026", "version": 1}).status_code == 302
    assert Project.objects.get(slug="higgs-reco").name == "Higgs 2026"


def shown(site: Site, name: str, url: str) -> str:
    answer = browser(site, name).get(url)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_a_proposed_project_stands_on_its_page_its_request_and_in_the_queue(site: Site) -> None:
    browser(site, "mallory").post("/projects/new/", typed(site))
    number = QuotaRequest.objects.get().pk
    page = shown(site, "mallory", "/projects/higgs-reco/")
    assert "This project is asked for" in page
    assert "Erin" in page
    assert reverse("project_rename", args=["higgs-reco"]) in page
    for name, url in (("mallory", f"/requests/{number}/"), ("erin", f"/decide/{number}/")):
        text = shown(site, name, url)
        for said in ("A new project", "Reconstruction of 2026 data.", "opens the project", "Bob"):
            assert said in text, (url, said)
    assert "new project" in shown(site, "erin", "/decide/")
    assert "new project" in shown(site, "mallory", "/")


def test_what_was_never_opened_is_in_no_list_unless_it_is_asked_for(site: Site) -> None:
    mallory = browser(site, "mallory")
    mallory.post("/projects/new/", typed(site))
    number = QuotaRequest.objects.get().pk
    mallory.post(f"/requests/{number}/withdraw/")
    project = Project.objects.get(state=ProjectState.DROPPED)
    url = reverse("project_detail", args=[project.slug])
    for where in ("/", "/projects/", "/find/?q=higgs"):
        assert url not in shown(site, "mallory", where)
    assert url in shown(site, "mallory", "/projects/?state=dropped")
    page = shown(site, "mallory", url)
    assert "asked for the project" in page
    assert "Nothing was approved, and the project was never opened" in page
    assert "/projects/new/?name=Higgs+Reco" in page


def test_a_name_that_a_cloud_refuses_leads_to_the_rename(site: Site) -> None:
    rename = reverse("project_rename", args=["atlas-reco"])
    assert rename not in shown(site, "alice", "/projects/atlas-reco/")
    name_taken(site)
    assert rename in shown(site, "alice", "/projects/atlas-reco/")
    assert rename not in shown(site, "bob", "/projects/atlas-reco/")
