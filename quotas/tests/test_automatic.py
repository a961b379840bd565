"""What rules grant at once: by whose authority, within which bounds, and what goes to people."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from projects.models import Delegation, Event, Notice, Project
from projects.queries.viewers import Viewer
from projects.states import Role
from quotas.actions import decide, policies, requests
from quotas.actions.delegations import name_deputy, revoke
from quotas.actions.endorse import endorse
from quotas.actions.policies import Terms
from quotas.actions.wishes import Wish
from quotas.models import Assignment, BoundUse, Decision, Policy, QuotaRequest, RequestLine
from quotas.queries.policies import rules
from quotas.queries.preview import preview
from quotas.queries.verifying import verify
from quotas.states import Direction
from quotas.tests.site import GIB, NOW, Site, join, make_group, make_project
from quotas.tests.test_consumption import bound_of

LATER = NOW + timedelta(hours=1)
DECREASES = Terms(direction=Direction.DECREASE)


def rule(
    site: Site, terms: Terms, *, by: str = "dana", unit: str = "atlas", now: datetime = NOW
) -> Policy:
    """A rule that is on, on the delegation of `by`."""
    made = policies.make(
        unit=site.units[unit], name="Small steps", terms=terms, delegation=site.delegations[by],
        actor=site.people[by], now=now,
    )  # fmt: skip
    return policies.switch_on(policy=made, version=1, actor=site.people[by], now=now)


def few(site: Site, most: int = 32, **more: Any) -> Terms:
    return Terms(resource=site.vcpu.resource, most_amount=most, **more)


def ask(
    site: Site, wanted: dict[str, int], *, now: datetime = LATER, project: Project | None = None,
    **more: Any,
) -> QuotaRequest:  # fmt: skip
    wish = Wish(wanted, "reprocessing", **more)
    return requests.submit(project=project or site.project, wish=wish, actor=site.alice, now=now)


def states(asked: QuotaRequest) -> dict[str, str]:
    return dict(asked.lines.values_list("offering__resource__slug", "state"))


def test_what_a_rule_allows_is_granted_as_it_is_sent(site: Site) -> None:
    made = rule(site, few(site))
    asked = ask(site, {site.vcpu.slug: 32})
    assert states(asked) == {"vcpu": "granted"}
    assert site.quota(site.vcpu) == 32
    decision = Decision.objects.get(request=asked)
    assert (decision.actor, decision.person) == (None, site.dana)
    assert str(decision.policy_version) == f"R{made.pk}.1"
    line = decision.snapshot["lines"][0]
    assert line["verdict"] == [
        {"condition": "most_amount", "holds": True, "bound": 32, "figure": 32, "of": None}
    ]
    assert not RequestLine.objects.filter(request=asked, assignments__isnull=False).exists()
    assert decision.lines.get().deliveries.exists()
    event = Event.objects.get(verb="approved")
    assert event.actor is None
    assert [each.person for each in Notice.objects.filter(event=event)] == [site.alice]
    assert list(verify()) == []


def test_what_goes_beyond_waits_for_people_without_an_error(site: Site) -> None:
    rule(site, few(site))
    asked = ask(site, {site.vcpu.slug: 33, "geneva.compute-a.ram": GIB})
    assert states(asked) == {"vcpu": "open", "ram": "open"}
    assert not Decision.objects.exists()
    lines = asked.lines.filter(assignments__user=site.dana)
    assert lines.count() == 2


def test_lines_may_go_different_ways_and_all_or_nothing_goes_one(site: Site) -> None:
    rule(site, few(site))
    wanted = {site.vcpu.slug: 32, "geneva.compute-a.ram": GIB}
    with transaction.atomic():
        assert states(ask(site, wanted)) == {"vcpu": "granted", "ram": "open"}
        transaction.set_rollback(True)
    asked = ask(site, wanted, all_or_nothing=True)
    assert states(asked) == {"vcpu": "open", "ram": "open"}
    requests.withdraw(quota_request=asked, actor=site.alice, now=LATER)
    alone = ask(site, {site.vcpu.slug: 32}, all_or_nothing=True)
    assert states(alone) == {"vcpu": "granted"}


def test_a_decrease_is_granted_at_once_and_consumes_nothing(site: Site) -> None:
    bound_of(site, "dana", total=200)
    rule(site, DECREASES)
    first = ask(site, {site.vcpu.slug: 100})
    line = first.lines.get()
    decide.approve(
        quota_request=first, granted={line.pk: 100}, seen={line.pk: 0}, version=1,
        actor=site.dana, now=LATER,
    )  # fmt: skip
    assert states(ask(site, {site.vcpu.slug: 40})) == {"vcpu": "granted"}
    assert site.quota(site.vcpu) == 40
    assert BoundUse.objects.get().used == 100


def test_the_delegation_bounds_and_counts_what_its_rule_gives(site: Site) -> None:
    bound_of(site, "dana", per_decision=128, total=40)
    rule(site, few(site))
    ask(site, {site.vcpu.slug: 32})
    assert BoundUse.objects.get().used == 32
    beyond = ask(site, {site.vcpu.slug: 64}, now=LATER + timedelta(hours=1))
    assert states(beyond) == {"vcpu": "open"}
    assert BoundUse.objects.get().used == 32
    assert beyond.lines.filter(assignments__user=site.erin, assignments__kind="decide").exists()


def test_without_room_a_line_waits(site: Site) -> None:
    rule(site, few(site, 128))
    for number in range(8):
        other = make_project(site, f"other-{number}", "atlas", NOW)
        join(other, site.alice, Role.OWNER, NOW)
        if number < 7:
            assert states(ask(site, {site.vcpu.slug: 128}, project=other)) == {"vcpu": "granted"}
    assert site.envelope(site.vcpu) == 1000 - 7 * 128
    assert states(ask(site, {site.vcpu.slug: 128})) == {"vcpu": "open"}


def test_a_rule_never_grants_where_its_person_has_an_interest(site: Site) -> None:
    rule(site, few(site))
    join(site.project, site.dana, Role.MEMBER, NOW)
    assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "open"}


def test_a_rule_that_grants_what_its_own_person_asked_for_is_found_out(site: Site) -> None:
    rule(site, few(site))
    asked = ask(site, {site.vcpu.slug: 32})
    assert list(verify()) == []
    QuotaRequest.objects.filter(pk=asked.pk).update(requester=site.dana)
    [found] = verify()
    assert (found.what, found.found) == ("person", site.dana.pk)


def test_nor_in_the_stead_of_somebody_who_has(site: Site) -> None:
    (deputy,) = name_deputy(
        holder=site.dana, user=site.mallory, starts_at=NOW, ends_at=NOW + timedelta(days=7), now=NOW
    ).made
    site.delegations["mallory"] = deputy
    rule(site, few(site), by="mallory")
    with transaction.atomic():
        assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "granted"}
        transaction.set_rollback(True)
    join(site.project, site.dana, Role.MEMBER, NOW)
    asked = ask(site, {site.vcpu.slug: 32})
    assert states(asked) == {"vcpu": "open"}
    assert [str(each.user) for each in Assignment.objects.filter(line__request=asked)] == ["Erin"]


def test_who_granted_the_delegation_may_have_an_interest(site: Site) -> None:
    """As with people: only those in whose stead it is done are barred."""
    rule(site, few(site))
    join(site.project, site.erin, Role.MEMBER, NOW)
    assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "granted"}


def test_a_delegation_that_ends_after_the_preview_leaves_it_to_people(site: Site) -> None:
    rule(site, few(site))
    shown = preview(Viewer.of(site.alice, LATER), site.project, {site.vcpu: 32})
    assert shown.lines[0].rule is not None
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(ends_at=LATER)
    asked = ask(site, {site.vcpu.slug: 32})
    assert states(asked) == {"vcpu": "open"}
    assert [str(each.user) for each in Assignment.objects.filter(line__request=asked)] == ["Erin"]
    shown = preview(Viewer.of(site.alice, LATER), site.project, {site.space: GIB})
    assert shown.lines[0].rule is None


def test_of_a_mixed_request_what_is_given_back_is_granted_and_the_rest_waits(site: Site) -> None:
    rule(site, DECREASES)
    first = ask(site, {site.vcpu.slug: 100})
    line = first.lines.get()
    decide.approve(
        quota_request=first, granted={line.pk: 100}, seen={line.pk: 0}, version=1,
        actor=site.dana, now=LATER,
    )  # fmt: skip
    wanted = {site.vcpu.slug: 40, "geneva.compute-a.ram": GIB}
    together = ask(site, wanted, all_or_nothing=True)
    assert states(together) == {"vcpu": "open", "ram": "open"}
    requests.withdraw(quota_request=together, actor=site.alice, now=LATER)
    mixed = ask(site, wanted)
    assert states(mixed) == {"vcpu": "granted", "ram": "open"}
    waiting = Assignment.objects.filter(line__request=mixed).values_list(
        "line__offering__resource__slug", "user__subject"
    )
    assert list(waiting) == [("ram", "dana")]
    assert site.quota(site.vcpu) == 40
    mixed.refresh_from_db()
    ram = mixed.lines.get(state="open")
    decide.approve(
        quota_request=mixed, granted={ram.pk: GIB}, seen={ram.pk: 0}, version=mixed.version,
        actor=site.dana, now=LATER,
    )  # fmt: skip
    assert states(mixed) == {"vcpu": "granted", "ram": "granted"}
    assert list(verify()) == []


def test_a_rule_ends_with_its_delegation(site: Site) -> None:
    made = rule(site, few(site))
    assert [each.standing for each in rules([made], LATER)] == ["on"]
    revoke(delegation=site.delegations["dana"], actor=site.erin, now=NOW)
    assert [each.standing for each in rules([made], LATER)] == ["ended"]
    assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "open"}


def test_a_rule_ends_with_its_persons_account(site: Site) -> None:
    rule(site, few(site))
    site.dana.is_active = False
    site.dana.save(update_fields=["is_active"])
    assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "open"}


def test_a_rule_of_a_group_ends_with_its_persons_membership(site: Site) -> None:
    group = make_group("coordinators", site.dana)
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(user=None, group=group)
    made = rule(site, few(site))
    with transaction.atomic():
        assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "granted"}
        transaction.set_rollback(True)
    group.memberships.update(ends_at=LATER)
    assert [each.standing for each in rules([made], LATER)] == ["ended"]
    assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "open"}


def test_the_nearest_rule_that_holds_is_cited(site: Site) -> None:
    above = rule(site, few(site, 100), by="erin", unit="ep")
    near = rule(site, few(site, 10))
    assert _cited(ask(site, {site.vcpu.slug: 10})) == near
    assert _cited(ask(site, {site.vcpu.slug: 60})) == above


def _cited(asked: QuotaRequest) -> Policy:
    version = Decision.objects.get(request=asked).policy_version
    assert version is not None
    return version.policy


def test_not_twice_within_its_days(site: Site) -> None:
    rule(site, few(site, every_days=7))
    ask(site, {site.vcpu.slug: 10})
    with transaction.atomic():
        soon = ask(site, {site.vcpu.slug: 20}, now=LATER + timedelta(days=7, seconds=-1))
        assert states(soon) == {"vcpu": "open"}
        transaction.set_rollback(True)
    then = ask(site, {site.vcpu.slug: 20}, now=LATER + timedelta(days=7))
    assert states(then) == {"vcpu": "granted"}


def test_what_is_amended_is_judged_anew_unless_a_person_asked_back(site: Site) -> None:
    rule(site, few(site))
    asked = ask(site, {site.vcpu.slug: 64})
    line = asked.lines.get().pk
    with transaction.atomic():
        requests.amend(
            quota_request=asked, wanted={line: 32}, reason="less", version=1, actor=site.alice,
            now=LATER,
        )  # fmt: skip
        assert states(asked) == {"vcpu": "granted"}
        transaction.set_rollback(True)
    decide.return_(
        quota_request=asked, line_ids=[line], question="Why?", version=1, actor=site.dana,
        now=LATER,
    )  # fmt: skip
    requests.answer(
        quota_request=asked, text="Runs.", wanted={line: 32}, version=2, actor=site.alice,
        now=LATER,
    )  # fmt: skip
    assert states(asked) == {"vcpu": "open"}
    requests.amend(
        quota_request=asked, wanted={line: 16}, reason="less", version=3, actor=site.alice,
        now=LATER,
    )  # fmt: skip
    assert states(asked) == {"vcpu": "open"}


def test_what_somebody_endorsed_stays_with_people_when_another_line_is_amended(site: Site) -> None:
    ram = "geneva.compute-a.ram"
    asked = ask(site, {site.vcpu.slug: 200, ram: 10 * GIB})
    lines = {line.offering.slug: line.pk for line in asked.lines.select_related("offering")}
    endorse(
        quota_request=asked, endorsed={lines[site.vcpu.slug]: 100}, version=asked.version,
        reason="Half will do.", actor=site.dana, now=LATER,
    )  # fmt: skip
    rule(site, few(site, 500), by="erin", now=LATER)
    requests.amend(
        quota_request=asked, wanted={lines[ram]: 8 * GIB}, reason="Less.", version=asked.version,
        actor=site.alice, now=LATER,
    )  # fmt: skip
    assert states(asked) == {"vcpu": "open", "ram": "open"}
