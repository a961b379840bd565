"""Handing on, deputies and taking back through both doors: equal rows, equal refusals."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from projects.models import Delegation, Event, Notice
from projects.states import Power
from quotas.actions.delegations import Bound, delegate
from quotas.models import DelegationBound
from quotas.queries.hanging import seen_of
from quotas.tests.api import caller, refusal
from quotas.tests.counting import assert_flat
from quotas.tests.doors import DONE
from quotas.tests.site import Site

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site(site_today: Site) -> Site:
    """Each may be handed on once less often than the one above; Mallory has a part of Dana's."""
    for name, depth in (("otto", 5), ("erin", 4), ("dana", 3)):
        Delegation.objects.filter(pk=site_today.delegations[name].pk).update(depth=depth)
        site_today.delegations[name].depth = depth
    site_today.delegations["mallory"] = hand(site_today)
    return site_today


def hand(site: Site, amount: int = 64) -> Delegation:
    now = timezone.now()
    return delegate(
        parent=site.delegations["dana"], grantor=site.dana, user=site.mallory, depth=0,
        unit=site.units["atlas"], powers=[Power.DECIDE_QUOTA], starts_at=now, ends_at=None,
        bounds=[Bound(resource=site.vcpu.resource, per_decision=amount)], now=now,
    )  # fmt: skip


@dataclass(frozen=True)
class Act:
    """A verb of a person, by what it changes of an act that is in order."""

    verb: str
    person: str
    parent: str = "dana"
    unit: str = "atlas"
    amount: str = "64"
    to: str = "bob"
    about: str = "dana"
    seen: str | None = None
    reason: str = "tests"


Sent = tuple[str, dict[str, Any]]
LAST_DAY = timezone.localdate() + 9 * DAY


def end_of(day: date) -> str:
    midnight = datetime.combine(day + DAY, time.min)
    return timezone.make_aware(midnight).isoformat()


def seen(site: Site, act: Act) -> str:
    return act.seen if act.seen is not None else seen_of(
        site.delegations[act.about], timezone.now()
    )  # fmt: skip


def page_hand(site: Site, act: Act) -> Sent:
    return "/remit/hand-on/", {
        "from": site.delegations[act.parent].pk, "to": f"person:{site.people[act.to].public_id}",
        "unit": act.unit, "powers": ["decide quota"], "depth": 0, "do": "hand", "purpose": "tests",
        "ends_on": LAST_DAY, "row-0-resource": "vcpu", "row-0-zone": "*",
        "row-0-per_decision": act.amount,
    }  # fmt: skip


def api_hand(site: Site, act: Act) -> Sent:
    return "/api/v1/delegations/", {
        "parent": site.delegations[act.parent].pk, "unit": act.unit, "powers": ["decide quota"],
        "delegate": {"kind": "person", "id": str(site.people[act.to].public_id)},
        "bounds": [{"resource": "vcpu", "per_decision": int(act.amount)}], "purpose": "tests",
        "ends_at": end_of(LAST_DAY),
    }  # fmt: skip


def page_deputy(site: Site, act: Act) -> Sent:
    return "/remit/deputy/", {
        "to": f"person:{site.people[act.to].public_id}", "ends_on": LAST_DAY, "do": "name",
    }  # fmt: skip


def api_deputy(site: Site, act: Act) -> Sent:
    return "/api/v1/delegations/deputies/", {
        "person": str(site.people[act.to].public_id), "ends_at": end_of(LAST_DAY),
    }  # fmt: skip


def page_revoke(site: Site, act: Act) -> Sent:
    pk = site.delegations[act.about].pk
    return f"/remit/D-{pk}/revoke/", {"seen": seen(site, act), "reason": act.reason}


def api_revoke(site: Site, act: Act) -> Sent:
    pk = site.delegations[act.about].pk
    return f"/api/v1/delegations/{pk}/revoke/", {"seen": seen(site, act), "reason": act.reason}


def page_reissue(site: Site, act: Act) -> Sent:
    path, form = page_revoke(site, act)
    return path, form | {"under": site.delegations[act.parent].pk}


def api_reissue(site: Site, act: Act) -> Sent:
    pk = site.delegations[act.about].pk
    body = {"seen": seen(site, act), "reason": act.reason}
    return f"/api/v1/delegations/{pk}/reissue/", body | {
        "parent": site.delegations[act.parent].pk
    }  # fmt: skip


DOORS: dict[str, dict[str, Callable[[Site, Act], Sent]]] = {
    "hand on": {"page": page_hand, "api": api_hand},
    "deputy": {"page": page_deputy, "api": api_deputy},
    "revoke": {"page": page_revoke, "api": api_revoke},
    "reissue": {"page": page_reissue, "api": api_reissue},
}


def rows() -> dict[str, Any]:
    """Everything that a verb could change, without numbers that differ from one run to the next."""
    return {
        "delegations": [
            (
                str(each.user), str(each.grantor), str(each.parent and each.parent.user),
                str(each.replaces and each.replaces.user), each.unit.slug, each.powers, each.depth,
                each.is_deputy, each.purpose, each.ends_at, each.revoked_at is None,
                str(each.revoked_by), each.revoked_why,
            )
            for each in Delegation.objects.order_by("pk")
        ],
        "bounds": list(
            DelegationBound.objects.order_by("pk").values_list(
                "delegation__user__subject", "resource__slug", "zone__slug", "per_decision",
                "window_days", "total", "period_days",
            )
        ),
        "events": list(Event.objects.order_by("pk").values_list("verb", "actor__subject")),
        "notices": list(Notice.objects.order_by("pk").values_list("person__subject", "kind")),
    }  # fmt: skip


def at(site: Site, door: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    """The status of an act at a door, the rows after it, and whether they are those of before."""
    with transaction.atomic():
        before = rows()
        client = Client()
        client.force_login(site.people[act.person])
        path, sent = DOORS[act.verb][door](site, act)
        if door == "page":
            status = client.post(path, sent).status_code
        else:
            status = client.generic("POST", path, json.dumps(sent), "application/json").status_code
        after = rows()
        transaction.set_rollback(True)
    return DONE if status in (200, 201, 302) else status, after, before == after


@pytest.mark.parametrize(
    "act",
    [
        Act("hand on", "dana"),
        Act("deputy", "dana"),
        Act("revoke", "erin"),
        Act("revoke", "dana", about="mallory"),
        Act("reissue", "erin", parent="erin"),
    ],
)
def test_both_doors_leave_equal_rows(site: Site, act: Act) -> None:
    status, by_page, is_same = at(site, "page", act)
    other, by_api, __ = at(site, "api", act)

    assert (status, other, is_same) == (DONE, DONE, False)
    assert by_page == by_api


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (Act("hand on", "dana", amount="129"), 422),
        (Act("hand on", "dana", unit="ep"), 422),
        (Act("hand on", "dana", to="dana"), 422),
        (Act("hand on", "alice"), 403),
        (Act("deputy", "dana", to="dana"), 422),
        (Act("deputy", "mallory"), 403),
        (Act("revoke", "erin", seen="before"), 412),
        (Act("revoke", "erin", reason="x" * 501), 422),
        (Act("revoke", "mallory"), 403),
        (Act("revoke", "alice"), 404),
        (Act("revoke", "dana"), 403),
        (Act("revoke", "otto", about="otto"), 403),
        (Act("reissue", "erin", parent="erin", seen="before"), 412),
    ],
)
def test_both_doors_refuse_alike_and_change_nothing(site: Site, act: Act, status: int) -> None:
    refused_alike(site, act, status)


def refused_alike(site: Site, act: Act, status: int) -> None:
    answers = {door: at(site, door, act) for door in ("page", "api")}

    assert {door: (each[0], each[2]) for door, each in answers.items()} == {
        "page": (status, True), "api": (status, True),
    }  # fmt: skip


@pytest.mark.parametrize("first", ["page", "api"])
def test_both_doors_refuse_to_hand_on_the_same_twice(site: Site, first: str) -> None:
    act = Act("hand on", "dana")
    path, sent = DOORS[act.verb][first](site, act)
    if first == "page":
        client = Client()
        client.force_login(site.dana)
        assert client.post(path, sent).status_code == 302
    else:
        assert caller(site, "dana").post(path.removeprefix("/api/v1/"), sent).status_code == 201

    refused_alike(site, act, 409)

    made = Delegation.objects.get(user=site.bob)
    refused = caller(site, "dana").post("delegations/", api_hand(site, act)[1]).json()
    assert refused["facts"] == {"delegation": made.pk}
    assert refused["detail"] == (
        f"Bob holds exactly this already, by {made}. Leave it at that, or revoke {made} "
        "and hand on other terms."
    )


def test_both_doors_refuse_to_hand_on_what_ends_with_its_holder(site: Site) -> None:
    """Dana may hand on from what she has, but not from the second thing that she has."""
    now = timezone.now()
    site.delegations["flat"] = delegate(
        parent=site.delegations["erin"], grantor=site.erin, user=site.dana, depth=0,
        unit=site.units["atlas"], powers=[Power.DECIDE_QUOTA], starts_at=now, ends_at=None,
        bounds=[Bound()], now=now,
    )  # fmt: skip

    refused_alike(site, Act("hand on", "dana", parent="flat"), 403)

    flat = site.delegations["flat"]
    sent = api_hand(site, Act("hand on", "dana", parent="flat"))[1]
    refused = caller(site, "dana").post("delegations/", sent).json()
    assert refused["detail"] == (
        f"{flat} for ORG/EP/ATLAS cannot be handed on: ask Erin to hand on from theirs."
    )


def test_api_names_the_field_and_how_far_one_may_go(site: Site) -> None:
    path, sent = api_hand(site, Act("hand on", "dana", amount="129"))

    answer = caller(site, "dana").post(path.removeprefix("/api/v1/"), sent)

    assert refusal(answer) == (422, "invalid")
    problem = answer.json()
    assert [each["pointer"] for each in problem["errors"]] == ["#/bounds/0"]
    assert problem["facts"] == {"dimension": "per_decision", "bound": 128}


def test_api_previews_what_handing_on_would_do(site: Site) -> None:
    count = Delegation.objects.count()
    __, sent = api_hand(site, Act("hand on", "dana"))

    answer = caller(site, "dana").post("delegations/preview/", sent)

    assert answer.json()["does"][0] == "Bob may decide quota for ORG/EP/ATLAS and all below."
    assert "others must decide for these" in answer.json()["warns"][0]
    assert Delegation.objects.count() == count


def test_api_shows_what_hangs_and_what_would_go_on(site: Site) -> None:
    pk, below = site.delegations["dana"].pk, site.delegations["mallory"].pk
    erin = caller(site, "erin")

    hanging = erin.get(f"delegations/{pk}/hanging/").json()
    moves = erin.post(
        f"delegations/{pk}/reissue/preview/", {"parent": site.delegations["erin"].pk}
    ).json()

    assert [each["id"] for each in hanging["below"]] == [below]
    assert moves["seen"] == hanging["seen"]
    assert [(each["delegation"], each["fits"]) for each in moves["moves"]] == [(below, True)]


def test_api_filters_delegations(site: Site) -> None:
    erin = caller(site, "erin")

    def found(**asked: Any) -> list[int]:
        return [each["id"] for each in erin.get("delegations/", **asked).json()["results"]]

    assert found(parent=site.delegations["dana"].pk) == [site.delegations["mallory"].pk]
    assert site.delegations["dana"].pk in found(under="ep", power="decide quota", live="true")
    assert found(under="it") == []


def test_query_count_of_hanging_is_flat(site: Site) -> None:
    erin, pk = caller(site, "erin"), site.delegations["dana"].pk

    def load() -> None:
        assert erin.get(f"delegations/{pk}/hanging/").status_code == 200

    assert_flat("api_hanging", load, lambda: [hand(site, amount) for amount in range(12)])
