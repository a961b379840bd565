"""Who gets the pages; home, projects and their figures; what lists cost."""

from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.folding import fold
from projects.models import Project
from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import (
    Contribution,
    Endpoint,
    HolderHandle,
    Limit,
    QuotaRequest,
    RequestLine,
    Resource,
    Target,
)
from quotas.states import EndpointState, LineState, TargetState
from quotas.tests.counting import assert_all_flat, assert_flat
from quotas.tests.pages.acting import (
    HTMX,
    ask,
    ask_back,
    client_of,
    draft,
    form,
    grant,
    read_back,
    text_of,
)
from quotas.tests.site import GIB, Site, join, make_project

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


def test_tables_of_quota_have_the_roles_and_labels_of_folded_ones(
    site: Site, alice: Client
) -> None:
    grant(site, ask(site))
    regions = alice.get(reverse("project_detail", args=["atlas-reco"])).context["regions"]
    assert regions
    assert [fold(table) for _region, table in regions] == [table for _region, table in regions]


def test_the_catalogue_that_a_process_keeps_is_never_another_than_that_of_now(
    site: Site, alice: Client
) -> None:
    grant(site, ask(site))
    address = reverse("project_detail", args=["atlas-reco"])
    assert "Threads" not in alice.get(address).content.decode()
    Resource.objects.filter(slug="vcpu").update(name="Threads")
    assert "Threads" in alice.get(address).content.decode()


def test_a_catalogue_that_changes_while_a_page_is_read_is_that_of_its_figures(
    site: Site, alice: Client
) -> None:
    grant(site, ask(site))
    nova, changes = site.endpoints["nova-geneva"], iter(["first", "second"])

    def meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        """After each of the first readings of figures, a limit of an endpoint that is new too."""
        answer = execute(sql, *rest)
        if "quotas_reading" in sql and (slug := next(changes, "")):
            nova.pk, nova.slug = None, slug
            nova.save(force_insert=True)
            limit = Limit.objects.create(endpoint=nova, key="new", name=f"New {slug}", unit="")
            Contribution.objects.create(offering=site.vcpu, limit=limit)
        return answer

    Resource.objects.filter(slug="vcpu").update(name="Threads")
    with connection.execute_wrapper(meanwhile):
        said = text_of(alice.get(reverse("project_detail", args=["atlas-reco"])))
    assert "Threads" in said
    assert next(changes, None) is None


def test_room_is_a_page_or_a_part_of_one_at_one_address(site: Site, alice: Client) -> None:
    address = reverse("project_room", args=["atlas-reco"])
    for headers in ({}, HTMX):
        assert "HX-Request" in alice.get(address, headers=headers)["Vary"]


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


# --- Cost ----------------------------------------------------------------------------


def many_projects(site: Site, count: int = 47) -> None:
    """Projects of Alice's, each with a request that waits for Dana."""
    now = timezone.now() - timedelta(hours=1)
    for number in range(count):
        project = make_project(site, f"more-{number:02}-{count}", "atlas", now)
        join(project, site.alice, Role.OWNER, now)
        wish = Wish({site.vcpu.slug: 10, site.space.slug: 10 * GIB}, "more of it")
        requests.submit(project=project, wish=wish, actor=site.alice, now=now)


def test_lists_cost_the_same_for_three_rows_and_fifty(site: Site) -> None:
    many_projects(site, 3)

    def load(name: str, url: str) -> None:
        assert clients[name].get(url).status_code == 200

    clients = {name: client_of(site, name) for name in ("alice", "dana")}
    pages = [
        ("alice", "/"), ("dana", "/"), ("alice", "/projects/"), ("alice", "/requests/"),
        ("dana", "/requests/?of=all&state=waiting"),
    ]  # fmt: skip
    loads = {f"requester {name} {url}": partial(load, name, url) for name, url in pages}
    assert_all_flat(loads, lambda: many_projects(site))


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


def test_who_has_no_id_in_keystone_is_said_to_wait_for_the_role(site: Site, alice: Client) -> None:
    address = "/projects/atlas-reco/"
    assert "has no id in" not in alice.get(address).content.decode()
    keystone = site.endpoints["keystone"]
    Endpoint.objects.filter(pk=keystone.pk).update(options={"role": "member"})
    HolderHandle.objects.create(user=site.alice, identity=keystone, external_id="6f1d")
    page = alice.get(address).content.decode()
    assert "Bob has no id in Keystone yet, and gets the role member there" in " ".join(page.split())
    assert "Alice has no id" not in page
    assert "Rita has no id" not in page
