"""The pages about one's own authority: what is used of it, handing on, deputies, taking back."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Delegation
from projects.states import Power
from quotas.actions.delegations import Bound, delegate
from quotas.models import BoundUse
from quotas.tests.counting import assert_flat
from quotas.tests.pages.acting import HTMX, text_of
from quotas.tests.site import GIB, Site, make_group

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site(site_today: Site) -> Site:
    """Each may be handed on once less often than the one above it."""
    for name, depth in (("otto", 5), ("erin", 4), ("dana", 3)):
        Delegation.objects.filter(pk=site_today.delegations[name].pk).update(depth=depth)
        site_today.delegations[name].depth = depth
    return site_today


def client_of(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def key(site: Site, name: str) -> str:
    return f"person:{site.people[name].public_id}"


def typed(site: Site, **changes: Any) -> dict[str, Any]:
    """Dana hands 64 vCPU a decision to Mallory."""
    form = {
        "from": site.delegations["dana"].pk, "to": key(site, "mallory"), "unit": "atlas",
        "powers": [Power.DECIDE_QUOTA], "depth": 0, "purpose": "Shifts", "do": "hand",
        "row-0-resource": "vcpu", "row-0-zone": "geneva.compute-a", "row-0-per_decision": "64",
        "row-1-resource": "space", "row-1-zone": "*", "row-1-per_decision": "0.125T",
        "row-1-total": "0.5T", "row-1-period_days": "365", "row-2-resource": "",
    }  # fmt: skip
    return form | changes


def hand(site: Site, name: str = "mallory", **changes: Any) -> Delegation:
    now = timezone.now()
    danas = site.delegations["dana"]
    terms: dict[str, Any] = {
        "parent": danas, "grantor": site.dana, "user": site.people[name], "depth": 1,
        "unit": site.units["atlas"], "powers": [Power.DECIDE_QUOTA], "starts_at": now,
        "ends_at": now + 9 * DAY, "now": now,
        "bounds": [Bound(resource=site.vcpu.resource, per_decision=64, total=200)],
    }  # fmt: skip
    return delegate(**(terms | changes))


def test_hand_on_by_the_form(site: Site) -> None:
    answer = client_of(site, "dana").post(reverse("delegate"), typed(site))

    made = Delegation.objects.latest("pk")
    assert answer.headers["Location"] == reverse("delegation_detail", kwargs={"pk": made.pk})
    assert (made.user, made.parent, made.purpose) == (
        site.mallory, site.delegations["dana"], "Shifts",
    )  # fmt: skip
    vcpu, space = made.bounds.order_by("pk")
    assert (vcpu.zone, vcpu.per_decision, vcpu.window_days) == (site.vcpu.zone, 64, 30)
    assert (space.per_decision, space.total, space.period_days) == (
        128 * GIB, 512 * GIB, 365,
    )  # fmt: skip


def test_hand_on_refused_names_the_fields_and_rows(site: Site) -> None:
    answer = client_of(site, "dana").post(
        reverse("delegate"),
        typed(site, to="", unit="ep", depth=7, **{"row-0-per_decision": "129"}),
    )

    said = text_of(answer)
    assert answer.status_code == 422
    for sentence in (
        "Name a person or a group", "ORG/EP does not lie in ORG/EP/ATLAS.",
        "It can be handed on at most 2 more times.",
        "Of vCPU in compute-a you may give 128 per decision.",
    ):  # fmt: skip
        assert sentence in said
    assert 'value="129"' in answer.content.decode()


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_hand_on_until_where_dates_end_is_refused_in_words(site: Site, day: str) -> None:
    client = client_of(site, "dana")
    assert client.post(reverse("delegate"), typed(site, ends_on=day)).status_code == 422
    form = {"to": f"person:{site.mallory.public_id}", "ends_on": day, "do": "name"}
    assert client.post(reverse("deputy_new"), form).status_code == 422


def test_hand_on_with_an_amount_that_cannot_be_read_keeps_it(site: Site) -> None:
    answer = client_of(site, "dana").post(
        reverse("delegate"), typed(site, **{"row-1-per_decision": "many"})
    )

    assert answer.status_code == 422
    assert "“many” is not an amount" in text_of(answer)
    assert Delegation.objects.filter(user=site.mallory).count() == 0


def test_the_preview_says_what_they_could_do_and_what_is_wrong(site: Site) -> None:
    answer = client_of(site, "dana").post(
        reverse("delegate_preview"), typed(site, to=key(site, "bob")), headers=HTMX
    )

    said = text_of(answer)
    assert "Bob may decide quota for ORG/EP/ATLAS and all below." in said
    assert "vCPU in compute-a: 64 a decision, counted over 30 days." in said
    assert "They cannot hand it on." in said
    assert "Bob works in atlas-reco there: others must decide for these." in said
    assert "<html" not in answer.content.decode()


def test_the_preview_warns_of_a_group_of_many_and_of_too_little_left(site: Site) -> None:
    group = make_group("shifters", *site.people.values(), since=timezone.now() - DAY)
    row = site.delegations["dana"].bounds.get(resource=site.space.resource)
    type(row).objects.filter(pk=row.pk).update(total=1024 * GIB, period_days=365)
    BoundUse.objects.create(
        bound=row, power=Power.DECIDE_QUOTA, period=0, most=1024 * GIB, used=1000 * GIB
    )

    answer = client_of(site, "dana").post(
        reverse("delegate_preview"), typed(site, to=f"group:{group.public_id}"), headers=HTMX
    )

    said = text_of(answer)
    assert "8 people are in shifters now" in said
    assert "Of Volume space you have 24 GiB left yourself, and hand on 512 GiB." in said


def test_people_are_found_by_name_without_javascript(site: Site) -> None:
    answer = client_of(site, "dana").post(
        reverse("delegate"), typed(site, to="", q="mall", do="find")
    )

    assert key(site, "mallory") in answer.content.decode()
    assert answer.status_code == 200


def test_a_deputy_in_one_form(site: Site) -> None:
    today = timezone.localdate()
    answer = client_of(site, "dana").post(
        reverse("deputy_new"),
        {"to": key(site, "mallory"), "starts_on": today, "ends_on": today + 3 * DAY, "do": "name"},
    )

    made = Delegation.objects.latest("pk")
    assert answer.headers["Location"] == reverse("remit")
    assert (made.is_deputy, made.user, made.parent) == (
        True, site.mallory, site.delegations["dana"],
    )  # fmt: skip
    assert made.ends_at is not None
    assert timezone.localtime(made.ends_at).date() == today + 4 * DAY
    said = text_of(client_of(site, "dana").get(reverse("remit")))
    assert "Mallory stands in now" in said


def test_a_deputy_without_a_person_or_an_end_is_refused(site: Site) -> None:
    answer = client_of(site, "dana").post(reverse("deputy_new"), {"do": "name"})

    assert answer.status_code == 422
    assert "Choose who stands in." in text_of(answer)


def test_a_deputy_where_nothing_can_be_handed_on_says_whom_to_ask(site: Site) -> None:
    Delegation.objects.filter(user=site.dana).update(depth=0)

    answer = client_of(site, "dana").get(reverse("deputy_new"))

    assert answer.status_code == 403
    assert "Whoever you have your remit from" in text_of(answer)


def test_revoke_shows_what_hangs_from_it_and_asks_again_when_that_changed(site: Site) -> None:
    erin, danas = client_of(site, "erin"), site.delegations["dana"]
    address = reverse("delegation_revoke", kwargs={"pk": danas.pk})
    first = hand(site)
    page = erin.get(address)
    assert str(first) in text_of(page)
    seen = page.context["hanging"].seen
    hand(site, "bob")

    stale = erin.post(address, {"seen": seen, "reason": "Moved"})
    assert stale.status_code == 412
    done = erin.post(address, {"seen": stale.context["hanging"].seen, "reason": "Moved"})

    danas.refresh_from_db()
    assert done.status_code == 302
    assert (danas.revoked_by, danas.revoked_why) == (site.erin, "Moved")


def test_take_over_through_the_page(site: Site) -> None:
    erin, danas = client_of(site, "erin"), site.delegations["dana"]
    old, under = hand(site), site.delegations["erin"].pk
    address = reverse("delegation_revoke", kwargs={"pk": danas.pk})
    page = erin.get(address, {"under": under})
    assert "goes on" in text_of(page)

    erin.post(address, {"seen": page.context["hanging"].seen, "under": under, "reason": ""})

    made = Delegation.objects.get(replaces=old)
    assert (made.parent, made.grantor, made.user) == (
        site.delegations["erin"], site.erin, site.mallory,
    )  # fmt: skip


def test_remit_shows_what_is_used_and_by_whom(site: Site) -> None:
    made = hand(site)
    [row] = made.bounds.all()
    BoundUse.objects.create(bound=row, power=Power.DECIDE_QUOTA, period=0, most=200, used=120)

    said = text_of(client_of(site, "dana").get(reverse("remit")))
    assert "120 of 200" in said
    theirs = text_of(client_of(site, "mallory").get(reverse("remit")))
    assert "in all, it does not fill up again" in theirs


def grow(site: Site, count: int = 12) -> None:
    for number in range(count):
        hand(site, "mallory" if number % 2 else "bob")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("remit", "/remit/"),
        ("delegation_tree", "/remit/tree/"),
        ("delegation_tree filtered", "/remit/tree/?unit=atlas"),
    ],
)
def test_query_counts_are_flat(site: Site, name: str, address: str) -> None:
    hand(site)
    dana = client_of(site, "dana")

    def load() -> None:
        assert dana.get(address).status_code == 200

    assert_flat(name, load, lambda: grow(site))


def test_query_count_of_the_revoke_page_is_flat(site: Site) -> None:
    hand(site)
    erin = client_of(site, "erin")
    address = reverse("delegation_revoke", kwargs={"pk": site.delegations["dana"].pk})

    def load() -> None:
        assert erin.get(address).status_code == 200

    assert_flat("delegation_revoke", load, lambda: grow(site))


def test_the_tree_folds_and_filters(site: Site) -> None:
    made = hand(site)
    otto = client_of(site, "otto")

    whole = text_of(otto.get(reverse("delegation_tree")))
    assert "Erin" in whole
    found = text_of(otto.get(reverse("delegation_tree"), {"person": "mall"}))
    assert f"{made}" in found
    assert "Otto → Erin → Dana" in found
    assert "Nothing fits that" in text_of(otto.get(reverse("delegation_tree"), {"unit": "nowhere"}))
    below = otto.get(reverse("delegation_tree"), {"top": site.delegations["dana"].pk})
    assert [node.delegation.pk for node in below.context["nodes"]] == [site.delegations["dana"].pk]


def test_a_big_tree_is_a_light_page(site: Site) -> None:
    now = timezone.now()
    danas = site.delegations["dana"]
    Delegation.objects.bulk_create(
        Delegation(
            parent=danas, ancestors=danas.chain_ids, grantor=site.dana, user=site.bob,
            unit=site.units["atlas"], powers=[Power.DECIDE_QUOTA], starts_at=now, created_at=now,
        )
        for __ in range(2000)
    )  # fmt: skip

    page = client_of(site, "otto").get(reverse("delegation_tree"))

    assert len(page.content) < 300_000
    assert "2000 below" in text_of(page)
