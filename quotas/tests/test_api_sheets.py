"""A list as a sheet, CSV: all its rows, page by page, and nothing that a program runs."""

import csv
import io
from typing import Any

import pytest
from django.utils import timezone

from projects.models import Project
from quotas.api.sheets import cells, lines
from quotas.tests.api import caller, refusal, submit
from quotas.tests.counting import count_queries
from quotas.tests.site import Site


def sheet(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_list_is_a_sheet_of_all_its_rows(site_today: Site, alices_projects: list[str]) -> None:
    answer = caller(site_today, "alice").client.get(
        "/api/v1/projects/?page_size=2&order=-slug", headers={"Accept": "text/csv"}
    )
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Content-Disposition"] == 'attachment; filename="projects.csv"'
    rows = sheet(answer)
    assert [each["slug"] for each in rows] == alices_projects[::-1]
    assert rows[0]["roles"] == "owner"


@pytest.mark.parametrize("path", ["requests/?format=xml", "regions/?format=yaml", "me/?format=0"])
def test_a_form_that_there_is_not_is_refused_as_one(site_today: Site, path: str) -> None:
    answer = caller(site_today, "alice").client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_nested_values_have_columns_and_lists_are_joined(site_today: Site) -> None:
    asked = submit(site_today, {site_today.vcpu.slug: 100, site_today.space.slug: 2**30})
    answer = caller(site_today, "alice").client.get("/api/v1/requests/?format=csv")
    (row,) = sheet(answer)
    assert (row["id"], row["project.slug"]) == (str(asked.pk), "atlas-reco")
    assert row["lines.wanted"] == f"100; {2**30}"
    assert set(row["lines.waits_for.name"].split("; ")) == {"Dana"}
    assert row["until_on"] == ""


def test_a_sheet_has_the_fields_that_were_asked_for(site_today: Site) -> None:
    submit(site_today)
    answer = caller(site_today, "alice").client.get("/api/v1/requests/?format=csv&fields=id,reason")
    assert list(sheet(answer)[0]) == ["id", "reason"]


def test_a_sheet_is_read_page_by_page(site_today: Site) -> None:
    """More rows than a page holds, and no more queries than pages ask for."""
    now = timezone.now()
    Project.objects.bulk_create(
        Project(slug=f"many-{number:04}", name=f"many-{number:04}", unit=site_today.units["atlas"],
                state="active", created_at=now)
        for number in range(450)
    )  # fmt: skip
    client = caller(site_today, "otto").client
    found: list[dict[str, str]] = []
    count, said = count_queries(
        lambda: found.extend(sheet(client.get("/api/v1/projects/?format=csv")))
    )
    assert len(found) == 451
    # Signed in, the viewer, the marker; then rows and roles for each of three pages.
    assert count == 4 + 3 * 2, said


def test_a_wrong_call_is_refused_before_a_sheet_begins(site_today: Site) -> None:
    answer = caller(site_today, "alice").client.get("/api/v1/projects/?format=csv&cursor=x")
    assert refusal(answer) == (422, "invalid")


def test_what_is_no_list_is_no_sheet(site_today: Site) -> None:
    alice = caller(site_today, "alice").client
    for url in ("/api/v1/me/", "/api/v1/projects/atlas-reco/"):
        answer = alice.get(url, headers={"Accept": "text/csv"})
        assert refusal(answer) == (406, "not_acceptable")
    answer = alice.post("/api/v1/requests/", {}, "application/json", headers={"Accept": "text/csv"})
    assert refusal(answer) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), ("  =1", "'  =1"), ("a;=cmd", "a;'=cmd"), ("a, @b", "a,' @b"),
        ('say "=1"', 'say "\'=1"'), ("a\n=1", "a\n'=1"), ("\uff1d1", "'\uff1d1"),
        ("a-b = c", "a-b = c"), (-5, -5), (-2.5, -2.5), (True, "true"), (None, ""),
        ("2026-11-21", "2026-11-21"), ({"b": 1, "a": "x"}, '{"a": "x", "b": 1}'),
        ([1, -2], "1; -2"), ([], ""), (["=1", "b"], "'=1; b"),
    ],
)  # fmt: skip
def test_a_text_is_never_a_formula_and_a_number_stays_one(value: Any, cell: Any) -> None:
    assert cells({"a": value}, [("a",)]) == [cell]


def test_a_cell_is_quoted_where_it_must_be() -> None:
    assert "".join(lines([["a,b", 'c"d', "e\nf", 5]])) == '"a,b","c""d","e\nf",5\r\n'
