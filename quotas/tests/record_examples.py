"""Records the API's examples: run by name (`make examples`), as it writes and compares nothing.

Those that are missing, or do not fit any more, are taken from the samples of the table of access.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.access import OK, ROWS
from quotas.api.document import EXAMPLES, JSON, example_places, operations, scope_of
from quotas.api.scopes import Needs
from quotas.tests.access.case import Case, make_case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.access.sending import Sample
from quotas.tests.site import make_site
from quotas.tests.test_access import row_of, urls
from quotas.tests.test_api_examples import document, wrong_with
from quotas.tests.test_tokens import token_for

THEN = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Who sees the most is asked; an example is of whoever got the longest answer.
WHO = ("owner", "decider", "operator", "repairer", "auditor", "member")
MOST_ROWS = 2
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
# Where somebody who syncs goes on: another one at each run.
MARKER = "updated_until"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECRET = re.compile(r"(remit_|whsec_)[A-Za-z0-9_+/=-]{8,}")


def test_record(module_database: object, request: pytest.FixtureRequest) -> None:
    case = make_case(make_site(timezone.now() - timedelta(days=1)))
    whole = document(request)
    found = json.loads(EXAMPLES.read_text())
    kept = {}
    for path, method, operation in operations(whole):
        mine = found.get(operation["operationId"], {})
        places = dict(example_places(operation))
        fitting = {
            kind: mine[kind]
            for kind, place in places.items()
            if kind in mine and not wrong_with(whole, place["schema"], mine[kind])
        }
        if set(places) - set(fitting):
            has_plan = "planned" in places
            fitting = recorded_of(case, path, method, has_plan=has_plan) | fitting
        kept[operation["operationId"]] = {k: v for k, v in fitting.items() if k in places}
    EXAMPLES.write_text(
        json.dumps({name: each for name, each in sorted(kept.items()) if each}, indent=1) + "\n"
    )


def recorded_of(case: Case, path: str, method: str, *, has_plan: bool) -> dict[str, Any]:
    """The longest that a call of the operation was answered, and what it sent."""
    best: dict[str, Any] = {}
    for name, sample in samples_of(path, method.upper()):
        row = ROWS[sample.row or row_of(name)]
        for role in (each for each in WHO if row[each] == OK):
            sent, answered = call(case, role, name, sample)
            if len(str(answered)) > len(str(best.get("answered", ""))):
                best = {"sent": sent, "answered": answered}
                if has_plan:
                    best["planned"] = call(case, role, name, sample, "?dry_run=true")[1]
    return tidy(best)


def needed(name: str, method: str) -> object:
    view = next(each.callback for _route, each in urls() if each.name == name)
    return scope_of(view.cls, method)  # type: ignore[attr-defined]  # a view of the API


def samples_of(path: str, method: str) -> Iterator[tuple[str, Sample]]:
    plain = re.sub(r"{[^}]+}", "{}", path)
    for route, pattern in urls():
        if "/" + re.sub(r"<[^>]+>", "{}", route) == plain:
            for sample in SAMPLES[pattern.name or ""]:
                if sample.method == method:
                    yield pattern.name or "", sample


def call(case: Case, role: str, name: str, sample: Sample, query: str = "") -> tuple[Any, Any]:
    """What was sent by a program, and answered."""
    with transaction.atomic():
        token = token_for(case.people[role])[1]
        by_token = not isinstance(needed(name, sample.method), Needs | None)
        client = Client(headers={"Authorization": f"Bearer {token}"} if by_token else None)
        client.force_login(case.people[role])
        url = reverse(name, kwargs=sample.kwargs(case)) + (query or sample.query)
        sent = sample.data(case)
        answer = client.generic(sample.method, url, json.dumps(sent, default=str), JSON)
        transaction.set_rollback(True)
    assert answer.status_code < 300, (role, url, answer.content)
    is_json = answer.get("Content-Type") == JSON
    return json.loads(json.dumps(sent, default=str)), answer.json() if is_json else None


def tidy(value: Any) -> Any:
    """The same at any time: moments from one day on, names that were drawn told in order."""
    ids: dict[str, str] = {}
    now = timezone.now().replace(microsecond=0)

    def moment(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found.group()).replace(microsecond=0)
        return (THEN + (at - now)).strftime("%Y-%m-%dT%H:%M:00Z")

    def drawn(found: re.Match[str]) -> str:
        number = len(ids) + 1
        return ids.setdefault(found.group(), f"5b0f8e0e-54a5-4a39-9a0c-{number:012d}")

    def of(each: Any) -> Any:
        if isinstance(each, dict):
            return {
                key: "7291.0" if key == MARKER and inner else of(inner)
                for key, inner in each.items()
            }
        if isinstance(each, list):
            return [of(inner) for inner in each[:MOST_ROWS]]
        if isinstance(each, str):
            text = UUID.sub(drawn, MOMENT.sub(moment, each))
            text = SECRET.sub(lambda m: m.group(1) + "0123456789abcdef", text)
            return text.replace("http://testserver", "https://remit.example")
        return each

    return of(value)
