"""A limit that was set outside becomes quota: by a decision, or not at all."""

from datetime import timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NoRoom, NotVisible, Stale
from projects.models import Delegation, Event, Project
from projects.states import ProjectState
from quotas.actions.drift import restore
from quotas.actions.ledger import issue
from quotas.actions.limit_adoption import adopt
from quotas.models import (
    Contribution,
    Decision,
    Drift,
    Limit,
    Loan,
    Offering,
    QuotaRequest,
    Target,
    Transfer,
    Zone,
)
from quotas.queries.accounts import audit
from quotas.queries.timeline_events import events_of_project, told
from quotas.queries.why import why
from quotas.states import DriftEnd, DriftKind, TargetState
from quotas.tests.drifting import make_drift
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.test_decide import ask, grant
from quotas.tests.threads import at_once


def take(drift: Drift, actor: Any, **more: Any) -> Decision:
    values = {"seen": drift.seen, "actor": actor, "now": NOW + timedelta(hours=2)} | more
    return adopt(drift=drift, **values)


@pytest.fixture
def changed(site: Site) -> Drift:
    """128 cores were granted, and somebody set 200 in Nova."""
    grant(site, ask(site, {site.vcpu.slug: 128}), actor="erin")
    Target.objects.update(state=TargetState.APPLIED, next_try_at=None)
    return make_drift(site, "cores", wanted=128, seen=200, now=NOW)


def test_what_was_seen_is_the_quota_with_all_that_a_decision_leaves(
    site: Site, changed: Drift
) -> None:
    decision = take(changed, site.dana, reason="They need it.")
    assert site.quota(site.vcpu) == 200
    assert site.envelope(site.vcpu) == 800
    assert audit() == []
    changed.refresh_from_db()
    assert (changed.end, changed.decision) == (DriftEnd.ADOPTED, decision)
    asked = decision.request
    assert (asked.requester, asked.lines.get().wanted) == (site.dana, 200)
    assert asked.reason == (
        "Adopted what was set outside Remit at Nova geneva: cores 128 → 200. They need it."
    )
    assert decision.snapshot["lines"][0]["delegation"] == site.delegations["dana"].pk
    moved = Transfer.objects.latest("pk")
    assert (moved.amount, moved.decision_line.decision) == (72, decision)  # type: ignore[union-attr]
    verbs = [
        each.event.verb for each in told(list(events_of_project(site.project).order_by("-id")))
    ]
    assert verbs[:3] == ["drift_adopted", "approved", "submitted"]
    assert why(site.project, site.vcpu, None).movements[0].change == 72
    target = Target.objects.get(pk=changed.target_id)
    assert (target.state, decision.lines.get().deliveries.get().target) == ("due", target)


def test_less_is_adopted_too_and_returns_the_rest(site: Site, changed: Drift) -> None:
    Drift.objects.update(seen=100)
    changed.refresh_from_db()
    take(changed, site.dana)
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (100, 900)


@pytest.mark.parametrize(
    ("person", "error"),
    [
        ("alice", Forbidden), ("bob", Forbidden), ("rita", Forbidden), ("audrey", Forbidden),
        ("mallory", NotVisible),
    ],
)  # fmt: skip
def test_only_who_decides_and_has_no_interest_adopts(
    site: Site, changed: Drift, person: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        take(changed, site.people[person])
    assert site.quota(site.vcpu) == 128


def test_operating_is_no_authority(site: Site, changed: Drift) -> None:
    olga = type(site.otto).objects.create(subject="olga", name="Olga", is_operator=True)
    with pytest.raises(Forbidden, match="no delegation"):
        take(changed, olga)


def test_bounds_hold_and_somebody_with_more_can(site: Site, changed: Drift) -> None:
    Drift.objects.update(seen=300)
    changed.refresh_from_db()
    with pytest.raises(Forbidden, match="128 of vCPU"):
        take(changed, site.dana)
    assert not QuotaRequest.objects.filter(requester=site.dana).exists()
    take(changed, site.erin)
    assert site.quota(site.vcpu) == 300


def test_where_there_is_no_room_it_says_how_much_is_short(site: Site, changed: Drift) -> None:
    Drift.objects.update(seen=5000)
    changed.refresh_from_db()
    with pytest.raises(NoRoom) as refused:
        take(changed, site.erin)
    assert refused.value.facts["short"] == 5000 - 128 - 872
    assert Drift.objects.get().ended_at is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (DriftKind.UNLIMITED, "Unlimited is no amount"),
        (DriftKind.USAGE_ABOVE, "Use is not a limit"),
        (DriftKind.KEY_MISSING, "There is no limit at Nova geneva"),
    ],
)
def test_what_is_no_limit_cannot_be_adopted(
    site: Site, changed: Drift, kind: DriftKind, words: str
) -> None:
    Drift.objects.update(kind=kind)
    with pytest.raises(Conflict, match=words):
        take(changed, site.dana)


def test_a_project_that_is_gone_has_nothing_to_adopt(site: Site) -> None:
    gone = make_drift(site, kind=DriftKind.PROJECT_MISSING)
    with pytest.raises(Conflict, match="Restore it first"):
        take(gone, site.dana, seen=0)


def test_a_request_that_waits_comes_first(site: Site, changed: Drift) -> None:
    waiting = ask(site, {site.vcpu.slug: 150})
    with pytest.raises(Conflict, match=f"#{waiting.pk}") as refused:
        take(changed, site.dana)
    assert refused.value.facts["request"] == waiting.pk


def test_what_changed_since_it_was_looked_at_is_not_booked(site: Site, changed: Drift) -> None:
    with pytest.raises(Stale) as refused:
        take(changed, site.dana, seen=190)
    assert refused.value.facts["seen"] == 200
    grant(site, ask(site, {site.vcpu.slug: 130}))
    with pytest.raises(Stale):
        take(changed, site.dana)


def test_it_is_adopted_once(site: Site, changed: Drift) -> None:
    take(changed, site.dana)
    with pytest.raises(Conflict, match="it was adopted"):
        take(changed, site.dana)


@pytest.fixture
def shared(site: Site, changed: Drift) -> Offering:
    """A second zone feeds Nova's cores too, two for each of its own."""
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    other = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=zone, resource=site.vcpu.resource
    )
    Contribution.objects.create(offering=other, limit=Limit.objects.get(key="cores"), factor=2)
    issue(offering=other, amount=500, actor=None, now=NOW)
    return other


def test_where_several_feed_a_limit_somebody_says_which_takes_it(
    site: Site, changed: Drift, shared: Offering
) -> None:
    with pytest.raises(Invalid) as refused:
        take(changed, site.erin)
    assert set(refused.value.errors) == {"offering"}
    with pytest.raises(Invalid):
        take(changed, site.erin, offering=site.space.slug)
    take(changed, site.erin, offering=shared.slug)
    assert (site.quota(shared), site.quota(site.vcpu)) == (36, 128)


def test_a_difference_that_is_no_multiple_of_the_factor_is_refused(
    site: Site, changed: Drift, shared: Offering
) -> None:
    Drift.objects.update(seen=129)
    changed.refresh_from_db()
    with pytest.raises(Conflict, match="no multiple of 2"):
        take(changed, site.erin, offering=shared.slug)
    Drift.objects.update(seen=100)
    changed.refresh_from_db()
    with pytest.raises(Conflict, match="has 0 only"):
        take(changed, site.erin, offering=shared.slug)


def test_what_the_same_decision_made_true_elsewhere_is_adopted_with_it(site: Site) -> None:
    grant(site, ask(site, {site.space.slug: 10 * GIB}))
    of_type, total = (
        make_drift(site, key, wanted=10 * GIB, seen=20 * GIB)
        for key in ("gigabytes_storage-a", "gigabytes")
    )
    decision = take(of_type, site.dana)
    ends = Drift.objects.filter(decision=decision).values_list("pk", flat=True)
    assert set(ends) == {of_type.pk, total.pk}


@pytest.mark.parametrize("state", [ProjectState.SUSPENDED, ProjectState.CLOSING])
def test_nothing_is_adopted_for_a_project_that_is_not_active(
    site: Site, changed: Drift, state: str
) -> None:
    before = QuotaRequest.objects.count()
    Project.objects.filter(pk=site.project.pk).update(state=state)
    with pytest.raises(Conflict, match="nothing is granted"):
        take(changed, site.dana)
    assert (QuotaRequest.objects.count(), site.quota(site.vcpu)) == (before, 128)


def test_of_what_is_no_longer_offered_only_less_is_adopted(site: Site, changed: Drift) -> None:
    Offering.objects.filter(pk=site.vcpu.pk).update(retired_at=NOW)
    with pytest.raises(Conflict, match="no longer offered"):
        take(changed, site.dana)
    Drift.objects.filter(pk=changed.pk).update(seen=100)
    changed.refresh_from_db()
    take(changed, site.dana)
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (100, 900)
    assert audit() == []


def test_less_pays_back_what_was_lent_first(site: Site) -> None:
    end = (NOW + timedelta(days=30)).date()
    grant(site, ask(site, {site.vcpu.slug: 64}))
    grant(site, ask(site, {site.vcpu.slug: 128}, until_on=end))
    drift = make_drift(site, "cores", wanted=128, seen=100, now=NOW)
    take(drift, site.dana)
    loan = Loan.objects.get()
    assert (loan.amount, loan.outstanding) == (64, 36)
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (100, 900)
    assert audit() == []


def test_who_decides_by_a_link_that_was_revoked_adopts_nothing(site: Site, changed: Drift) -> None:
    parent = site.delegations["erin"]
    Delegation.objects.filter(pk=parent.pk).update(revoked_at=NOW + timedelta(hours=1))
    # She sees the project by that delegation alone.
    with pytest.raises(NotVisible):
        take(changed, site.dana)
    assert site.quota(site.vcpu) == 128


def test_what_is_adopted_proves_itself_like_any_decision(site: Site, changed: Drift) -> None:
    decision = take(changed, site.dana)
    asked = grant(site, ask(site, {site.space.slug: 10 * GIB}))
    other = Decision.objects.filter(request__lines__offering=site.space).latest("pk")
    assert asked is not None
    assert set(decision.snapshot) == set(other.snapshot)
    assert set(decision.snapshot["lines"][0]) == set(other.snapshot["lines"][0])
    assert (decision.actor, decision.person) == (site.dana, site.dana)


@pytest.mark.parametrize("verb", ["adopt", "restore"])
def test_of_several_who_adopt_at_once_one_decides(committed_site: Site, verb: str) -> None:
    site = committed_site
    grant(site, ask(site, {site.vcpu.slug: 128}), actor="erin")
    drift = make_drift(site, "cores", wanted=128, seen=200, now=NOW)

    def other() -> Any:
        if verb == "adopt":
            return take(Drift.objects.get(pk=drift.pk), site.dana)
        moment = NOW + timedelta(hours=2)
        return restore(drift=Drift.objects.get(pk=drift.pk), actor=site.otto, now=moment)

    results = at_once([lambda: take(Drift.objects.get(pk=drift.pk), site.dana), other, other])
    decided = [each for each in results if isinstance(each, Decision)]
    refused = [each for each in results if isinstance(each, DomainError)]
    assert len(decided) == 1
    assert {each.status for each in refused} <= {409, 412}
    assert (site.quota(site.vcpu), audit()) == (200, [])


def test_an_event_names_the_decision(site: Site, changed: Drift) -> None:
    decision = take(changed, site.dana)
    event = Event.objects.get(verb="drift_adopted")
    assert (event.data["decision"], event.data["request"]) == (decision.pk, decision.request_id)
