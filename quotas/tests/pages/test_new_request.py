"""The form of a new request, its preview, and drafts."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from projects.models import Project
from projects.states import ProjectState, Role
from quotas.models import (
    Preset,
    PresetLine,
    QuotaRequest,
    Region,
)
from quotas.states import LineState
from quotas.tests.pages.acting import HTMX, ask, client_of, draft, form, text_of
from quotas.tests.site import GIB, Site, join, make_project

# --- A new request -------------------------------------------------------------------


def test_with_one_project_the_form_opens_at_once(site: Site, alice: Client) -> None:
    assert alice.get("/requests/new/")["Location"] == "/requests/new/?project=atlas-reco"
    join(make_project(site, "second", "atlas", timezone.now()), site.alice, Role.MANAGER,
         timezone.now() - timedelta(hours=1))  # fmt: skip
    assert "For which project?" in text_of(alice.get("/requests/new/"))
    assert "You own or manage no project" in text_of(
        client_of(site, "mallory").get("/requests/new/")
    )


def test_sending_stores_what_was_typed_and_leads_to_the_request(site: Site, alice: Client) -> None:
    response = alice.post("/requests/new/", form(site, vcpu="+64", ram="", space="1.5T"))
    asked = QuotaRequest.objects.get()
    assert response.status_code == 302
    assert response["Location"] == reverse("request_detail", args=[asked.pk])
    wanted = dict(asked.lines.values_list("offering__slug", "wanted"))
    assert wanted == {site.vcpu.slug: 64, site.space.slug: 1536 * GIB}
    assert asked.submitted_at is not None


@pytest.mark.parametrize(
    ("amounts", "more", "sentence"),
    [
        ({"vcpu": "-5"}, {}, "The least is 0"),
        ({"vcpu": "many"}, {}, "is not a number"),
        ({"vcpu": "9" * 30}, {}, "more than any cloud could hold"),
        ({"vcpu": "0"}, {}, "is 0 already"),
        ({"vcpu": "4\u200b"}, {}, "cannot be seen"),
        ({}, {}, "Change at least one amount"),
        ({"vcpu": "4"}, {"reason": ""}, "Write a sentence"),
        ({"vcpu": "4"}, {"reason": "x" * 1_000_000}, "characters are too many"),
        ({"vcpu": "4"}, {"reason": "a\0b"}, "It holds control characters."),
        ({"vcpu": "4"}, {"reason": "a\x07b"}, "control characters"),
        ({"vcpu": "4"}, {"until": "date"}, "Choose the last day"),
        ({"vcpu": "4"}, {"until": "date", "until_on": "soon"}, "That is no day"),
        ({"vcpu": "4"}, {"until": "date", "until_on": "2001-01-01"}, "That day is over"),
        ({}, {"amount-geneva.no.such": "4"}, "There is no such offering"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_422_with_a_sentence_and_nothing_stored(
    site: Site, alice: Client, amounts: dict[str, str], more: dict[str, str], sentence: str
) -> None:
    for do in ("send", "draft"):
        if do == "draft" and more.get("reason") == "":
            continue  # a draft may lack its reason
        response = alice.post("/requests/new/", form(site, do, **amounts) | more)
        assert response.status_code == 422
        assert sentence in text_of(response)
        assert not QuotaRequest.objects.exists()


def test_every_error_is_told_at_once_and_everything_typed_is_kept(
    site: Site, alice: Client
) -> None:
    typed = form(site, vcpu="768X", ram="64G") | {"reason": "", "all_or_nothing": "on"}
    response = alice.post("/requests/new/", typed)
    page, said = response.content.decode(), text_of(response)
    assert response.status_code == 422
    assert "vCPU in compute-a: “768X” is not a number" in said
    assert "Write a sentence" in said
    assert 'href="#amount-geneva_compute-a_vcpu"' in page
    assert 'value="768X"' in page
    assert 'value="64G"' in page
    assert re.search(r'name="all_or_nothing"[^>]*checked', page)


def test_what_is_asked_for_already_is_409_and_the_form_stays(site: Site, alice: Client) -> None:
    number = ask(site).pk
    response = alice.post("/requests/new/", form(site, vcpu="64"))
    assert response.status_code == 409
    assert f"is asked for in #{number} already" in text_of(response)
    assert f'See <a href="/requests/{number}/">#{number}</a>' in response.content.decode()
    assert 'value="64"' in response.content.decode()
    assert QuotaRequest.objects.count() == 1


def test_what_is_refused_is_refused_once(site: Site, alice: Client) -> None:
    ask(site)
    with CaptureQueriesContext(connection) as said:
        assert alice.post("/requests/new/", form(site, vcpu="64")).status_code == 409
    begun = [each["sql"] for each in said if each["sql"].startswith("SAVEPOINT")]
    assert len(begun) == 1


def test_a_suspended_project_asks_for_nothing(site: Site, alice: Client) -> None:
    Project.objects.filter(slug="atlas-reco").update(state=ProjectState.SUSPENDED)
    assert alice.post("/requests/new/", form(site, vcpu="64")).status_code == 409


def test_somebody_elses_project_is_404_in_a_post(site: Site) -> None:
    response = client_of(site, "mallory").post("/requests/new/", form(site, vcpu="64"))
    assert response.status_code == 404
    assert not QuotaRequest.objects.exists()


def test_preview_says_what_changes_against_what_and_who_decides(site: Site, alice: Client) -> None:
    for response in (
        alice.post("/requests/new/", form(site, "preview", vcpu="64")),
        alice.post("/requests/preview/", form(site, vcpu="64")),
        alice.post("/requests/preview/", form(site, vcpu="64"), headers=HTMX),
    ):
        said = text_of(response)
        assert response.status_code == 200
        assert "vCPU in compute-a 0 → 64 goes to" in said
        assert "Dana decides for ORG/EP/ATLAS" in said
        assert "counts against ORG/EP/ATLAS" in said
        assert "2000" not in said  # figures are not for members
    assert b"<html" not in response.content
    assert not QuotaRequest.objects.exists()


def test_the_room_of_a_row_follows_what_is_typed(site: Site, alice: Client) -> None:
    row = 'id="room-amount-geneva_compute-a_vcpu"'
    for answer in (
        alice.post("/requests/new/", form(site, "preview", vcpu="5000")),
        alice.post("/requests/preview/", form(site, vcpu="5000"), headers=HTMX),
    ):
        page = answer.content.decode()
        assert "</svg>none" in page[page.index(row) :][:300]
        assert "room none" in text_of(answer)
    fresh = alice.get("/requests/new/", {"project": "atlas-reco"}).content.decode()
    assert "</svg>ample" in fresh[fresh.index(row) :][:300]


def test_preview_says_what_is_asked_for_already_with_a_link(site: Site, alice: Client) -> None:
    number = ask(site).pk
    response = alice.post("/requests/preview/", form(site, vcpu="64", ram="4G"), headers=HTMX)
    assert text_of(response).count("W02") == 1
    assert f'is asked for in <a href="/requests/{number}/">#{number}</a> already' in (
        response.content.decode()
    )


def test_preview_of_a_text_that_is_no_amount_says_so(site: Site, alice: Client) -> None:
    response = alice.post("/requests/preview/", form(site, vcpu="768X"), headers=HTMX)
    assert response.status_code == 200
    assert "“768X” is not a number" in text_of(response)


def test_enter_in_a_field_previews_and_never_sends(site: Site, alice: Client) -> None:
    page = alice.get("/requests/new/", {"project": "atlas-reco"}).content.decode()
    inside = page[page.index('<form class="cols') :]
    assert re.findall(r'<button[^>]*value="(\w+)"', inside)[0] == "preview"
    typed = form(site, vcpu="64")
    del typed["do"]
    assert alice.post("/requests/new/", typed).status_code == 200
    assert not QuotaRequest.objects.exists()


def test_a_preset_fills_the_rows_and_keeps_the_rest(site: Site, alice: Client) -> None:
    preset = Preset.objects.create(
        slug="ci", name="CI runners", region=Region.objects.get(slug="geneva")
    )
    PresetLine.objects.create(preset=preset, offering=site.vcpu, increase=16)
    typed = form(site, space="1T") | {"preset": "ci"}
    page = alice.post("/requests/new/", typed).content.decode()
    assert 'value="+16"' in page
    assert 'value="1T"' in page
    assert "run 4" in page


def test_another_region_keeps_what_was_typed(site: Site, alice: Client) -> None:
    page = alice.post("/requests/new/", form(site, "region", vcpu="64", space="x"))
    assert page.status_code == 200
    assert 'value="64"' in page.content.decode()
    assert "errors-head" not in page.content.decode()


# --- Drafts --------------------------------------------------------------------------


def test_a_draft_is_kept_edited_sent(site: Site, alice: Client) -> None:
    alice.post("/requests/new/", form(site, "draft", vcpu="8") | {"reason": ""})
    kept = QuotaRequest.objects.get()
    assert kept.submitted_at is None
    url = reverse("request_edit", args=[kept.pk])
    assert 'value="8"' in alice.get(url).content.decode()
    missing = alice.post(reverse("request_submit", args=[kept.pk]))
    assert missing.status_code == 422
    assert "Write a sentence" in text_of(missing)
    alice.post(url, form(site, "draft", vcpu="16"))
    assert kept.lines.get().wanted == 16
    assert alice.post(reverse("request_submit", args=[kept.pk])).status_code == 302
    assert kept.lines.get().state == LineState.OPEN
    assert alice.get(url).status_code == 409
    assert alice.post(reverse("request_submit", args=[kept.pk])).status_code == 409


def test_an_edited_draft_can_be_sent_from_its_form(site: Site, alice: Client) -> None:
    kept = draft(site)
    alice.post(reverse("request_edit", args=[kept.pk]), form(site, "send", vcpu="24"))
    assert QuotaRequest.objects.count() == 1
    assert (kept.lines.get().wanted, kept.lines.get().state) == (24, LineState.OPEN)


def test_discarding_asks_first(site: Site, alice: Client) -> None:
    url = reverse("request_discard", args=[draft(site).pk])
    assert "cannot be brought back" in text_of(alice.get(url))
    assert QuotaRequest.objects.exists()
    assert alice.post(url).status_code == 302
    assert not QuotaRequest.objects.exists()
