"""All that happened to a project or a request: in pages, as a file, with names and words."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Event
from projects.states import Power, Role
from projects.verbs import VERBS
from quotas.actions import lives, requests
from quotas.actions.decide import approve
from quotas.actions.members import set_member
from quotas.actions.project_changes import ask_extension
from quotas.actions.requests import submit
from quotas.actions.wishes import Wish
from quotas.models import Delivery, QuotaRequest
from quotas.queries.timeline_words import SENTENCES
from quotas.tests.api import caller, results
from quotas.tests.counting import assert_flat
from quotas.tests.site import Site

FORMULA = "=HYPERLINK(1)"
# Acts that are about no project and no request.
ELSEWHERE = {
    "rerouted", "letter sent again", "limit left out", "limit taken in", "endpoint paused",
    "endpoint restricted", "endpoint resumed", "usage incomplete", "usage complete",
    "issued", "envelope declared", "funded",
    "taken back", "swept", "root granted", "delegated", "revoked", "ends soon", "delegate joined",
    "policy made", "policy revised", "policy switched on", "policy switched off", "group made",
    "group renamed", "group changed", "person arrived", "person changed", "group gone",
    "person left", "person returned", "holder left", "unit made", "unit renamed", "unit moved",
    "unit retired", "steward named", "waiting set", "operator named", "operator removed",
    "job started", "catalogue loaded", "announcement made", "announcement changed",
    "announcement scheduled", "announcement put back", "announced", "announcement sent",
    "announcement withdrawn", "directory refused",
}  # fmt: skip


@pytest.fixture
def lived(site_today: Site) -> Site:
    """Asked, written, granted, read back; somebody joined; suspended, resumed; a wish waits."""
    site, now = site_today, timezone.now()
    for name in ("otto", "erin"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    asked = submit(
        project=site.project, wish=Wish({site.vcpu.slug: 8}, FORMULA), actor=site.alice, now=now
    )
    requests.comment(quota_request=asked, text="For run 4.", actor=site.bob, now=now)
    line = asked.lines.get()
    approve(
        quota_request=asked, granted={line.pk: 4}, seen={line.pk: 0}, version=asked.version,
        reason="Half of it.", actor=site.dana, now=now,
    )  # fmt: skip
    target = Delivery.objects.get().target
    Event.objects.create(
        verb="applied", at=now, project=site.project, subject_kind="target",
        subject_id=target.pk, data={"endpoint": target.endpoint.slug, "generation": 1},
    )  # fmt: skip
    set_member(project=site.project, user=site.mallory, role=Role.READER, actor=site.alice, now=now)
    lives.suspend(project=site.project, reason="Too loud.", actor=site.erin, now=now)
    lives.resume(project=site.project, actor=site.erin, now=now)
    day = timezone.localdate() + timedelta(days=1000)
    ask_extension(project=site.project, until_on=day, reason="Run 5.", actor=site.alice, now=now)
    return site


def told(site: Site, name: str, path: str, **query: Any) -> dict[str, dict[str, Any]]:
    """{verb: entry}"""
    return {each["verb"]: each for each in results(caller(site, name).get(path, **query))}


def test_a_projects_timeline_tells_all_with_words_and_amounts(lived: Site) -> None:
    found = told(lived, "bob", "projects/atlas-reco/timeline/")
    assert found["submitted"]["amounts"] == {lived.vcpu.slug: 8}
    assert found["commented"]["text"] == "For run 4."
    assert (found["approved"]["amounts"], found["approved"]["text"]) == (
        {lived.vcpu.slug: 4}, "Half of it.",
    )  # fmt: skip
    assert found["applied"]["endpoint"] == Delivery.objects.get().target.endpoint.slug
    assert found["role given"]["whom"]["name"] == str(lived.mallory)
    assert found["role given"]["sentence"] == f"{lived.alice} gave {lived.mallory} the role reader"
    suspended = found["project suspended"]
    assert (suspended["text"], suspended["delegation"]) == (
        "Too loud.", lived.delegations["erin"].pk,
    )  # fmt: skip
    assert (found["change asked"]["text"], found["change asked"]["actor"]["name"]) == (
        "Run 5.", str(lived.alice),
    )  # fmt: skip


def test_a_requests_timeline_is_its_own_with_what_services_said(lived: Site) -> None:
    number = QuotaRequest.objects.get().pk
    rows = results(caller(lived, "alice").get(f"requests/{number}/timeline/"))
    assert [each["verb"] for each in rows] == ["submitted", "commented", "approved", "applied"]
    assert caller(lived, "mallory").get("requests/999999/timeline/").status_code == 404


def test_a_timeline_as_a_file_is_whole_and_no_formula(lived: Site) -> None:
    client = caller(lived, "alice").client
    answer = client.get("/api/v1/projects/atlas-reco/timeline/?format=csv&page_size=2&order=id")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # a stream
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    events = Event.objects.filter(project=lived.project).exclude(verb="rerouted")
    assert [int(each["id"]) for each in rows] == sorted(events.values_list("pk", flat=True))
    (asked,) = [each for each in rows if each["verb"] == "submitted"]
    assert asked["text"] == f"'{FORMULA}"
    assert asked["actor.name"] == str(lived.alice)


def test_who_sees_no_project_sees_no_timeline(site_today: Site) -> None:
    assert caller(site_today, "mallory").get("projects/atlas-reco/timeline/").status_code == 404


def test_a_page_of_a_timeline_costs_the_same_however_long(lived: Site) -> None:
    client = caller(lived, "alice").client

    def load() -> None:
        url = "/api/v1/projects/atlas-reco/timeline/?page_size=200"
        assert client.get(url).status_code == 200

    def grow() -> None:
        asked = QuotaRequest.objects.get()
        for number in range(5):
            requests.comment(
                quota_request=asked, text=str(number), actor=lived.bob, now=timezone.now()
            )

    assert_flat("api timeline of a project", load, grow)


def test_pages_tell_in_sentences_and_lead_to_the_export(lived: Site) -> None:
    client = Client()
    client.force_login(lived.alice)
    page = client.get(reverse("project_detail", args=["atlas-reco"])).content.decode()
    assert "gave Mallory" in page
    assert "the role reader" in page
    assert "role given" not in page
    assert reverse("api_project_timeline", args=["atlas-reco"]) + "?format=csv" in page
    number = QuotaRequest.objects.get().pk
    page = client.get(reverse("request_detail", args=[number])).content.decode()
    assert reverse("api_request_timeline", args=[number]) + "?format=csv" in page


def test_every_verb_of_a_project_has_a_sentence() -> None:
    assert set(SENTENCES) | ELSEWHERE == set(VERBS)
    assert not set(SENTENCES) & ELSEWHERE
