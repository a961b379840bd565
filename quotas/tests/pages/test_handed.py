"""What the pages say of deputies left behind, of what is handed on twice, and of the most here."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from projects.actions.people import set_group_members
from projects.models import Delegation
from projects.states import Power
from quotas.actions.delegations import Bound, delegate, name_deputy
from quotas.models import Policy
from quotas.states import PolicyState
from quotas.tests.pages.acting import HTMX, text_of
from quotas.tests.site import Site, make_group

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site(site_today: Site) -> Site:
    return site_today


def client_of(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def left_behind(site: Site) -> Delegation:
    """Mallory stands in for Dana, who has left the group by which she held it; Erin is in it."""
    now = timezone.now()
    group = make_group("coordinators", site.dana, site.erin, since=now - DAY)
    Delegation.objects.filter(user=site.dana).update(user=None, group=group)
    [made] = name_deputy(
        holder=site.dana, user=site.mallory, starts_at=now, ends_at=now + 9 * DAY,
        delegations=[site.delegations["dana"].pk], now=now,
    ).made  # fmt: skip
    set_group_members(group=group, users=[site.erin], now=timezone.now())
    return made


def test_who_handed_on_sees_that_a_deputy_stands_in_for_nobody(site: Site) -> None:
    made = left_behind(site)

    said = text_of(client_of(site, "erin").get(reverse("remit")))
    assert "stands in for nobody any more" in said
    said = text_of(
        client_of(site, "erin").get(reverse("delegation_detail", kwargs={"pk": made.pk}))
    )
    assert "stood in for Dana, who does not hold any more what this comes from" in said


def test_a_deputy_left_behind_has_nothing_in_their_remit(site: Site) -> None:
    made = left_behind(site)

    page = client_of(site, "mallory").get(reverse("remit"))

    assert [each.delegation.pk for each in page.context["held"]] == []
    assert str(made) not in text_of(page)


def typed(site: Site, amount: str = "64") -> dict[str, object]:
    return {
        "from": site.delegations["dana"].pk, "to": f"person:{site.mallory.public_id}",
        "unit": "atlas", "powers": [Power.DECIDE_QUOTA], "depth": 0, "do": "hand",
        "ends_on": timezone.localdate() + 9 * DAY,
        "row-0-resource": "vcpu", "row-0-zone": "*", "row-0-per_decision": amount,
    }  # fmt: skip


def test_a_form_sent_twice_shows_what_it_made(site: Site) -> None:
    dana = client_of(site, "dana")
    assert dana.post(reverse("delegate"), typed(site)).status_code == 302
    made = Delegation.objects.get(user=site.mallory)

    again = dana.post(reverse("delegate"), typed(site))

    assert again.status_code == 409
    assert f"Mallory holds exactly this already, by {made}." in text_of(again)
    address = reverse("delegation_detail", kwargs={"pk": made.pk})
    assert f'href="{address}"' in again.content.decode()


def test_the_preview_tells_what_is_the_most_and_who_has_more(site: Site) -> None:
    preview = client_of(site, "dana").post(
        reverse("delegate_preview"), typed(site, "129"), headers=HTMX
    )

    said, danas = text_of(preview), site.delegations["dana"]
    assert f"vCPU: 128 a decision is the most here: your {danas} allows no more." in said
    assert "Erin has any amount to hand on: ask there." in said


def test_the_preview_of_funding_tells_what_is_the_most(site: Site) -> None:
    address = reverse("unit_fund_preview", kwargs={"slug": "atlas"})

    preview = client_of(site, "erin").post(
        address, {"region": "geneva", f"amount-{site.vcpu.slug}": "+5"}, headers=HTMX
    )

    assert "ORG/EP has that left to give." in text_of(preview)
    assert "Otto can fund ORG/EP from above." in text_of(preview)


def test_pages_agree_on_the_last_day(site: Site) -> None:
    dana = client_of(site, "dana")
    form = typed(site)
    answer = dana.post(reverse("delegate"), form, follow=True)

    day = date_format(timezone.localdate() + 9 * DAY, "j M")
    assert answer.status_code == 200
    assert f"Until {day}" in text_of(answer)
    assert f"until {day}" in text_of(dana.get(reverse("remit")))
    assert f"until {day}" in text_of(dana.get(reverse("delegation_tree")))


def test_a_take_over_tells_which_rules_stop(site: Site) -> None:
    """Dana's own rule has nothing to go on by; Mallory's goes on with what she holds."""
    now = timezone.now()
    below = delegate(
        parent=site.delegations["dana"], grantor=site.dana, user=site.mallory, depth=0,
        unit=site.units["atlas"], powers=[Power.DECIDE_QUOTA], starts_at=now, ends_at=None,
        bounds=[Bound(resource=site.vcpu.resource, per_decision=64)], now=now,
    )  # fmt: skip
    for delegation in (site.delegations["dana"], below):
        assert delegation.user is not None
        Policy.objects.create(
            unit=site.units["atlas"], delegation=delegation, person=delegation.user,
            name=f"Rule of {delegation.user}", state=PolicyState.ON, created_at=now,
        )  # fmt: skip
    address = reverse("delegation_revoke", kwargs={"pk": site.delegations["dana"].pk})
    erin = client_of(site, "erin")
    Delegation.objects.filter(user=site.erin).update(depth=9)

    ends, goes_on = erin.get(address), erin.get(address, {"under": site.delegations["erin"].pk})

    assert "Stop 2 rules that stand on what ends." in text_of(ends)
    assert "Stop 1 rule that stands on what ends." in text_of(goes_on)
    assert len(goes_on.context["going_on"]) == 1
