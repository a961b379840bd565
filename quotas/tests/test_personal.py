"""A project of one's own, as somebody first signs in: asked for once, granted by a rule."""

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from projects.models import Membership, Project, ProjectKind
from projects.states import ProjectState, Role
from quotas.actions.personal import ask_for_personal
from quotas.actions.project_changes import ask_extension
from quotas.actions.requests import withdraw
from quotas.models import Preset, PresetLine, QuotaRequest, Region

from .site import NOW, Site, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(settings: LazySettings) -> Site:
    made = make_site()
    preset = Preset.objects.create(slug="own", name="One's own", region=Region.objects.get())
    PresetLine.objects.create(preset=preset, offering=made.vcpu, increase=2)
    settings.PERSONAL_PROJECT_UNIT = "atlas"
    settings.PERSONAL_PROJECT_PRESET = "own"
    return made


def own(site: Site) -> Project:
    return Project.objects.get(kind=ProjectKind.PERSONAL)


def test_whoever_signs_in_is_asked_for_one_project_and_never_a_second(site: Site) -> None:
    asked = ask_for_personal(user=site.mallory, first_time=True, now=NOW)
    assert asked is not None
    assert (own(site).name, own(site).state) == ("personal-mallory", ProjectState.PROPOSED)
    assert [(line.offering, line.wanted) for line in asked.lines.all()] == [(site.vcpu, 2)]
    assert Membership.objects.get(project=own(site)).role == Role.OWNER
    assert ask_for_personal(user=site.mallory, first_time=False, now=NOW) is None
    withdraw(quota_request=asked, actor=site.mallory, now=NOW)
    assert ask_for_personal(user=site.mallory, first_time=False, now=NOW) is None


def test_a_name_that_is_taken_gets_a_number(site: Site) -> None:
    Project.objects.filter(slug="atlas-reco").update(name="Personal-Mallory")
    ask_for_personal(user=site.mallory, first_time=True, now=NOW)
    assert own(site).name == "personal-mallory-2"


def test_its_owner_renews_it_with_one_click(site: Site) -> None:
    ask_for_personal(user=site.mallory, first_time=True, now=NOW)
    project = own(site)
    Project.objects.filter(pk=project.pk).update(state=ProjectState.ACTIVE)
    until = NOW.date().replace(year=2027, month=8)
    asked = ask_extension(project=project, until_on=until, actor=site.mallory, now=NOW)
    assert asked is None
    assert own(site).ends_on == until


def test_a_policy_that_names_nothing_keeps_nobody_out(
    site: Site, settings: LazySettings, client: Client
) -> None:
    settings.PERSONAL_PROJECT_PRESET = "gone"
    site.alice.set_password("let-me-in")
    site.alice.save()
    answer = client.post(reverse("sign_in"), {"username": "alice", "password": "let-me-in"})
    assert answer.status_code == 302
    assert not QuotaRequest.objects.exists()
