"""Approve, decline, return: what is booked, and what is refused with which words."""

from datetime import date, timedelta

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom, NotVisible, Stale
from projects.models import Delegation, Event
from projects.states import Role
from quotas.actions import decide, requests
from quotas.actions.wishes import Wish
from quotas.models import (
    Account,
    Decision,
    Delivery,
    Loan,
    Offering,
    QuotaRequest,
    RequestLine,
    Target,
    Transfer,
)
from quotas.queries.accounts import audit
from quotas.states import LineState, TargetState
from quotas.tests.site import GIB, NOW, Site, join, make_group


def ask(site: Site, amounts: dict[str, int] | None = None, **more: object) -> QuotaRequest:
    wish = Wish(amounts or {site.vcpu.slug: 100}, "reprocessing", **more)  # type: ignore[arg-type]
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=NOW)


def grant(
    site: Site,
    asked: QuotaRequest,
    amounts: dict[str, int] | None = None,
    *,
    actor: str = "dana",
    seen: int | None = None,
    version: int | None = None,
) -> Decision:
    """Approve every line as asked, or as `amounts` says, having seen the figures of now."""
    asked.refresh_from_db()
    lines = list(asked.lines.select_related("offering"))
    return decide.approve(
        quota_request=asked,
        granted={line.pk: (amounts or {}).get(line.offering.slug, line.wanted) for line in lines},
        seen={line.pk: site.quota(line.offering) if seen is None else seen for line in lines},
        version=asked.version if version is None else version,
        actor=site.people[actor],
        now=NOW + timedelta(hours=1),
    )


def states(asked: QuotaRequest) -> list[str]:
    return list(asked.lines.order_by("pk").values_list("state", flat=True))


def test_approve_books_the_difference_from_the_nearest_envelope(site: Site) -> None:
    asked = ask(site)
    decision = grant(site, asked)
    assert site.quota(site.vcpu) == 100
    assert site.envelope(site.vcpu) == 900
    assert states(asked) == [LineState.GRANTED]
    assert decision.lines.get().delegation == site.delegations["dana"]
    assert audit() == []


def test_approve_raises_the_generation_of_the_targets_it_feeds(site: Site) -> None:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=target.pk).update(state=TargetState.APPLIED, next_try_at=None)
    decision = grant(site, ask(site))
    target.refresh_from_db()
    assert (target.generation, target.state) == (2, TargetState.DUE)
    assert list(
        Delivery.objects.order_by("pk").values_list(
            "decision_line__decision", "target", "generation"
        )
    ) == [(decision.pk, target.pk, 2)]


def test_approve_leaves_a_held_target_to_its_holder(site: Site) -> None:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    token = "00000000-0000-0000-0000-000000000001"
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.LEASED, lease_token=token, lease_until=NOW
    )
    grant(site, ask(site))
    target.refresh_from_db()
    assert (target.generation, target.state, str(target.lease_token)) == (
        2, TargetState.LEASED, token,
    )  # fmt: skip


def test_approve_trimmed_grants_less_and_closes_the_rest(site: Site) -> None:
    asked = ask(site)
    grant(site, asked, {site.vcpu.slug: 60})
    assert site.quota(site.vcpu) == 60
    assert states(asked) == [LineState.GRANTED]


def test_approve_stores_the_proof(site: Site) -> None:
    decision = grant(site, ask(site))
    chain = decision.snapshot["chains"][str(site.delegations["dana"].pk)]
    assert [link["user"] for link in chain] == [site.otto.pk, site.erin.pk, site.dana.pk]
    assert decision.snapshot["unit_path"] == "org/ep/atlas/"
    assert decision.snapshot["lines"][0]["balance"] == 0


def test_approve_above_the_bound_is_refused_with_the_bound(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 129})
    with pytest.raises(Forbidden) as refusal:
        grant(site, asked)
    assert refusal.value.facts == {
        "offering": site.vcpu.slug, "bound": "per_decision", "most": 128, "asked": 129,
        "able": ["Erin"],
    }  # fmt: skip
    assert states(asked) == [LineState.OPEN]


def test_approve_above_the_bound_of_one_is_done_by_the_next_above(site: Site) -> None:
    grant(site, ask(site, {site.vcpu.slug: 129}), actor="erin")
    assert site.quota(site.vcpu) == 129


def test_approve_without_room_names_the_shortfall_and_the_next_above(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 1100})
    with pytest.raises(NoRoom) as refusal:
        grant(site, asked, actor="erin")
    assert refusal.value.facts == {
        "offering": site.vcpu.slug, "holder": "ORG/EP/ATLAS", "free": 1000, "needed": 1100,
        "short": 100, "unit": "", "next_holder": "ORG/EP", "next_free": 1000,
    }  # fmt: skip
    assert Transfer.objects.filter(decision_line__isnull=False).count() == 0


def test_approve_draws_from_the_pool_where_no_envelope_is_declared(site: Site) -> None:
    Account.objects.filter(unit=site.units["atlas"], offering=site.vcpu).exists()
    project = site.project
    project.unit = site.units["it"]
    project.save(update_fields=["unit"])
    pool = site.pool(site.vcpu)
    grant(site, ask(site), actor="otto")
    assert site.pool(site.vcpu) == pool - 100


def test_approve_a_line_twice_is_a_conflict_even_when_stale(site: Site) -> None:
    asked = ask(site)
    version = asked.version
    grant(site, asked)
    with pytest.raises(Conflict):
        grant(site, asked, seen=0, version=version)
    assert site.quota(site.vcpu) == 100


def test_approve_with_moved_figures_is_stale_and_tells_the_new_ones(site: Site) -> None:
    asked = ask(site)
    with pytest.raises(Stale) as refusal:
        grant(site, asked, seen=7)
    assert refusal.value.facts["figures"] == {str(asked.lines.get().pk): 0}
    assert states(asked) == [LineState.OPEN]


def test_approve_an_amended_request_is_stale(site: Site) -> None:
    asked = ask(site)
    version = asked.version
    requests.amend(
        quota_request=asked, wanted={asked.lines.get().pk: 50}, reason="less", version=version,
        actor=site.alice, now=NOW,
    )  # fmt: skip
    with pytest.raises(Stale):
        grant(site, asked, version=version)


@pytest.mark.parametrize("amount", [0, -1, 101, 2**70])
def test_approve_outside_what_was_asked_is_invalid(site: Site, amount: int) -> None:
    asked = ask(site)
    with pytest.raises(Invalid) as refusal:
        grant(site, asked, {site.vcpu.slug: amount})
    assert list(refusal.value.errors) == [f"granted.{asked.lines.get().pk}"]
    assert Decision.objects.count() == 0


def test_approve_by_who_holds_a_role_in_the_project_is_refused(site: Site) -> None:
    group = make_group("atlas-people", site.dana)
    join(site.project, group, Role.MEMBER, NOW)
    with pytest.raises(Forbidden, match="somebody else"):
        grant(site, ask(site))


def test_approve_by_a_reader_of_the_project_is_allowed(site: Site) -> None:
    join(site.project, site.dana, Role.READER, NOW)
    grant(site, ask(site))
    assert site.quota(site.vcpu) == 100


@pytest.mark.parametrize(
    ("actor", "error"),
    [("mallory", NotVisible), ("bob", Forbidden), ("rita", Forbidden), ("audrey", Forbidden)],
)
def test_approve_without_the_power(site: Site, actor: str, error: type[Exception]) -> None:
    asked = ask(site)
    with pytest.raises(error):
        grant(site, asked, actor=actor)


def test_approve_after_a_link_of_the_chain_was_revoked_is_refused(site: Site) -> None:
    asked = ask(site)
    Delegation.objects.filter(pk=site.delegations["erin"].pk).update(revoked_at=NOW)
    # Without authority she does not even see the project any more.
    with pytest.raises(NotVisible):
        grant(site, asked)


def test_approve_until_a_date_opens_a_loan(site: Site) -> None:
    grant(site, ask(site, until_on=date(2027, 1, 31)))
    loan = Loan.objects.get()
    assert (loan.amount, loan.outstanding) == (100, 100)
    assert loan.ends_at.isoformat() == "2027-02-01T00:00:00+00:00"


def test_approve_a_decrease_pays_loans_first_and_returns_the_rest(site: Site) -> None:
    grant(site, ask(site, {site.vcpu.slug: 50}))
    grant(site, ask(site, {site.vcpu.slug: 80}, until_on=date(2027, 1, 31)))
    grant(site, ask(site, {site.vcpu.slug: 20}))
    assert site.quota(site.vcpu) == 20
    assert site.envelope(site.vcpu) == 980
    assert Loan.objects.get().outstanding == 0
    assert audit() == []


def test_approve_to_zero_returns_everything(site: Site) -> None:
    grant(site, ask(site))
    grant(site, ask(site, {site.vcpu.slug: 0}))
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (0, 1000)


def test_approve_some_lines_leaves_the_others_open(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 10, site.space.slug: 10 * GIB})
    line = asked.lines.get(offering=site.vcpu)
    decide.approve(
        quota_request=asked, granted={line.pk: 10}, seen={line.pk: 0}, version=asked.version,
        actor=site.dana, now=NOW,
    )  # fmt: skip
    assert sorted(states(asked)) == [LineState.GRANTED, LineState.OPEN]


def test_approve_part_of_all_or_nothing_is_invalid(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 10, site.space.slug: 10 * GIB}, all_or_nothing=True)
    line = asked.lines.get(offering=site.vcpu)
    with pytest.raises(Invalid, match="all or nothing"):
        decide.approve(
            quota_request=asked, granted={line.pk: 10}, seen={line.pk: 0}, version=asked.version,
            actor=site.dana, now=NOW,
        )  # fmt: skip


def test_decline_says_why_and_books_nothing(site: Site) -> None:
    asked = ask(site)
    decide.decline(
        quota_request=asked, line_ids=[asked.lines.get().pk], reason="Use what you have.",
        version=asked.version, actor=site.dana, now=NOW,
    )  # fmt: skip
    assert states(asked) == [LineState.DECLINED]
    assert site.quota(site.vcpu) == 0
    assert Decision.objects.get().reason == "Use what you have."


def test_return_waits_for_an_answer_and_opens_again(site: Site) -> None:
    asked = ask(site)
    decide.return_(
        quota_request=asked, line_ids=[asked.lines.get().pk], question="For which run?",
        version=asked.version, actor=site.dana, now=NOW,
    )  # fmt: skip
    assert states(asked) == [LineState.RETURNED]
    asked.refresh_from_db()
    requests.answer(
        quota_request=asked, text="Run 4", wanted={}, version=asked.version, actor=site.alice,
        now=NOW,
    )  # fmt: skip
    assert states(asked) == [LineState.OPEN]
    grant(site, asked)
    assert site.quota(site.vcpu) == 100


def test_a_decision_is_recorded_without_names(site: Site) -> None:
    grant(site, ask(site))
    event = Event.objects.filter(verb="approved").get()
    assert (event.actor, event.subject_kind) == (site.dana, "request")
    assert "Dana" not in str(event.data)


def test_every_line_of_the_request_is_checked_to_be_its_own(site: Site) -> None:
    asked = ask(site)
    other = RequestLine.objects.order_by("-pk").first()
    assert other is not None
    with pytest.raises(Invalid):
        decide.approve(
            quota_request=asked, granted={other.pk + 1: 10}, seen={}, version=1, actor=site.dana,
            now=NOW,
        )  # fmt: skip


def test_a_grant_for_a_day_that_is_over_is_refused(site: Site) -> None:
    asked = ask(site, until_on=NOW.date())
    line = asked.lines.get()
    with pytest.raises(Conflict, match="a day that is over"):
        decide.approve(
            quota_request=asked, granted={line.pk: 100}, seen={line.pk: 0}, version=1,
            actor=site.dana, now=NOW + timedelta(days=1),
        )  # fmt: skip
    assert not Loan.objects.exists()


def test_a_grant_is_never_applied_for_want_of_a_target(site: Site) -> None:
    Target.objects.filter(endpoint__slug="nova-geneva").delete()
    grant(site, ask(site))
    assert Delivery.objects.filter(applied_at__isnull=True).count() == 1


def test_an_offering_that_was_retired_can_only_be_given_back(site: Site) -> None:
    grant(site, ask(site))
    more, less = ask(site, {site.space.slug: 10 * GIB}), ask(site, {site.vcpu.slug: 10})
    Offering.objects.update(retired_at=NOW)
    with pytest.raises(Conflict, match="no longer offered"):
        grant(site, more)
    grant(site, less)
    assert (site.quota(site.vcpu), site.quota(site.space)) == (10, 0)


def test_the_proof_tells_what_each_bound_had_consumed(site: Site) -> None:
    grant(site, ask(site, {site.vcpu.slug: 100}))
    grant(site, ask(site, {site.vcpu.slug: 300}), actor="erin")
    decision = grant(site, ask(site, {site.vcpu.slug: 310}))
    used = {
        each["delegation"]: (each["window_used"], each["increase"])
        for each in decision.snapshot["lines"][0]["bounds"]
    }
    # Dana's own window knows nothing of what Erin gave above her.
    assert used[site.delegations["dana"].pk] == (100, 10)
    assert used.keys() == {site.delegations[each].pk for each in ("otto", "erin", "dana")}
