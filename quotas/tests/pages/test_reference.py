"""The API's document as pages: whole, of the site itself alone, and cheap."""

import json

import pytest
import yaml
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from portal.testing.html import Reader, text_of
from quotas.api.document import operations
from quotas.api.published import FILE, JSON_KIND, YAML_KIND, published
from quotas.api.reading import subjects

SCHEMA = "/api/v1/schema/"


def test_the_first_page_leads_to_every_operation(db: None) -> None:
    page = Client().get(reverse("reference")).content.decode()
    links = {each.get("href", "") for each in Reader(page).all("a")}
    for path, method, operation in operations(published().document):
        where = reverse("reference_subject", kwargs={"tag": operation["tags"][0]})
        assert f"{where}#{operation['operationId']}" in links
        assert f"{method.upper()} {path}" in page


@pytest.mark.parametrize("tag", subjects())
def test_a_subject_tells_all_of_its_operations(db: None, tag: str) -> None:
    page = Client().get(reverse("reference_subject", kwargs={"tag": tag})).content.decode()
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    words = text_of(page)
    for each in subjects()[tag].operations:
        assert each.id in reader.ids
        for row in (*each.parameters, *(each.body.rows if each.body else ())):
            assert row.name in words
        assert all(reverse("refusal_detail", args=[r.code]) in page for r in each.refusals)


def test_a_body_is_told_with_the_fields_inside_it_and_an_example() -> None:
    submit = next(
        each
        for each in subjects()["requests"].operations
        if each.path.endswith("/requests/") and each.body
    )
    assert submit.body is not None
    kinds = {row.name: (row.kind, row.is_required) for row in submit.body.rows}
    assert kinds["project"] == ("text", True)
    assert json.loads(submit.body.example)["project"] == "atlas-reco"
    assert submit.scope == "ask"
    answered = next(each for each in submit.answers if each.status == "201")
    assert answered.shape is not None
    assert "lines[].offering" in {row.name for row in answered.shape.rows}


def test_the_pages_ask_the_database_for_nothing(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        for name, kwargs in (("reference", {}), ("reference_subject", {"tag": "requests"})):
            assert Client().get(reverse(name, kwargs=kwargs)).status_code == 200
        Client().get(SCHEMA)


def test_a_subject_that_there_is_not_is_a_page(db: None) -> None:
    answer = Client().get(reverse("reference_subject", kwargs={"tag": "nothing"}))
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", YAML_KIND),
        ("?format=json", "*/*", JSON_KIND),
        ("?format=yaml", "application/json", YAML_KIND),
        ("", "application/json", JSON_KIND),
        ("", "application/vnd.oai.openapi+json", JSON_KIND),
        ("", "text/html", YAML_KIND),
    ],
)
def test_the_document_comes_in_the_form_that_is_asked_for(
    db: None, query: str, accept: str, kind: str, request: pytest.FixtureRequest
) -> None:
    answer = Client().get(SCHEMA + query, headers={"Accept": accept})
    assert answer["Content-Type"] == f"{kind}; charset=utf-8"
    committed = yaml.load((request.config.rootpath / FILE).read_bytes(), Loader=yaml.CSafeLoader)
    found = answer.json() if kind == JSON_KIND else yaml.load(answer.content, yaml.CSafeLoader)
    assert found == committed


def test_who_has_the_document_is_told_so(db: None) -> None:
    first = Client().get(SCHEMA)
    again = Client().get(SCHEMA, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = Client().get(f"{SCHEMA}?format=json", headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    assert Client().post(SCHEMA).status_code == 405
