"""Who gets what from every URL: generated from the URLs themselves and the table of access.

A URL without a row fails, one without a sample in access/pages.py or access/api.py fails, and
so does every status that is not the table's. Redirects count as what they mean: to the sign-in
page 401, after an act 200.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from portal.lib.access import HIDDEN, NO, OK, ROLES, ROWS, SIGN_IN
from quotas.tests.access.case import Case, make_case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.access.sending import Sample
from quotas.tests.site import make_site

JSON = "application/json"


@pytest.fixture(scope="module")
def case(module_database: object) -> Case:
    """One for all: what a call changes is undone."""
    return make_case(make_site(timezone.now() - timedelta(days=1)))


def urls(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(address as written, pattern) of every URL of the site."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(each, URLResolver):
            yield from urls(each.url_patterns, before + str(each.pattern))
        else:
            yield before + str(each.pattern), each


def row_of(name: str) -> str:
    views = {each.name: each.callback for _where, each in urls()}
    return str(getattr(views[name], "access_row", ""))


def ask(case: Case, role: str, name: str, sample: Sample) -> int:
    """What a role gets, as the table counts it. What the call changed is undone."""
    with transaction.atomic():
        status = send(case, role, name, sample)
        transaction.set_rollback(True)
    return status


def send(case: Case, role: str, name: str, sample: Sample) -> int:
    """The same, and what it changed stays for whoever looks before it is undone."""
    client = Client()
    if role != "anonymous":
        client.force_login(case.people[role])
    url = reverse(name, kwargs=sample.kwargs(case)) + sample.query
    data = sample.data(case)
    if sample.method == "GET":
        answer = client.get(url)
    elif name.startswith("api_"):
        answer = getattr(client, sample.method.lower())(url, data, JSON)
    else:
        answer = client.post(url, data)
    return counted(answer, name)


def counted(answer: Any, name: str) -> int:
    is_to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/sign-in/")
    if is_to_sign_in and not name.startswith("sign_"):
        return SIGN_IN
    return OK if answer.status_code < 400 else answer.status_code


def test_every_url_names_its_row_of_the_table() -> None:
    without = [
        where for where, each in urls() if getattr(each.callback, "access_row", "") not in ROWS
    ]
    assert without == []


def test_every_url_has_a_name_of_its_own_and_a_sample_here() -> None:
    names = [each.name for _where, each in urls()]
    assert len(names) == len(set(names))
    assert set(names) == set(SAMPLES)


def test_the_roles_of_the_table_are_cast(case: Case) -> None:
    assert set(ROLES) == {"anonymous", *case.people}
    assert {status for row in ROWS.values() for status in row.values()} == {
        OK, NO, HIDDEN, SIGN_IN,
    }  # fmt: skip


CALLS = [
    pytest.param(name, sample, id=f"{sample.method} {name}{' ' if count else ''}{count or ''}")
    for name, samples in SAMPLES.items()
    for count, sample in enumerate(samples)
]


@pytest.mark.parametrize(("name", "sample"), CALLS)
def test_each_role_gets_what_the_table_says(case: Case, name: str, sample: Sample) -> None:
    row = sample.row or row_of(name)
    assert {role: ask(case, role, name, sample) for role in ROLES} == ROWS[row]
