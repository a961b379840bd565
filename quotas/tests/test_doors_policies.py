"""Rules through both doors: the same rows after each verb, the same refusals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Event
from quotas.actions import policies
from quotas.actions.delegations import revoke
from quotas.actions.policies import Terms
from quotas.models import Policy, PolicyVersion
from quotas.tests.counting import assert_flat
from quotas.tests.site import Site

DONE = 200
TERMS: dict[str, Any] = {
    "direction": "increase", "resource": "vcpu", "zone": "geneva.compute-a", "most_percent": 25,
    "most_amount": 32, "every_days": 14, "usage_above_percent": 60,
}  # fmt: skip


@dataclass(frozen=True)
class Act:
    """A verb of a person on the only rule there is, or on Atlas."""

    verb: str
    person: str = "dana"
    terms: dict[str, Any] | None = None
    version: int = 1
    unit: str = "atlas"


def by_page(site: Site, act: Act, rule: Policy | None) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    terms = act.terms if act.terms is not None else TERMS
    form = {"name": "Steps", "do": "save", "version": act.version, "unit": act.unit} | {
        name: "" if value is None else str(value) for name, value in terms.items()
    }
    addresses = {
        "make": ("policy_new", {}), "revise": ("policy_revise", {"pk": rule and rule.pk}),
        "on": ("policy_switch_on", {"pk": rule and rule.pk}),
        "off": ("policy_switch_off", {"pk": rule and rule.pk}),
    }  # fmt: skip
    name, kwargs = addresses[act.verb]
    answer = client.post(reverse(name, kwargs=kwargs), form)
    return DONE if answer.status_code == 302 else answer.status_code


def by_api(site: Site, act: Act, rule: Policy | None) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    terms = act.terms if act.terms is not None else TERMS
    bodies: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "make": ("api_policies", {}, {"unit": act.unit, "name": "Steps", "terms": terms}),
        "revise": ("api_policy_revise", {"pk": rule and rule.pk},
                   {"name": "Steps", "terms": terms, "version": act.version}),
        "on": ("api_policy_switch_on", {"pk": rule and rule.pk}, {"version": act.version}),
        "off": ("api_policy_switch_off", {"pk": rule and rule.pk}, {}),
    }  # fmt: skip
    name, kwargs, body = bodies[act.verb]
    answer = client.post(reverse(name, kwargs=kwargs), body, content_type="application/json")
    return DONE if answer.status_code in (200, 201) else answer.status_code


DOORS: dict[str, Callable[[Site, Act, Policy | None], int]] = {"page": by_page, "api": by_api}


def rows() -> dict[str, Any]:
    """Everything that a verb could change."""
    return {
        "policies": list(
            Policy.objects.order_by("pk").values_list(
                "unit__slug", "delegation", "person__subject", "name", "state", "version"
            )
        ),
        "versions": list(
            PolicyVersion.objects.order_by("policy", "number").values_list(
                "number", "direction", "resource__slug", "zone__slug", "project_kind",
                "most_percent", "most_amount", "every_days", "envelope_left_percent",
                "zone_left_percent", "usage_above_percent", "made_by__subject",
            )
        ),
        "events": list(
            Event.objects.order_by("pk").values_list("verb", "actor__subject", "unit__slug", "data")
        ),
    }  # fmt: skip


def prepare(site: Site, state: str) -> Policy | None:
    if not state:
        return None
    before = timezone.now() - timedelta(hours=1)
    rule = policies.make(
        unit=site.units["atlas"], name="Steps", actor=site.dana, now=before,
        terms=Terms(resource=site.vcpu.resource, most_amount=8),
    )  # fmt: skip
    if state in ("on", "off", "ended"):
        rule = policies.switch_on(policy=rule, version=1, actor=site.dana, now=before)
    if state == "off":
        rule = policies.switch_off(policy=rule, actor=site.dana, now=before)
    if state == "ended":
        revoke(delegation=site.delegations["dana"], actor=site.erin, now=before)
    return rule


def at(site: Site, door: str, state: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    with transaction.atomic():
        rule = prepare(site, state)
        before = rows()
        status = DOORS[door](site, act, rule)
        after = rows()
        transaction.set_rollback(True)
    return status, after, before == after


DONE_ACTS = [
    ("", Act("make")), ("", Act("make", "erin")),
    ("", Act("make", terms={"direction": "decrease"})),
    ("draft", Act("revise")), ("on", Act("revise")), ("off", Act("revise")),
    ("draft", Act("on")), ("off", Act("on")), ("on", Act("off")), ("on", Act("off", "erin")),
    ("on", Act("off", "otto")),
]  # fmt: skip

REFUSED_ACTS = [
    (403, "", Act("make", "alice")), (403, "", Act("make", "mallory")),
    (403, "", Act("make", "audrey")), (403, "", Act("make", unit="it")),
    (422, "", Act("make", terms={**TERMS, "most_amount": 129})),
    (422, "", Act("make", terms={**TERMS, "most_amount": None, "most_percent": None})),
    (422, "", Act("make", terms={**TERMS, "every_days": 0})),
    (422, "", Act("make", terms={"direction": "decrease", "most_percent": 5})),
    (403, "draft", Act("revise", "erin")), (403, "draft", Act("on", "erin")),
    (403, "draft", Act("on", "mallory")), (403, "on", Act("off", "alice")),
    (412, "draft", Act("on", version=2)), (412, "on", Act("revise", version=2)),
    (409, "on", Act("on")), (409, "draft", Act("off")), (409, "off", Act("off")),
    (422, "draft", Act("revise", terms={**TERMS, "usage_above_percent": 100})),
    (403, "ended", Act("revise")),
]  # fmt: skip


@pytest.mark.parametrize(("state", "act"), DONE_ACTS)
def test_both_doors_leave_equal_rows(site_today: Site, state: str, act: Act) -> None:
    page, page_rows, is_same = at(site_today, "page", state, act)
    api, api_rows, _is_same = at(site_today, "api", state, act)
    assert (page, api) == (DONE, DONE)
    assert not is_same
    # Ids differ from one run to the next.
    assert page_rows == api_rows


@pytest.mark.parametrize(("status", "state", "act"), REFUSED_ACTS)
def test_both_doors_refuse_alike(site_today: Site, status: int, state: str, act: Act) -> None:
    for door in DOORS:
        found, _rows, is_same = at(site_today, door, state, act)
        assert (found, is_same) == (status, True), door


def test_what_a_rule_granted_is_cited_with_its_sentence(site_today: Site, client: Client) -> None:
    site = site_today
    prepare(site, "on")
    client.force_login(site.alice)
    sent = {"lines": {site.vcpu.slug: 8}, "reason": "runs", "project": "atlas-reco"}
    number = client.post(reverse("api_requests"), sent, content_type="application/json").json()[
        "id"
    ]
    rule = Policy.objects.get()
    page = client.get(reverse("request_detail", kwargs={"number": number})).content.decode()
    assert f"Rule R{rule.pk}.1" in page
    assert "Increases of vCPU, by at most 8." in page
    assert page.index("asked for") < page.index(f"Rule R{rule.pk}.1")
    why = reverse("quota_why", kwargs={"slug": "atlas-reco", "offering": site.vcpu.slug})
    assert f"Rule R{rule.pk}.1</a>" in client.get(why).content.decode()
    decision = client.get(reverse("api_decisions")).json()["results"][0]
    assert (decision["actor"], decision["rule"]) == (None, f"R{rule.pk}.1")
    shown = client.get(reverse("policy_detail", kwargs={"pk": rule.pk})).content.decode()
    assert f"#{number}" in shown
    client.force_login(site.mallory)
    assert (
        f"#{number}"
        not in client.get(reverse("policy_detail", kwargs={"pk": rule.pk})).content.decode()
    )


def test_the_lists_of_rules_cost_the_same_for_many(site_today: Site, client: Client) -> None:
    prepare(site_today, "on")
    client.force_login(site_today.dana)

    def grow() -> None:
        for _number in range(9):
            prepare(site_today, "on")

    for name in ("policy_list", "api_policies"):
        address = reverse(name)

        def load(address: str = address) -> None:
            assert client.get(address).status_code == 200

        assert_flat(name, load, grow)


def test_the_list_offers_a_rule_where_one_decides(site_today: Site, client: Client) -> None:
    address = reverse("policy_list")
    client.force_login(site_today.dana)
    offered = client.get(address).content.decode()
    assert f'href="{reverse("policy_new")}?unit=atlas"' in offered
    assert "New rule for ORG/EP/ATLAS" in offered
    client.force_login(site_today.mallory)
    assert reverse("policy_new") not in client.get(address).content.decode()
