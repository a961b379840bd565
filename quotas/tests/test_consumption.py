"""What bounds still allow after what was given: windows, totals, periods, chains."""

from datetime import datetime, timedelta

import pytest

from portal.lib.errors import Forbidden
from projects.models import Delegation, Project
from projects.queries.viewers import Viewer
from projects.states import Power, Role
from quotas.actions import decide, requests
from quotas.actions.authority import UsedUp
from quotas.actions.envelopes import fund
from quotas.actions.ledger import issue
from quotas.actions.rerouting import unrouted
from quotas.actions.wishes import Wish
from quotas.models import (
    BoundUse,
    Contribution,
    Decision,
    DelegationBound,
    Limit,
    Offering,
    QuotaRequest,
    Zone,
)
from quotas.queries.authority import mandate_of
from quotas.queries.consumption import used_by
from quotas.queries.requests import queue
from quotas.tests.site import GIB, NOW, Site, join, make_group, make_project

LATER = NOW + timedelta(hours=1)


def bound_of(site: Site, name: str, resource: str | None = "vcpu", **terms: int) -> DelegationBound:
    """Give somebody's delegation these terms for a resource; other resources stay as they are."""
    rows = DelegationBound.objects.filter(delegation=site.delegations[name])
    row, __ = rows.get_or_create(
        resource=site.vcpu.resource if resource else None,
        delegation=site.delegations[name],
        zone=None,
    )
    for term, value in terms.items():
        setattr(row, term, value)
    row.save()
    return row


def ask_for(
    site: Site, wanted: dict[str, int], project: Project | None = None, now: datetime = NOW
) -> QuotaRequest:
    wish = Wish(wanted, "reprocessing")
    return requests.submit(project=project or site.project, wish=wish, actor=site.alice, now=now)


def grant(
    site: Site, wanted: dict[str, int], *, actor: str = "dana", project: Project | None = None,
    now: datetime = LATER,
) -> Decision:  # fmt: skip
    """Ask for absolute limits, {offering slug: amount}, and approve them as asked."""
    asked = ask_for(site, wanted, project, now)
    lines = list(asked.lines.select_related("offering"))
    return decide.approve(
        quota_request=asked,
        granted={line.pk: line.wanted for line in lines},
        seen={line.pk: site.quota(line.offering, asked.project) for line in lines},
        version=asked.version,
        actor=site.people[actor],
        now=now,
    )


def waits_for(site: Site) -> list[str]:
    """Whose queue holds something, once everything was asked."""
    return [name for name in site.people if queue(Viewer.of(site.people[name], LATER)).exists()]


def another_project(site: Site, slug: str) -> Project:
    project = make_project(site, slug, "atlas", NOW)
    join(project, site.alice, Role.OWNER, NOW)
    return project


def another_zone(site: Site) -> Offering:
    """The vCPU of a second zone, funded as the first; Nova counts both by one limit."""
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    offering = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=zone, resource=site.vcpu.resource
    )
    Contribution.objects.create(offering=offering, limit=Limit.objects.get(key="cores"))
    issue(offering=offering, amount=1000, actor=None, now=NOW)
    fund(offering=offering, unit=site.units["atlas"], amount=1000, actor=None, now=NOW)
    return offering


def test_many_small_decisions_never_pass_the_window(site: Site) -> None:
    for amount in (50, 100, 128):
        grant(site, {site.vcpu.slug: amount})
    with pytest.raises(UsedUp) as refusal:
        grant(site, {site.vcpu.slug: 129})
    facts = refusal.value.facts
    assert (facts["bound"], facts["left"], facts["used"], facts["asked"]) == (
        "per_decision", 0, 128, 1,
    )  # fmt: skip
    assert (facts["holder"], facts["window_days"], facts["waits_for"]) == ("Dana", 30, ["Erin"])
    assert site.quota(site.vcpu) == 128
    assert waits_for(site) == ["dana", "erin"]


def test_a_window_is_of_one_project_and_one_offering(site: Site) -> None:
    grant(site, {site.vcpu.slug: 128, site.space.slug: 128 * GIB})
    grant(site, {site.vcpu.slug: 128}, project=another_project(site, "atlas-sim"))
    assert site.quota(site.vcpu) == 128


def test_a_window_is_over_after_its_days_to_the_moment(site: Site) -> None:
    grant(site, {site.vcpu.slug: 128})
    over = LATER + timedelta(days=30)
    with pytest.raises(UsedUp):
        grant(site, {site.vcpu.slug: 200}, now=over - timedelta(seconds=1))
    requests.withdraw(quota_request=QuotaRequest.objects.latest("pk"), actor=site.alice, now=over)
    grant(site, {site.vcpu.slug: 200}, now=over)
    assert site.quota(site.vcpu) == 200


def test_what_was_given_back_counts_for_the_window_and_never_for_a_total(site: Site) -> None:
    bound = bound_of(site, "dana", per_decision=128, total=200)
    grant(site, {site.vcpu.slug: 100})
    grant(site, {site.vcpu.slug: 0})
    grant(site, {site.vcpu.slug: 100})
    assert BoundUse.objects.get(bound=bound).used == 200
    grant(site, {site.vcpu.slug: 50})
    with pytest.raises(UsedUp) as refusal:
        grant(site, {site.vcpu.slug: 60})
    assert (refusal.value.facts["bound"], refusal.value.facts["left"]) == ("total", 0)


def test_what_was_given_above_is_not_of_the_delegates_below(site: Site) -> None:
    bound_of(site, "dana", per_decision=128, total=128)
    grant(site, {site.vcpu.slug: 500}, actor="erin")
    grant(site, {site.vcpu.slug: 628})
    assert site.quota(site.vcpu) == 628


def test_two_lines_that_share_a_total_add_up(site: Site) -> None:
    other = another_zone(site)
    bound_of(site, "dana", per_decision=128, total=150)
    with pytest.raises(UsedUp) as refusal:
        grant(site, {site.vcpu.slug: 100, other.slug: 100})
    assert (refusal.value.facts["offering"], refusal.value.facts["left"]) == (other.slug, 50)
    assert not BoundUse.objects.filter(used__gt=0).exists()
    requests.withdraw(quota_request=QuotaRequest.objects.get(), actor=site.alice, now=LATER)
    decision = grant(site, {site.vcpu.slug: 100, other.slug: 50})
    before = [line["bounds"][-1]["total_used"] for line in decision.snapshot["lines"]]
    assert before == [0, 100]
    assert BoundUse.objects.get().used == 150


def test_a_total_refills_at_the_boundary_of_its_period(site: Site) -> None:
    # Begun a hundred days before NOW: its fourth period of thirty days ends in twenty.
    bound = bound_of(site, "dana", per_decision=1000, total=100, period_days=30)
    boundary = site.delegations["dana"].starts_at + timedelta(days=120)
    grant(site, {site.vcpu.slug: 100})
    with pytest.raises(UsedUp) as refusal:
        grant(site, {site.vcpu.slug: 101}, now=boundary - timedelta(seconds=1))
    assert refusal.value.facts["refills_at"] == boundary.isoformat()
    requests.withdraw(
        quota_request=QuotaRequest.objects.latest("pk"), actor=site.alice, now=boundary
    )
    grant(site, {site.vcpu.slug: 200}, now=boundary)
    uses = BoundUse.objects.filter(bound=bound).order_by("period")
    assert list(uses.values_list("period", "used")) == [(3, 100), (4, 100)]


def test_the_total_of_each_link_binds_and_says_whose_it_is(site: Site) -> None:
    bound_of(site, "dana", per_decision=500, total=400)
    above = bound_of(site, "erin", per_decision=1000, total=150)
    grant(site, {site.vcpu.slug: 100})
    with pytest.raises(UsedUp) as refusal:
        grant(site, {site.vcpu.slug: 200})
    facts = refusal.value.facts
    assert (facts["holder"], facts["left"], facts["waits_for"]) == ("Erin", 50, ["Otto"])
    assert "the remit of Erin" in refusal.value.sentence
    assert BoundUse.objects.get(bound=above).used == 100


def test_siblings_promised_more_than_the_parent_share_what_it_has(site: Site) -> None:
    bound_of(site, "erin", per_decision=1000, total=150)
    dana = site.delegations["dana"]
    sibling = Delegation.objects.create(
        parent=dana.parent, ancestors=dana.ancestors, grantor=site.erin, user=site.mallory,
        powers=dana.powers, unit=dana.unit, starts_at=dana.starts_at, created_at=dana.created_at,
    )  # fmt: skip
    for each in (dana, sibling):
        DelegationBound.objects.filter(delegation=each).delete()
        DelegationBound.objects.create(
            delegation=each, resource=site.vcpu.resource, per_decision=1000, total=100
        )
    grant(site, {site.vcpu.slug: 100})
    with pytest.raises(UsedUp):
        grant(site, {site.vcpu.slug: 200}, actor="mallory")
    assert site.quota(site.vcpu) == 100


def test_a_total_below_what_is_asked_is_a_bound_as_written(site: Site) -> None:
    bound_of(site, "dana", per_decision=1000, total=100)
    with pytest.raises(Forbidden) as refusal:
        grant(site, {site.vcpu.slug: 101})
    assert refusal.value.facts == {
        "offering": site.vcpu.slug, "bound": "total", "most": 100, "asked": 101, "able": ["Erin"],
    }  # fmt: skip


def test_a_wider_mandate_of_the_same_person_is_taken_where_the_nearest_is_used_up(
    site: Site,
) -> None:
    bound_of(site, "dana", per_decision=128, total=100)
    wider = Delegation.objects.create(
        user=site.dana, powers=[Power.DECIDE_QUOTA], unit=site.units["org"],
        starts_at=NOW - timedelta(days=1), created_at=NOW,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=wider)
    first, second = grant(site, {site.vcpu.slug: 100}), grant(site, {site.vcpu.slug: 200})
    assert first.lines.get().delegation == site.delegations["dana"]
    assert second.lines.get().delegation == wider


def test_used_is_told_in_one_query(site: Site, django_assert_num_queries: object) -> None:
    bound_of(site, "dana", per_decision=128, total=300)
    grant(site, {site.vcpu.slug: 100})
    mandate, project = mandate_of(site.delegations["dana"]), site.project
    with django_assert_num_queries(1):  # type: ignore[operator]
        used = used_by([mandate], project, [site.vcpu, site.space], LATER)
    most = mandate.most(site.vcpu, used)
    assert (most.amount, most.dimension, most.used) == (28, "per_decision", 100)
    assert mandate.most(site.vcpu).amount == 128
    assert mandate.allows(site.vcpu, 28, used)
    assert not mandate.allows(site.vcpu, 29, used)


def deputy_of_erin(site: Site) -> Delegation:
    """Mallory stands in for Erin from yesterday for ten days."""
    erin = site.delegations["erin"]
    made = Delegation.objects.create(
        parent=erin, ancestors=erin.chain_ids, grantor=site.erin, user=site.mallory,
        is_deputy=True, powers=erin.powers, unit=erin.unit, starts_at=NOW - timedelta(days=1),
        ends_at=NOW + timedelta(days=9), created_at=NOW,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=made)
    return made


def test_a_deputy_decides_as_near_as_who_they_stand_in_for(site: Site) -> None:
    deputy_of_erin(site)
    ask_for(site, {site.vcpu.slug: 500})
    assert {"erin", "mallory"} <= set(waits_for(site))
    requests.withdraw(quota_request=QuotaRequest.objects.get(), actor=site.alice, now=NOW)
    decision = grant(site, {site.vcpu.slug: 500}, actor="mallory")
    assert decision.snapshot["effective_people"] == sorted([site.mallory.pk, site.erin.pk])


@pytest.mark.parametrize("through_group", [False, True])
def test_a_deputy_is_barred_by_the_role_of_whom_they_stand_in_for(
    site: Site, through_group: bool
) -> None:
    deputy_of_erin(site)
    holder = make_group("atlas-people", site.erin) if through_group else site.erin
    join(site.project, holder, Role.MEMBER, NOW)
    with pytest.raises(Forbidden, match="You stand in for Erin, who holds a role in atlas-reco"):
        grant(site, {site.vcpu.slug: 500}, actor="mallory")
    assert waits_for(site) == ["dana", "otto"]


def test_a_line_waits_no_more_for_a_deputy_whose_grantor_got_a_role(site: Site) -> None:
    deputy_of_erin(site)
    asked = ask_for(site, {site.vcpu.slug: 500})
    assert unrouted(LATER) == []
    join(site.project, site.erin, Role.MANAGER, NOW)
    assert unrouted(LATER) == [asked.pk]


def test_a_deputy_whose_grantor_only_reads_may_decide(site: Site) -> None:
    deputy_of_erin(site)
    join(site.project, site.erin, Role.READER, NOW)
    grant(site, {site.vcpu.slug: 500}, actor="mallory")
    assert site.quota(site.vcpu) == 500


def test_the_proof_of_a_groups_word_cites_the_row_of_the_membership(site: Site) -> None:
    coordinators = make_group("coordinators", site.mallory)
    Delegation.objects.filter(user=site.dana).update(user=None, group=coordinators)
    decision = grant(site, {site.vcpu.slug: 100}, actor="mallory")
    cited = [each["membership"] for each in decision.snapshot["memberships"]]
    assert cited == [coordinators.memberships.get().pk]
