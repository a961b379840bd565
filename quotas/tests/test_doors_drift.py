"""The verbs on drift through both doors: equal rows after each, equal refusals."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Event
from quotas.models import Account, Decision, Drift, JobItem, QuotaRequest, Target
from quotas.states import DriftKind
from quotas.tests.drifting import make_drift
from quotas.tests.pages.acting import ask, grant
from quotas.tests.site import Site

SOON = (timezone.now() + timedelta(days=9)).date().isoformat()
IGNORE = {"until_on": SOON, "reason": "A test runs."}


@pytest.fixture
def drift(site_today: Site) -> Drift:
    grant(site_today, ask(site_today, {site_today.vcpu.slug: 128}))
    return make_drift(site_today, "cores", wanted=128, seen=200)


def rows() -> dict[str, list[Any]]:
    """What the verbs could change, without moments and numbers of rows."""
    return {
        "drift": list(
            Drift.objects.order_by("pk").values_list(
                "end", "restore_asked_by", "ignored_until", "ignored_by", "ignore_reason"
            )
        ),
        "targets": list(Target.objects.order_by("pk").values_list("state", "generation")),
        "balances": list(Account.objects.order_by("pk").values_list("balance", flat=True)),
        "requests": list(QuotaRequest.objects.order_by("pk").values_list("requester", "reason")),
        "decisions": list(Decision.objects.order_by("pk").values_list("person", "kind", "reason")),
        "items": list(
            JobItem.objects.order_by("pk").values_list("job__kind", "job__arguments", "subject_id")
        ),
        "events": list(Event.objects.order_by("pk").values_list("verb", "actor", "project")),
    }


def through(
    door: str, site: Site, drift: Drift, person: str, verb: str, sent: Mapping[str, Any]
) -> tuple[int, dict[str, list[Any]]]:
    """The status of a verb at a door, 200 where it was done, and the rows after it."""
    client = Client()
    client.force_login(site.people[person])
    is_many = verb.startswith("many ")
    verb = verb.removeprefix("many ")
    with transaction.atomic():
        if door == "api":
            name = f"api_drifts_{verb}" if is_many else f"api_drift_{verb}"
            url = reverse(name, args=[] if is_many else [drift.pk])
            body = dict(sent) | ({"drift": [drift.pk]} if is_many else {})
            answer = client.post(url, body, "application/json")
        elif is_many:
            form = dict(sent) | {"drift": [drift.pk], "do": verb, "confirmed": "yes"}
            answer = client.post(reverse("drift_chosen"), form)
        else:
            args = ["atlas-reco", drift.pk] if verb == "adopt" else [drift.pk]
            answer = client.post(reverse(f"drift_{verb}", args=args), dict(sent))
        after = rows()
        transaction.set_rollback(True)
    done = (302,) if door == "page" else (200, 202)
    return (200 if answer.status_code in done else answer.status_code), after


@pytest.mark.parametrize(
    ("person", "verb", "sent"),
    [
        ("otto", "restore", {}),
        ("otto", "ignore", IGNORE),
        ("otto", "many restore", {}),
        ("otto", "many ignore", IGNORE),
        # Dana gave them all that she may within a month.
        ("erin", "adopt", {"seen": 200, "reason": "They need it."}),
    ],
)
def test_both_doors_leave_equal_rows(
    site_today: Site, drift: Drift, person: str, verb: str, sent: Mapping[str, Any]
) -> None:
    before = rows()
    by_page, page_rows = through("page", site_today, drift, person, verb, sent)
    by_api, api_rows = through("api", site_today, drift, person, verb, sent)
    assert (by_page, by_api) == (200, 200)
    assert page_rows == api_rows != before


@pytest.mark.parametrize(
    ("status", "person", "verb", "sent", "kind"),
    [
        (403, "alice", "restore", {}, None),
        (403, "audrey", "restore", {}, None),
        (409, "otto", "restore", {}, DriftKind.KEY_MISSING),
        (403, "dana", "ignore", IGNORE, None),
        (422, "otto", "ignore", IGNORE | {"reason": ""}, None),
        (422, "otto", "ignore", IGNORE | {"until_on": "2001-01-01"}, None),
        (403, "audrey", "many restore", {}, None),
        (422, "otto", "many ignore", IGNORE | {"reason": "a\x00b"}, None),
        (404, "mallory", "adopt", {"seen": 200}, None),
        (403, "alice", "adopt", {"seen": 200}, None),
        (403, "audrey", "adopt", {"seen": 200}, None),
        (409, "dana", "adopt", {"seen": 200}, DriftKind.UNLIMITED),
        (412, "dana", "adopt", {"seen": 7}, None),
        (422, "dana", "adopt", {"seen": 200, "offering": "geneva.nowhere.vcpu"}, None),
    ],
)
def test_both_doors_refuse_alike_and_store_nothing(
    site_today: Site,
    drift: Drift,
    status: int,
    person: str,
    verb: str,
    sent: Mapping[str, Any],
    kind: DriftKind | None,
) -> None:
    if kind is not None:
        Drift.objects.update(kind=kind)
    before = rows()
    for door in ("page", "api"):
        assert through(door, site_today, drift, person, verb, sent) == (status, before)
