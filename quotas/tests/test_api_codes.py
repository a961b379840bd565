"""Every code of a refusal: documented, raised by a call, and its type leads to a page about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from portal.lib.errors import DomainError
from projects.models import Delegation
from quotas.api.codes import CODES
from quotas.models import Account, DelegationBound
from quotas.tests.access.case import Case, make_case
from quotas.tests.access.sending import api_approve, api_wish
from quotas.tests.api import Caller, caller, refusal
from quotas.tests.site import make_site

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

# Raised by what has a test of its own: a server that goes away, the framework's own refusals.
ELSEWHERE = {
    "unavailable": "test_database_away.py",
    "throttled": "test_api_errors.py",
    "refused": "test_api_errors.py",
}


@pytest.fixture(scope="module")
def case(module_database: object) -> Case:
    """One for all: what a call changes is undone."""
    return make_case(make_site(timezone.now() - timedelta(days=1)))


def by(case: Case, name: str) -> Caller:
    return caller(case.site, name)


def approve(case: Case, **more: Any) -> "Answer":
    return by(case, "dana").post(f"requests/{case.open.pk}/approve/", api_approve(case) | more)


def wish(case: Case, client: Client | None = None, key: str = "") -> "Answer":
    """Alice asks for something, with a key or without."""
    client = client or by(case, "alice").client
    headers = {"Idempotency-Key": key} if key else {}
    body = api_wish(case) | {"project": "atlas-reco"}
    return client.post("/api/v1/requests/", body, "application/json", headers=headers)


def without_room(case: Case) -> "Answer":
    """The envelope of ATLAS is empty by now."""
    envelope = Account.objects.get(offering=case.site.vcpu, unit__slug="atlas")
    Account.objects.filter(pk=envelope.pk).update(balance=0)
    return approve(case)


def with_too_little_left(case: Case) -> "Answer":
    """Dana may give all of ten in all, five of them are gone, and nobody is above her."""
    dana = case.site.delegations["dana"]
    bounds = DelegationBound.objects.filter(delegation=dana, resource=case.site.vcpu.resource)
    bounds.update(total=12)
    first = by(case, "dana").post(f"requests/{case.open.pk}/approve/", _part(case, 10))
    assert first.status_code == 200, first.content
    again = (
        by(case, "alice")
        .post(
            "requests/",
            {"project": "atlas-reco", "lines": {case.site.vcpu.slug: 20}, "reason": "more"},
        )
        .json()
    )
    line = str(again["lines"][0]["id"])
    body = {"granted": {line: 20}, "seen": {line: 10}, "version": again["version"]}
    return by(case, "dana").post(f"requests/{again['id']}/approve/", body)


def _part(case: Case, amount: int) -> dict[str, Any]:
    line = str(case.line(case.open))
    return api_approve(case) | {"granted": {line: amount}}


def while_in_flight(case: Case) -> "Answer":
    """Somebody else holds the lock of the same key."""
    name = f"person:{case.site.alice.pk} k-1"
    with elsewhere("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name]):
        return wish(case, key="k-1")


def while_held(case: Case) -> "Answer":
    with elsewhere("SELECT 1 FROM projects_project FOR UPDATE", []):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        return approve(case)


@contextmanager
def elsewhere(sql: str, values: list[str]) -> Iterator[None]:
    """Another connection has done this and goes on."""
    other = connection.get_new_connection(connection.get_connection_params())
    try:
        other.execute(sql, values)
        yield
    finally:
        other.close()


def key_again(case: Case) -> "Answer":
    client = by(case, "alice").client
    assert wish(case, client, key="k-2").status_code == 201
    return client.post(
        "/api/v1/preview/", {}, "application/json", headers={"Idempotency-Key": "k-2"}
    )


RAISED: dict[str, Callable[[Case], "Answer"]] = {
    "malformed": lambda case: by(case, "alice").send("requests/", b"{"),
    "not_signed_in": lambda case: by(case, "").get("me/"),
    "forbidden": lambda case: by(case, "bob").post(f"requests/{case.open.pk}/withdraw/"),
    "not_found": lambda case: by(case, "mallory").get("projects/atlas-reco/"),
    "method_not_allowed": lambda case: by(case, "alice").post("me/"),
    "not_acceptable": lambda case: by(case, "alice").client.get(
        "/api/v1/me/", headers={"Accept": "image/png"}
    ),
    "conflict": lambda case: by(case, "alice").post(f"requests/{case.returned.pk}/submit/"),
    "no_room": without_room,
    "used_up": with_too_little_left,
    "too_soon": lambda case: by(case, "alice").post(f"requests/{case.open.pk}/nudge/"),
    "busy": while_held,
    "in_flight": while_in_flight,
    "marker_gone": lambda case: by(case, "alice").get("events/?after=99999999999999.1"),
    "precondition_required": lambda case: by(case, "dana").post(
        f"requests/{case.open.pk}/decline/", {"lines": [case.line(case.open)], "reason": "No"}
    ),
    "stale": lambda case: approve(case, version=9),
    "too_large": lambda case: by(case, "alice").send("requests/", b" " * 2_700_000),
    "unsupported_media_type": lambda case: by(case, "alice").send("requests/", b"a", "text/plain"),
    "invalid": lambda case: by(case, "alice").post("requests/", {}),
    "key_reused": key_again,
}


def test_every_code_is_raised_by_a_test() -> None:
    assert set(RAISED) | set(ELSEWHERE) == set(CODES)
    assert not set(RAISED) & set(ELSEWHERE)
    for code, file in ELSEWHERE.items():
        assert f'"{code}"' in Path(__file__).with_name(file).read_text(), code


@pytest.mark.parametrize("code", RAISED)
def test_a_call_is_refused_with_each_code(case: Case, code: str) -> None:
    with transaction.atomic():
        answer = RAISED[code](case)
        transaction.set_rollback(True)
    assert refusal(answer) == (CODES[code].status, code)
    assert Client().get(answer.json()["type"]).status_code == 200


def kinds(error: type[DomainError]) -> Iterator[type[DomainError]]:
    yield error
    for each in error.__subclasses__():
        yield from kinds(each)


def test_every_error_of_the_domain_has_a_code_with_its_status() -> None:
    """But those of the commands that load a catalogue, which no call meets."""
    for error in kinds(DomainError):
        if not error.__module__.startswith("quotas.catalogue"):
            assert error.code in CODES, error
            assert CODES[error.code].status in (error.status, 0), error


def test_the_table_of_the_documentation_is_that_of_the_codes(
    request: pytest.FixtureRequest,
) -> None:
    words = (request.config.rootpath / "docs" / "api.md").read_text()
    rows = {code: f"| `{code}` | {each.status or 'as told'} |" for code, each in CODES.items()}
    assert [code for code, row in rows.items() if row not in words] == []


def test_the_pages_name_every_code_without_a_sign_in(db: None) -> None:
    page = Client().get("/api/problems/")
    assert page.status_code == 200
    for code, known in CODES.items():
        assert f"/api/problems/{code}/" in page.content.decode()
        assert str(known.then) in Client().get(f"/api/problems/{code}/").content.decode()
    assert Client().get("/api/problems/nothing/").status_code == 404


def test_a_refusal_leads_to_why_and_to_whom_it_waits_for(case: Case) -> None:
    with transaction.atomic():
        body = without_room(case).json()
        transaction.set_rollback(True)
    number = case.open.pk
    assert body["links"] == {
        "explain": f"/api/v1/projects/atlas-reco/explain/?offering={case.site.vcpu.slug}",
        "waiting": f"/api/v1/requests/{number}/waiting/",
    }
    for address in body["links"].values():
        assert by(case, "dana").client.get(address).status_code == 200


def test_the_delegation_that_is_used_up_is_named_with_its_address(case: Case) -> None:
    with transaction.atomic():
        body = with_too_little_left(case).json()
        transaction.set_rollback(True)
    dana = Delegation.objects.get(pk=case.site.delegations["dana"].pk)
    assert body["facts"]["left"] == 2
    assert body["links"]["delegation"] == f"/api/v1/delegations/{dana.pk}/"
    assert set(body["links"]) == {"delegation", "request", "explain", "waiting"}
