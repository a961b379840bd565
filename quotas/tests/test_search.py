"""The search box: what is found, for whom, with which index, and with hostile input."""

from datetime import timedelta

import pytest
from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Project, Unit, User
from projects.queries.viewers import Viewer
from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest
from quotas.queries.search import (
    PROJECT_VECTOR,
    UNIT_VECTOR,
    USER_VECTOR,
    Found,
    find,
    number_in,
    prefix_query,
)
from quotas.tests.site import Site, join, make_group, make_project


def found(site: Site, name: str, text: str) -> Found:
    return find(Viewer.of(site.people[name], timezone.now()), text)


def slugs(result: Found) -> list[str]:
    return [each.slug for each in result.projects]


def names(result: Found) -> list[str]:
    return [each.user.subject for each in result.people]


def ask(site: Site) -> QuotaRequest:
    return requests.submit(
        project=site.project, wish=Wish({site.vcpu.slug: 5}, "tests"), actor=site.alice,
        now=timezone.now(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["atlas-reco", "atl", "ATLAS", "rec", "atlas-re", "reco tests", "atlas reco", "tes"],
)
def test_projects_are_found_by_beginnings_of_words(site_today: Site, text: str) -> None:
    assert slugs(found(site_today, "bob", text)) == ["atlas-reco"]


@pytest.mark.parametrize("text", ["tlas", "atlas nothing", "", "   ", "-", "'", "&"])
def test_what_is_no_beginning_finds_no_project(site_today: Site, text: str) -> None:
    assert slugs(found(site_today, "bob", text)) == []


def test_projects_with_figures_in_their_names_are_found(site_today: Site) -> None:
    project = make_project(site_today, "run3-2026.b_x", "atlas", timezone.now())
    join(project, site_today.bob, Role.MEMBER, timezone.now() - timedelta(hours=1))
    for text in ("run3", "run3-2026", "run3-20", "run3-2026.b"):
        assert slugs(found(site_today, "bob", text)) == ["run3-2026.b_x"], text


def test_projects_of_others_stay_hidden(site_today: Site) -> None:
    visible = {
        name: slugs(found(site_today, name, "atlas")) == ["atlas-reco"]
        for name in site_today.people
    }
    assert visible == {
        "alice": True, "bob": True, "dana": True, "erin": True, "otto": True, "mallory": False,
        "rita": True, "audrey": True,
    }  # fmt: skip


def test_people_are_those_one_shares_a_project_with_or_who_decide_for_it(site_today: Site) -> None:
    assert names(found(site_today, "bob", "ali")) == ["alice"]
    assert names(found(site_today, "bob", "dana")) == ["dana"]
    assert names(found(site_today, "bob", "mallory")) == []
    assert names(found(site_today, "mallory", "alice")) == []
    assert names(found(site_today, "mallory", "mal")) == ["mallory"]
    assert names(found(site_today, "dana", "alice")) == ["alice"]
    assert names(found(site_today, "otto", "mallory")) == ["mallory"]
    assert names(found(site_today, "audrey", "mallory")) == ["mallory"]


def test_people_are_found_through_groups(site_today: Site) -> None:
    since = timezone.now() - timedelta(hours=1)
    group = make_group("team", site_today.mallory, since=since)
    join(site_today.project, group, Role.READER, since)
    assert names(found(site_today, "bob", "mallory")) == ["mallory"]
    assert names(found(site_today, "mallory", "bob")) == ["bob"]


def test_people_come_with_the_roles_one_may_see(site_today: Site) -> None:
    (alice,) = found(site_today, "bob", "alice").people
    assert [(str(role), project.slug) for role, project in alice.roles] == [("owner", "atlas-reco")]


def test_units_are_found_by_everybody(site_today: Site) -> None:
    assert [each.slug for each in found(site_today, "mallory", "atl").units] == ["atlas"]


@pytest.mark.parametrize("text", ["ORG/EP/ATLAS", "/org/ep/atl", "org/ep/atlas/"])
def test_units_are_found_by_the_path_that_the_pages_show(site_today: Site, text: str) -> None:
    assert [each.slug for each in found(site_today, "mallory", text).units] == ["atlas"]


def test_a_number_leads_to_the_request(site_today: Site) -> None:
    asked = ask(site_today)
    client = Client()
    client.force_login(site_today.bob)
    for text in (f"{asked.pk}", f"#{asked.pk}", f" #{asked.pk} "):
        answer = client.get(reverse("find"), {"q": text})
        assert (answer.status_code, answer["Location"]) == (
            302, reverse("request_detail", args=[asked.pk]),
        )  # fmt: skip


def test_a_number_of_somebody_elses_request_finds_nothing(site_today: Site) -> None:
    asked = ask(site_today)
    client = Client()
    client.force_login(site_today.mallory)
    answer = client.get(reverse("find"), {"q": f"#{asked.pk}"})
    assert answer.status_code == 200
    assert "Nothing found that you may see" in answer.content.decode()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1042", 1042), ("#1042", 1042), (" #7 ", 7), ("##7", None), ("x", None), ("-1", None),
        ("²", None), ("٣", None), ("9" * 19, None), ("", None),
    ],
)  # fmt: skip
def test_number_in(text: str, number: int | None) -> None:
    assert number_in(text) == number


HOSTILE = [
    "'", "''", "'''", "\\", "\\'", ":*", "a:*", "a & b", "a | !b", "!", "(", "a <-> b", "a:ABCD",
    "%", "_", "$$", "\x00", "a\x00b", "a'; DROP TABLE projects_user; --", "x" * 10_000,
    "a " * 5_000, "'a':* & 'b", "\ud800", "\u202e", "🦊", "İ", "ﬁ", "-a-", "--", "a--b", "1e5",
    "http://a/b?c", "a@b.c", "..", "a.b.c", "-5", "+5",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_input_is_only_text(site_today: Site, text: str) -> None:
    found(site_today, "otto", text)
    client = Client()
    client.force_login(site_today.otto)
    if "\ud800" not in text:  # no browser can send half a character
        assert client.get(reverse("find"), {"q": text}).status_code == 200
    assert User.objects.count() == len(site_today.people)


@pytest.mark.parametrize("text", HOSTILE)
def test_prefix_query_holds_nothing_but_quoted_words(text: str) -> None:
    for word in filter(None, prefix_query(text).split(" & ")):
        assert word.startswith("'")
        assert word.endswith("':*")
        assert all(each.isalnum() or each in "-_." for each in word[1:-3])


def test_find_shows_what_was_typed_escaped(site_today: Site) -> None:
    client = Client()
    client.force_login(site_today.bob)
    html = client.get(reverse("find"), {"q": '"><script>x</script>'}).content.decode()
    assert "<script>x" not in html


@pytest.mark.parametrize(
    ("model", "vector", "index"),
    [
        (Project, PROJECT_VECTOR, "project_search"),
        (User, USER_VECTOR, "user_search"),
        (Unit, UNIT_VECTOR, "unit_search"),
    ],
)
def test_search_uses_the_index(site_today: Site, model: type, vector: object, index: str) -> None:
    wanted = SearchQuery(prefix_query("atl"), config="simple", search_type="raw")
    rows = model.objects.annotate(words=vector).filter(words=wanted)  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert index in rows.explain()
