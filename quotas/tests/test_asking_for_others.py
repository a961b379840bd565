"""The helpdesk asks in somebody's name: visible in the record, decided by neither of both."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.lib.errors import Forbidden, Invalid
from projects.models import Delegation, Event, Membership
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, Power
from quotas.actions import decide, requests
from quotas.actions.rerouting import route_again
from quotas.actions.wishes import Wish
from quotas.models import Assignment, DelegationBound, QuotaRequest
from quotas.queries.requests import queue
from quotas.tests.api import approval, caller, refusal
from quotas.tests.pages.deciding import ask, ask_for_many, page, signed_in, text
from quotas.tests.site import GIB, Site, make_helper


@pytest.fixture
def desk(site_today: Site) -> Site:
    make_helper(site_today)
    return site_today


def ask_for(site: Site, who: str = "alice") -> QuotaRequest:
    return requests.submit(
        project=site.project, wish=Wish({site.vcpu.slug: 100}, "by phone"),
        requester=site.people[who], actor=site.hilda, now=timezone.now(),
    )  # fmt: skip


def test_a_request_in_anothers_name_says_who_wrote_it(desk: Site) -> None:
    asked = ask_for(desk)
    assert (asked.requester, asked.asked_by) == (desk.alice, desk.hilda)
    event = Event.objects.get(verb="submitted", subject_id=asked.pk)
    assert (event.actor, event.data["requester"]) == (desk.hilda, desk.alice.pk)
    assert list(desk.alice.notices.values_list("kind", flat=True)) == [NoticeKind.ASKED]
    html = text(page(desk, "alice", f"/requests/{asked.pk}/"))
    assert "in the name of" in html
    shown = caller(desk, "bob").get(f"requests/{asked.pk}/").json()
    assert (shown["requester"]["name"], shown["asked_by"]["name"]) == ("Alice", "Hilda")


@pytest.mark.parametrize("who", ["bob", "rita", "mallory", "dana"])
def test_only_for_who_may_ask_themselves(desk: Site, who: str) -> None:
    with pytest.raises(Invalid) as refused:
        ask_for(desk, who)
    assert list(refused.value.errors) == ["requester"]
    assert not QuotaRequest.objects.exists()


def test_only_where_the_power_is_held(desk: Site) -> None:
    Delegation.objects.filter(pk=desk.delegations["hilda"].pk).update(unit=desk.units["it"])
    with pytest.raises(Forbidden):
        requests.submit(
            project=desk.project, wish=Wish({desk.vcpu.slug: 5}, "x"), requester=desk.alice,
            actor=desk.erin, now=timezone.now(),
        )  # fmt: skip


def test_both_are_told_of_what_becomes_of_it(desk: Site) -> None:
    asked = ask_for(desk)
    decide.decline(
        quota_request=asked, line_ids=[asked.lines.get().pk], reason="No", version=1,
        actor=desk.dana, now=timezone.now(),
    )  # fmt: skip
    for name in ("alice", "hilda"):
        assert desk.people[name].notices.filter(kind=NoticeKind.DECIDED).count() == 1


def test_who_wrote_it_never_decides_it(desk: Site) -> None:
    mighty = Delegation.objects.create(
        parent=desk.delegations["erin"], ancestors=desk.delegations["erin"].chain_ids,
        user=desk.hilda, powers=[Power.DECIDE_QUOTA], unit=desk.units["atlas"],
        starts_at=desk.delegations["erin"].starts_at, created_at=timezone.now(),
        grantor=desk.erin,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=mighty)
    own, others = ask_for(desk), None
    seen = queue(Viewer.of(desk.hilda, timezone.now()))
    assert own.pk not in seen.values_list("pk", flat=True)
    body = approval(desk, own)
    assert refusal(caller(desk, "hilda").post(f"requests/{own.pk}/approve/", body)) == (
        403, "forbidden",
    )  # fmt: skip
    others = ask(desk, {desk.space.slug: 5 * GIB})
    body = approval(desk, others)
    assert caller(desk, "hilda").post(f"requests/{others.pk}/approve/", body).status_code == 200


def test_who_asked_never_decides_it_though_they_left_the_project(desk: Site) -> None:
    own = ask(desk, {desk.vcpu.slug: 20})
    Membership.objects.filter(user=desk.alice).update(ends_at=timezone.now())
    parent = desk.delegations["erin"]
    for person, grantor in (("alice", "erin"), ("mallory", "alice")):
        parent = Delegation.objects.create(
            parent=parent, ancestors=parent.chain_ids, grantor=desk.people[grantor], depth=2,
            user=desk.people[person], powers=[Power.DECIDE_QUOTA], unit=desk.units["atlas"],
            starts_at=desk.delegations["erin"].starts_at, created_at=timezone.now(),
            is_deputy=person == "mallory", ends_at=timezone.now() + timedelta(days=3),
        )  # fmt: skip
        DelegationBound.objects.create(delegation=parent)
        assert not queue(Viewer.of(desk.people[person], timezone.now())).exists()
        answer = caller(desk, person).post(f"requests/{own.pk}/approve/", approval(desk, own))
        assert refusal(answer) == (403, "forbidden")
    route_again([own.pk], timezone.now())
    waits = Assignment.objects.filter(line__request=own, ends_at__isnull=True)
    assert set(waits.values_list("user__subject", flat=True)) == {"dana"}


def test_who_lost_the_power_changes_it_no_more(desk: Site) -> None:
    asked = ask_for(desk)
    Delegation.objects.filter(pk=desk.delegations["hilda"].pk).update(revoked_at=timezone.now())
    assert caller(desk, "hilda").post(f"requests/{asked.pk}/withdraw/").status_code == 404


def test_the_form_offers_whom_one_may_ask_for(desk: Site) -> None:
    html = text(page(desk, "hilda", "/requests/new/?project=atlas-reco"))
    assert f'<option value="{desk.alice.public_id}">Alice</option>' in html
    assert "Bob</option>" not in html
    assert "Save draft" not in html
    assert "In whose name" not in text(page(desk, "alice", "/requests/new/?project=atlas-reco"))
    form = {
        "project": "atlas-reco", "region": "geneva", f"amount-{desk.vcpu.slug}": "3",
        "reason": "by phone", "until": "stays", "do": "send",
    }  # fmt: skip
    refused = text(signed_in(desk, "hilda").post("/requests/new/", form), 422)
    assert "Choose in whose name you ask." in refused


def test_any_request_that_one_sees_fills_the_form_for_ones_own_project(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 2)
    earlier = QuotaRequest.objects.filter(project__slug="many-1").get()
    url = f"/requests/new/?again={earlier.pk}&project=atlas-reco"
    html = text(page(site, "alice", url))
    assert f"A copy of #{earlier.pk}" in html
    assert 'value="+11"' in html
    assert 'value="+5G"' in html
    # Who may ask for nothing of that project chooses one of their own first.
    assert "many-1" in text(page(site, "erin", f"/requests/new/?again={earlier.pk}"))
    assert page(site, "mallory", url).status_code == 404
