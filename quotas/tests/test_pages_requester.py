"""The requesters' pages: who gets which status, what is stored, and what a person reads."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.models import Project
from projects.states import ProjectState, Role
from quotas.actions import decide, drafts, requests
from quotas.actions.wishes import Wish
from quotas.models import (
    Comment,
    Contribution,
    Delivery,
    Offering,
    Preset,
    PresetLine,
    QuotaRequest,
    Reading,
    Region,
    RequestLine,
    Target,
    Zone,
)
from quotas.queries.timeline import request_timeline
from quotas.states import EndpointState, LineState, TargetState
from quotas.tests.counting import assert_flat
from quotas.tests.site import GIB, Site, join, make_project

HTMX = {"HX-Request": "true"}


@pytest.fixture
def site(site_today: Site) -> Site:
    return site_today


@pytest.fixture
def alice(site: Site) -> Client:
    return client_of(site, "alice")


def client_of(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def text_of(response: Any) -> str:
    """What a person reads, without markup and with single spaces."""
    plain = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(html.unescape(plain).replace("\u202f", " ").replace("\u00a0", " ").split())


def ask(site: Site, amounts: dict[str, int] | None = None, **more: object) -> QuotaRequest:
    wish = Wish(amounts or {site.vcpu.slug: 100}, "reprocessing", **more)  # type: ignore[arg-type]
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=timezone.now())


def draft(site: Site, reason: str = "later") -> QuotaRequest:
    return drafts.save(
        project=site.project, wish=Wish({site.vcpu.slug: 100}, reason), actor=site.alice,
        now=timezone.now(),
    )  # fmt: skip


def grant(site: Site, asked: QuotaRequest, amount: int | None = None) -> None:
    asked.refresh_from_db()
    lines = list(asked.lines.select_related("offering"))
    decide.approve(
        quota_request=asked,
        granted={each.pk: each.wanted if amount is None else amount for each in lines},
        seen={each.pk: site.quota(each.offering) for each in lines},
        version=asked.version, actor=site.dana, now=timezone.now(),
    )  # fmt: skip


def ask_back(site: Site, asked: QuotaRequest) -> None:
    asked.refresh_from_db()
    decide.return_(
        quota_request=asked, line_ids=[each.pk for each in asked.lines.all()],
        question="For which run?", version=asked.version, actor=site.dana, now=timezone.now(),
    )  # fmt: skip


def form(site: Site, do: str = "send", **amounts: str) -> dict[str, str]:
    """A filled form; amounts by the resource's slug."""
    zones = {"vcpu": "compute-a", "ram": "compute-a", "space": "storage-a"}
    typed = {f"amount-geneva.{zones[key]}.{key}": text for key, text in amounts.items()}
    return {
        "project": "atlas-reco", "region": "geneva", "until": "stays", "reason": "run 4", "do": do,
        **typed,
    }  # fmt: skip


def read_back(site: Site, *, used: int, limit: int = 100) -> None:
    """Nova and Cinder were read a minute ago."""
    at = timezone.now() - timedelta(minutes=1)
    for target in Target.objects.filter(project=site.project, endpoint__region__isnull=False):
        target.observed_at = at
        target.save(update_fields=["observed_at"])
        for each in target.endpoint.limits.all():
            Reading.objects.update_or_create(
                target=target, limit=each,
                defaults={
                    "used": used * each.step, "reserved": 0, "limit_seen": limit * each.step,
                    "read_at": at,
                },
            )  # fmt: skip


# --- Who gets what -------------------------------------------------------------------

READERS = {
    "alice": 200, "bob": 200, "rita": 200, "dana": 200, "erin": 200, "otto": 200,
    "audrey": 200, "mallory": 404,
}  # fmt: skip
ASKERS = dict.fromkeys(READERS, 403) | {"alice": 200, "mallory": 404}


@pytest.mark.parametrize(("name", "status"), READERS.items())
def test_the_pages_of_a_project_are_for_its_people_and_deciders(
    site: Site, name: str, status: int
) -> None:
    number, client = ask(site).pk, client_of(site, name)
    for url in (
        reverse("project_detail", args=["atlas-reco"]),
        reverse("quota_why", args=["atlas-reco", site.vcpu.slug]),
        reverse("request_detail", args=[number]),
        reverse("request_progress", args=[number]),
    ):
        assert client.get(url).status_code == status
        assert client.get(url, headers=HTMX).status_code == status


@pytest.mark.parametrize(("name", "status"), ASKERS.items())
def test_changing_a_request_is_for_owners_and_managers(site: Site, name: str, status: int) -> None:
    number, client = ask(site).pk, client_of(site, name)
    for view in ("request_amend", "request_withdraw"):
        assert client.get(reverse(view, args=[number])).status_code == status
    url = reverse("request_new")
    assert client.get(url, {"project": "atlas-reco"}).status_code == status
    assert client.post(url, form(site, "preview", vcpu="4")).status_code == status
    preview = reverse("request_preview")
    assert client.post(preview, form(site, vcpu="4"), headers=HTMX).status_code == status


@pytest.mark.parametrize("name", ["bob", "dana", "otto", "mallory"])
def test_a_draft_is_its_writers_alone(site: Site, name: str, alice: Client) -> None:
    number, client = draft(site).pk, client_of(site, name)
    for view in ("request_detail", "request_edit", "request_discard"):
        url = reverse(view, args=[number])
        assert alice.get(url).status_code == 200
        assert client.get(url).status_code == 404
    assert client.post(reverse("request_submit", args=[number])).status_code == 404
    assert client.post(reverse("request_discard", args=[number])).status_code == 404
    assert QuotaRequest.objects.filter(pk=number, submitted_at=None).exists()


def test_nobody_is_let_in_without_signing_in(site: Site) -> None:
    for view in ("home", "project_list", "request_list", "request_new"):
        response = Client().get(reverse(view))
        assert response.status_code == 302
        assert reverse("sign_in") in response["Location"]


def test_a_form_that_was_posted_while_signed_out_is_there_again_after_signing_in(
    site: Site,
) -> None:
    somebody = Client()
    sent = somebody.post("/requests/new/", form(site, vcpu="64", ram=""))
    assert sent.status_code == 302
    sign_in, __, query = sent["Location"].partition("?")
    assert sign_in == reverse("sign_in")
    back = parse_qs(query)["next"][0]
    assert back.startswith("/requests/new/?project=atlas-reco&region=geneva")
    assert "reason" not in back
    somebody.force_login(site.alice)
    page = somebody.get(back).content.decode()
    assert "New request for atlas-reco" in page
    assert 'value="64"' in page


@pytest.mark.parametrize("name", ["alice", "dana", "otto", "mallory", "audrey"])
def test_own_lists_are_there_for_everybody(site: Site, name: str) -> None:
    ask(site)
    client = client_of(site, name)
    for view in ("home", "project_list", "request_list"):
        assert client.get(reverse(view)).status_code == 200
    for scope in ("mine", "projects", "all"):
        for stage in ("any", "draft", "waiting", "returned", "applying", "done", "nonsense"):
            found = client.get(reverse("request_list"), {"of": scope, "state": stage})
            assert found.status_code == 200


def test_what_is_not_there_is_404(alice: Client, site: Site) -> None:
    for path in (
        "/projects/no-such/", "/projects/atlas-reco/why/geneva.compute-a.no-such/",
        "/projects/atlas-reco/why/a%00b/", "/requests/999999/", f"/requests/{10**30}/",
        "/requests/new/?project=no-such", "/requests/new/?project=%00",
        "/requests/new/?again=999999",
    ):  # fmt: skip
        assert alice.get(path).status_code == 404, path


# --- Home ----------------------------------------------------------------------------


def test_an_empty_home_says_what_to_do_first(site: Site) -> None:
    said = text_of(client_of(site, "mallory").get("/"))
    assert "You have not asked for anything yet" in said
    assert "You are in no project yet" in said
    assert "Waits for you" not in said


def test_home_shows_what_waits_for_whom(site: Site, alice: Client) -> None:
    number = ask(site).pk
    assert f"#{number} atlas-reco" in text_of(client_of(site, "dana").get("/"))
    assert "waits for Dana" in text_of(alice.get("/"))


def test_home_shows_the_fullest_limits_of_my_projects(site: Site, alice: Client) -> None:
    grant(site, ask(site))
    read_back(site, used=90)
    said = text_of(alice.get("/"))
    assert "vCPU in geneva 90 of 100 90 %" in said


def test_home_shows_first_what_was_returned_to_me(site: Site, alice: Client) -> None:
    returned = ask(site)
    ask_back(site, returned)
    for number in range(6):
        project = make_project(site, f"later-{number}", "atlas", timezone.now())
        join(project, site.alice, Role.OWNER, timezone.now() - timedelta(hours=1))
        wish = Wish({site.vcpu.slug: 10}, "later")
        requests.submit(project=project, wish=wish, actor=site.alice, now=timezone.now())
    said = text_of(alice.get("/"))
    assert f"#{returned.pk} atlas-reco returned" in said
    assert "Answer and send again" in said


# --- A project -----------------------------------------------------------------------


def test_a_project_without_quota_says_what_to_do(site: Site, alice: Client) -> None:
    assert "Ask for what the project needs first" in text_of(alice.get("/projects/atlas-reco/"))
    said = text_of(client_of(site, "bob").get("/projects/atlas-reco/"))
    assert "An owner or a manager of the project can ask for some" in said


def test_a_project_shows_its_limits_with_use_and_why(site: Site, alice: Client) -> None:
    grant(site, ask(site))
    read_back(site, used=75)
    page = alice.get("/projects/atlas-reco/")
    said = text_of(page)
    assert "75 used, 25 free of 100" in page.content.decode()
    assert "Nova geneva read 1 min ago" in said
    assert reverse("quota_why", args=["atlas-reco", site.vcpu.slug]) in page.content.decode()


def test_a_silent_service_is_said_in_a_sentence_and_to_operators_in_its_words(
    site: Site, alice: Client
) -> None:
    grant(site, ask(site))
    nova = site.endpoints["nova-geneva"]
    nova.state = EndpointState.UNREACHABLE
    nova.save(update_fields=["state"])
    Target.objects.filter(endpoint=nova).update(
        error_id="K7Q2XX", error_words="<b>503 upstream</b>", state=TargetState.RETRYING
    )
    url = "/projects/atlas-reco/"
    said = text_of(alice.get(url))
    assert "Nova geneva does not answer" in said
    assert "K7Q2XX" in said
    assert "503 upstream" not in said
    for name in ("otto", "audrey"):
        assert "&lt;b&gt;503 upstream&lt;/b&gt;" in client_of(site, name).get(url).content.decode()
    for name in ("dana", "bob"):
        assert "503" not in text_of(client_of(site, name).get(url))


def test_why_tells_transfers_decisions_authority_and_the_balance_of_a_day(
    site: Site, alice: Client
) -> None:
    asked = ask(site)
    grant(site, asked)
    url = reverse("quota_why", args=["atlas-reco", site.vcpu.slug])
    said = text_of(alice.get(url))
    assert f"Dana in #{asked.pk} authority Otto → Erin → Dana" in said
    assert "from ORG/EP/ATLAS" in said
    day = (timezone.now() - timedelta(days=30)).date().isoformat()
    assert "had 0 at the end of" in text_of(alice.get(url, {"as_of": day}))
    today = timezone.localdate().isoformat()
    assert "had 100 at the end of" in text_of(alice.get(url, {"as_of": today}))


@pytest.mark.parametrize("text", ["yesterday", "2026-13-40", "0001-01-01", "9999-12-31", "\0"])
def test_a_day_that_is_none_is_422(site: Site, alice: Client, text: str) -> None:
    url = reverse("quota_why", args=["atlas-reco", site.vcpu.slug])
    assert alice.get(url, {"as_of": text}).status_code == 422


def test_the_list_of_projects_has_own_ones_first_and_a_filter(site: Site) -> None:
    make_project(site, "aaa", "atlas", timezone.now())
    dana = client_of(site, "dana")
    join(Project.objects.get(slug="atlas-reco"), site.dana, Role.READER, timezone.now())
    said = text_of(dana.get("/projects/"))
    assert said.index("atlas-reco") < said.index("aaa")
    assert "atlas-reco" not in text_of(dana.get("/projects/", {"q": "aa"}))
    assert "No project is called like that" in text_of(dana.get("/projects/", {"q": "zzz\0"}))


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
    inside = page[page.index('class="cols"') :]
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


# --- A request -----------------------------------------------------------------------


def test_nothing_is_called_applied_before_every_service_was_read_back(
    site: Site, alice: Client
) -> None:
    asked = ask(site, {site.vcpu.slug: 100, site.space.slug: 10 * GIB})
    grant(site, asked)
    url = reverse("request_progress", args=[asked.pk])
    assert "0 of 2 granted lines applied" in text_of(alice.get(url, headers=HTMX))
    space = Delivery.objects.filter(decision_line__line__offering=site.space)
    Delivery.objects.exclude(pk__in=space).update(applied_at=timezone.now())
    part = alice.get(url, headers=HTMX)
    assert "1 of 2 granted lines applied" in text_of(part)
    assert "hx-trigger" in part.content.decode()
    space.update(applied_at=timezone.now())
    done = alice.get(url, headers=HTMX)
    assert "2 of 2 granted lines applied" in text_of(done)
    assert "hx-trigger" not in done.content.decode()
    assert "Refresh" not in text_of(done)


def test_a_page_left_open_follows_what_others_do(site: Site, alice: Client) -> None:
    asked = ask(site)
    page = alice.get(reverse("request_detail", args=[asked.pk])).content.decode()
    polled = re.search(r'hx-get="([^"]+)"', page)
    assert polled is not None
    quiet = text_of(alice.get(polled[1], headers=HTMX))
    assert "Alice asked" not in quiet
    assert "Withdraw it" not in quiet
    grant(site, asked)
    part = alice.get(polled[1], headers=HTMX)
    said = text_of(part)
    assert "Dana approved" in said
    assert "Ask for the same again" in said
    assert "Withdraw it" not in said
    assert "waits for Dana" not in said
    followed = re.search(r'hx-get="([^"]+)"', part.content.decode())
    assert followed is not None
    assert "Dana approved" not in text_of(alice.get(followed[1], headers=HTMX))


def test_a_refused_delivery_is_said_in_a_sentence(site: Site, alice: Client) -> None:
    asked = ask(site)
    grant(site, asked)
    Target.objects.filter(endpoint=site.endpoints["nova-geneva"]).update(
        state=TargetState.REFUSED, error_code="below_usage", error_id="ABC234",
        error_words="cores: 120 in use", error_at=timezone.now(),
    )  # fmt: skip
    said = text_of(alice.get(reverse("request_detail", args=[asked.pk])))
    assert "Nova geneva did not take the change" in said
    assert "More is in use than a new limit allows" in said
    assert "120 in use" not in said
    otto = text_of(client_of(site, "otto").get(reverse("request_detail", args=[asked.pk])))
    assert "cores: 120 in use" in otto


def test_the_timeline_tells_the_decision_with_its_authority_and_proof(
    site: Site, alice: Client
) -> None:
    asked = ask(site)
    grant(site, asked, 60)
    said = text_of(alice.get(reverse("request_detail", args=[asked.pk])))
    assert "Alice asked for 100 vCPU in compute-a reprocessing" in said
    assert "Dana approved: 60 vCPU compute-a ( 100 asked for)" in said
    assert "authority Otto → Erin → Dana" in said
    assert "40 less than asked" in said
    assert "Ask for the missing 40 vCPU in compute-a" in said


def test_amending_changes_open_lines(site: Site, alice: Client) -> None:
    asked = ask(site)
    line = asked.lines.get()
    url = reverse("request_amend", args=[asked.pk])
    assert 'value="100"' in alice.get(url).content.decode()
    typed = {f"amount-{line.pk}": "120", "reason": "more", "version": asked.version}
    assert alice.post(url, typed).status_code == 302
    line.refresh_from_db()
    assert line.wanted == 120
    stale = alice.post(url, typed | {f"amount-{line.pk}": "130"})
    assert stale.status_code == 412
    assert 'value="130"' in stale.content.decode()
    asked.refresh_from_db()
    assert f'name="version" value="{asked.version}"' in stale.content.decode()
    wrong = alice.post(url, typed | {f"amount-{line.pk}": "", "reason": ""})
    assert wrong.status_code == 422
    same = alice.post(url, {f"amount-{line.pk}": "0", "reason": "", "version": asked.version})
    assert same.status_code == 422
    assert "is 0 already" in text_of(same)
    assert "Write a sentence" in text_of(same)
    grant(site, asked)
    late = alice.post(url, {f"amount-{line.pk}": "130", "reason": "x", "version": 99})
    assert late.status_code == 422 or late.status_code == 409
    line.refresh_from_db()
    assert line.wanted == 120


def test_answering_opens_the_lines_again(site: Site, alice: Client) -> None:
    asked = ask(site)
    line = asked.lines.get()
    ask_back(site, asked)
    asked.refresh_from_db()
    detail = reverse("request_detail", args=[asked.pk])
    assert "For which run?" in text_of(alice.get(detail))
    url = reverse("request_answer", args=[asked.pk])
    typed = {"text": "", "version": asked.version, f"amount-{line.pk}": "many"}
    wrong = alice.post(url, typed)
    assert wrong.status_code == 422
    assert "is not a number" in text_of(wrong)
    assert alice.post(url, typed | {"text": "x", f"amount-{line.pk}": "", "version": 1}
                      ).status_code == 412  # fmt: skip
    sent = alice.post(url, typed | {"text": "Run 4", f"amount-{line.pk}": "80"})
    assert sent.status_code == 302
    line.refresh_from_db()
    assert (line.state, line.wanted) == (LineState.OPEN, 80)
    assert "Alice answered and asks for 80 vCPU in compute-a Run 4" in text_of(alice.get(detail))
    assert Comment.objects.get().text == "Run 4"
    assert alice.post(url, typed | {"text": "again", f"amount-{line.pk}": ""}).status_code == 409


def test_the_timeline_keeps_the_amounts_of_each_step(site: Site, alice: Client) -> None:
    asked = ask(site, {site.vcpu.slug: 100, "geneva.compute-a.ram": 4 * GIB, site.space.slug: GIB})
    detail = reverse("request_detail", args=[asked.pk])
    first = "Alice asked for 100 vCPU and 4 GiB RAM in compute-a , 1 GiB Volume space in storage-a"
    assert first in text_of(alice.get(detail))
    line = asked.lines.get(offering=site.vcpu)
    typed = {f"amount-{each.pk}": "8G" for each in asked.lines.exclude(pk=line.pk)}
    typed |= {f"amount-{line.pk}": "120", "reason": "more", "version": str(asked.version)}
    assert alice.post(reverse("request_amend", args=[asked.pk]), typed).status_code == 302
    said = text_of(alice.get(detail))
    assert first in said
    assert "Alice changed what is asked for: 120 vCPU and 8 GiB RAM in compute-a" in said


def test_amounts_of_events_without_figures_are_those_of_the_lines_until_they_change(
    site: Site,
) -> None:
    asked = draft(site)
    about = {"project": site.project, "subject_kind": "request", "subject_id": asked.pk}
    record("submitted", actor=site.alice, now=timezone.now(), **about)
    (sent,) = request_timeline(asked)
    assert sent.asked is not None
    assert sent.asked.places == {"compute-a": [(site.vcpu, 100)]}
    record("amended", actor=site.alice, now=timezone.now(), **about)
    assert [each.asked for each in request_timeline(asked)] == [None, None]


def test_a_limit_that_zones_share_is_never_shown_as_one_zones_own(
    site: Site, alice: Client
) -> None:
    asked = ask(site, {site.vcpu.slug: 100, site.space.slug: 100 * GIB})
    grant(site, asked)
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    other = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=zone, resource=site.vcpu.resource
    )
    Contribution.objects.create(
        offering=other, limit=site.endpoints["nova-geneva"].limits.get(key="cores")
    )
    read_back(site, used=10, limit=448)
    said = text_of(alice.get(reverse("request_detail", args=[asked.pk])))
    assert (
        "448 in all the limit of all zones of geneva, compute-a is one of them, 1 min ago" in said
    )
    assert "448 GiB Cinder geneva, 1 min ago" in said


def test_withdrawing_asks_first(site: Site, alice: Client) -> None:
    asked = ask(site)
    url = reverse("request_withdraw", args=[asked.pk])
    assert "nobody decides them any more" in text_of(alice.get(url))
    assert asked.lines.get().state == LineState.OPEN
    assert alice.post(url).status_code == 302
    assert asked.lines.get().state == LineState.WITHDRAWN
    assert alice.post(url).status_code == 409


COMMENTERS = {"bob": 302, "dana": 302, "rita": 403, "otto": 302, "audrey": 403, "mallory": 404}


@pytest.mark.parametrize(("name", "status"), COMMENTERS.items())
def test_members_and_deciders_comment(site: Site, name: str, status: int) -> None:
    url = reverse("request_comment", args=[ask(site).pk])
    client = client_of(site, name)
    assert client.post(url, {"text": "<i>hello</i>"}).status_code == status
    assert Comment.objects.count() == (status == 302)


def test_a_comment_is_escaped_and_an_empty_one_refused(site: Site, alice: Client) -> None:
    number = ask(site).pk
    url = reverse("request_comment", args=[number])
    assert alice.post(url, {"text": " "}).status_code == 422
    assert alice.post(url, {"text": "a\0"}).status_code == 422
    alice.post(url, {"text": "<script>alert(1)</script>"})
    page = alice.get(reverse("request_detail", args=[number])).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_same_again_asks_for_the_same_increase(site: Site, alice: Client) -> None:
    asked = ask(site)
    grant(site, asked)
    page = alice.get("/requests/new/", {"again": asked.pk}).content.decode()
    assert 'value="+100"' in page
    assert "reprocessing" in page


def test_a_second_tab_is_told_that_somebody_was_first(site: Site) -> None:
    asked = ask(site)
    grant(site, asked)
    with pytest.raises(Conflict):
        requests.withdraw(quota_request=asked, actor=site.alice, now=timezone.now())


def test_post_is_needed_for_what_changes_things(site: Site, alice: Client) -> None:
    number = ask(site).pk
    for view in ("request_answer", "request_comment"):
        assert alice.get(reverse(view, args=[number])).status_code == 405
    assert alice.get("/requests/preview/").status_code == 405


# --- Cost ----------------------------------------------------------------------------


def many_projects(site: Site, count: int = 47) -> None:
    """Projects of Alice's, each with a request that waits for Dana."""
    now = timezone.now() - timedelta(hours=1)
    for number in range(count):
        project = make_project(site, f"more-{number:02}-{count}", "atlas", now)
        join(project, site.alice, Role.OWNER, now)
        wish = Wish({site.vcpu.slug: 10, site.space.slug: 10 * GIB}, "more of it")
        requests.submit(project=project, wish=wish, actor=site.alice, now=now)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("alice", "/"), ("dana", "/"), ("alice", "/projects/"), ("alice", "/requests/"),
        ("dana", "/requests/?of=all&state=waiting"),
    ],
)  # fmt: skip
def test_lists_cost_the_same_for_three_rows_and_fifty(site: Site, name: str, url: str) -> None:
    many_projects(site, 3)
    client = client_of(site, name)

    def load() -> None:
        assert client.get(url).status_code == 200

    assert_flat(f"requester {name} {url}", load, lambda: many_projects(site))


def test_a_project_costs_the_same_for_few_members_and_many(site: Site, alice: Client) -> None:
    grant(site, ask(site))
    read_back(site, used=10)

    def load() -> None:
        assert alice.get("/projects/atlas-reco/").status_code == 200

    def grow() -> None:
        for person in ("dana", "erin", "otto", "audrey"):
            join(site.project, site.people[person], Role.READER, timezone.now())
        for number in range(10):
            asked = ask(site, {site.space.slug: (number + 1) * GIB})
            requests.withdraw(quota_request=asked, actor=site.alice, now=timezone.now())

    # The first row of a kind costs what fifty do; one must be there before.
    requests.withdraw(
        quota_request=ask(site, {site.space.slug: GIB}), actor=site.alice, now=timezone.now()
    )
    assert_flat("requester alice /projects/<slug>/", load, grow)


def test_a_line_that_was_never_decided_has_no_check(site: Site, alice: Client) -> None:
    asked = ask(site)
    page = alice.get(reverse("request_detail", args=[asked.pk])).content.decode()
    assert 'data-kind="applied"' not in page
    assert RequestLine.objects.get().state == LineState.OPEN
