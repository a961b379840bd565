"""Only what means one thing is taken: bodies that are no object, numbers too far, near misses.

By the samples of the table of access, so that a verb or a list of later is looked at too.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from portal.lib.access import OK, ROLES, ROWS
from projects.models import Event
from quotas.tests.access.case import Case, make_case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.access.sending import Sample
from quotas.tests.api import caller, refusal
from quotas.tests.site import make_site
from quotas.tests.test_access import row_of

JSON = "application/json"


@pytest.fixture(scope="module")
def case(module_database: object) -> Case:
    """One for all: what a call changes is undone."""
    return make_case(make_site(timezone.now() - timedelta(days=1)))


def calls(case: Case, *methods: str) -> Iterator[tuple[str, Sample, Client]]:
    """(name of the URL, sample, somebody who may) of every call of the API by a method.

    But those of a token alone, which no person may.
    """
    for name, samples in SAMPLES.items():
        for sample in samples:
            row = ROWS[sample.row or row_of(name)]
            role = next((each for each in ROLES if row[each] == OK and each != "anonymous"), None)
            if name.startswith("api_") and sample.method in methods and role is not None:
                client = Client()
                client.force_login(case.people[role])
                yield name, sample, client


def test_no_verb_takes_a_body_that_is_no_object(case: Case) -> None:
    taken = []
    for name, sample, client in calls(case, "POST", "PUT"):
        with transaction.atomic():
            url = reverse(name, kwargs=sample.kwargs(case)) + sample.query
            before = Event.objects.count()
            answer = client.generic(sample.method, url, b"false", JSON)
            is_refused = answer.status_code == 422 and Event.objects.count() == before
            transaction.set_rollback(True)
        if not is_refused:
            taken.append((sample.method, name, answer.status_code))
    assert taken == []


@pytest.mark.parametrize("raw", [b"0", b'""', b"[]", b"null", b"false", b"1", b'"x"', b"[{}]"])
def test_a_verb_that_takes_nothing_takes_no_value_either(case: Case, raw: bytes) -> None:
    answer = caller(case.site, "alice").send(f"requests/{case.open.pk}/withdraw/", raw)
    assert refusal(answer) == (422, "invalid")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#"]


@pytest.mark.parametrize("kind", [JSON, "application/x-www-form-urlencoded"])
def test_a_verb_that_takes_nothing_needs_no_body(case: Case, kind: str) -> None:
    with transaction.atomic():
        answer = caller(case.site, "alice").send(f"requests/{case.open.pk}/withdraw/", b"", kind)
        transaction.set_rollback(True)
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
@pytest.mark.parametrize("name", ["newest", "ids"])
def test_a_number_that_is_no_row_could_have_is_refused(case: Case, name: str, number: int) -> None:
    sent: Any = [number] if name == "ids" else number
    answer = caller(case.site, "alice").post("notices/read/", {name: sent})
    assert refusal(answer) == (422, "invalid")
    pointer = "#/ids/0" if name == "ids" else "#/newest"
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("number", [2**63 - 1, 0, -1, -(2**63)])
def test_a_number_that_no_row_has_is_no_fault(case: Case, number: int) -> None:
    with transaction.atomic():
        answer = caller(case.site, "mallory").post("notices/read/", {"newest": number})
        of_delegation = caller(case.site, "dana").post(
            f"delegations/{case.handed.pk}/reissue/", {"parent": number, "seen": ""}
        )
        transaction.set_rollback(True)
    assert answer.json() == {"count": 0}
    assert refusal(of_delegation) == (403, "forbidden")


def test_no_list_takes_a_filter_that_it_does_not_declare_or_one_twice(case: Case) -> None:
    taken = []
    for name, sample, client in calls(case, "GET"):
        url = reverse(name, kwargs=sample.kwargs(case))
        door = getattr(resolve(url).func, "cls", None)
        if getattr(door, "listing", None) is None:
            continue
        for query in ("no_such_filter=1", "page_size=5&page_size=5", "format="):
            status = client.get(f"{url}{sample.query or '?'}&{query}").status_code
            if status != (406 if query == "format=" else 422):
                taken.append((name, query, status))
    assert taken == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("units/", {"page_size": "false"}),
        ("units/", {"page_size": "0", "format": "csv"}),
        ("units/", {"under": " atlas"}),
        ("units/", {"under": "atlas "}),
        ("offerings/", {"region": "geneva\t"}),
        ("delegations/", {"parent": " 5"}),
        ("delegations/", {"parent": "5.0"}),
        ("delegations/", {"parent": "\u0665"}),
        ("delegations/", {"live": "yes"}),
        ("notices/", {"unread": "1"}),
        ("requests/", {"requester": "{e3e70682-c209-1cac-a29f-6fbed82c07cd}"}),
        ("requests/", {"requester": "e3e70682c2091caca29f6fbed82c07cd"}),
    ],
)
def test_a_filter_that_nearly_fits_is_refused(case: Case, path: str, query: dict[str, str]) -> None:
    answer = caller(case.site, "dana").get(path, **query)
    assert refusal(answer) == (422, "invalid")
    assert [each["pointer"] for each in answer.json()["errors"]] == [f"#/{next(iter(query))}"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("units/", {"under": "atlas"}),
        ("delegations/", {"parent": "5", "live": "true"}),
        ("notices/", {"unread": "false"}),
        ("requests/", {"requester": "E3E70682-c209-1cac-a29f-6fbed82c07cd"}),
    ],
)
def test_a_filter_as_it_is_documented_is_taken(
    case: Case, path: str, query: dict[str, str]
) -> None:
    assert caller(case.site, "dana").get(path, **query).status_code == 200


@pytest.mark.parametrize("unit", [5, True, None, " atlas"])
def test_a_slug_is_a_text_as_it_is_written(case: Case, unit: Any) -> None:
    body = {"name": "Steps", "unit": unit, "terms": {}}
    answer = caller(case.site, "dana").post("policies/", body)
    assert refusal(answer) == (422, "invalid")
    assert "#/unit" in {each["pointer"] for each in answer.json()["errors"]}
