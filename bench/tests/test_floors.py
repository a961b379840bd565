"""The floors answer who is signed in, and nobody else, with the rows that they are compared by."""

import pytest
from django.test import Client
from pytest_django import Settings

from bench.floors import lists
from bench.floors.handler import MIDDLEWARE
from projects.models import Event
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.api.shapes.ledger import TransferSerializer
from quotas.api.shapes.operations import EventSerializer
from quotas.api.shapes.people import ProjectSerializer
from quotas.api.shapes.requests import QuotaRequestSerializer, RequestLineSerializer
from quotas.models import Comment, QuotaRequest
from quotas.tests.site import NOW, Site, make_site

pytestmark = [pytest.mark.django_db, pytest.mark.urls("bench.floors.urls")]


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def asked(site: Site) -> QuotaRequest:
    wish = Wish({site.vcpu.slug: 64}, "More")
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=NOW)


@pytest.fixture
def alice(site: Site, settings: Settings) -> Client:
    settings.MIDDLEWARE = MIDDLEWARE
    client = Client()
    client.force_login(site.alice)
    return client


def test_floors_of_pages_show_their_rows_in_one_query(
    alice: Client, site: Site, asked: QuotaRequest, django_assert_num_queries
) -> None:
    project = site.project
    with django_assert_num_queries(3):  # with the session and its person
        queue = alice.get("/floor/requests/50/")
    with django_assert_num_queries(3):
        quota = alice.get(f"/floor/quota/{project.slug}/")

    assert f"#{asked.pk}" in queue.content.decode()
    assert quota.content.decode().count("<tr>") == 1 + project.accounts.count()


@pytest.mark.parametrize(
    ("floor", "ours"),
    [
        (lists.RequestFields, QuotaRequestSerializer),
        (lists.LineFields, RequestLineSerializer),
        (lists.ProjectFields, ProjectSerializer),
        (lists.EventFields, EventSerializer),
        (lists.TransferFields, TransferSerializer),
    ],
)
def test_floors_of_lists_have_as_many_fields_as_remits(floor, ours) -> None:
    assert len(floor().fields) == len(ours().fields)


def test_a_floor_of_a_list_sends_its_rows(alice: Client, asked: QuotaRequest) -> None:
    (row,) = alice.get("/floor/api/requests/").json()

    assert (row["id"], len(row["lines"])) == (asked.pk, 1)


def test_the_floor_of_a_change_writes_two_rows(alice: Client, asked: QuotaRequest) -> None:
    before = Event.objects.count()

    answer = alice.post(f"/floor/write/{asked.pk}/", {"text": "More"})

    assert answer.status_code == 302
    assert Comment.objects.get().text == "More"
    assert Event.objects.count() == before + 1


def test_floors_are_nobodys_who_is_not_signed_in(settings: Settings, asked: QuotaRequest) -> None:
    settings.MIDDLEWARE = MIDDLEWARE
    settings.LOGIN_URL = "/sign-in/"
    stranger = Client()

    assert stranger.get("/floor/requests/50/").status_code == 302
    assert stranger.get("/floor/api/requests/").status_code == 403
    assert stranger.post(f"/floor/write/{asked.pk}/", {"text": "More"}).status_code == 302
    assert not Comment.objects.exists()
