"""What people did to envelopes, and what rules granted, agrees with history, or it is found."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from projects.models import Delegation, GroupMembership, ProjectPlacement
from projects.states import Power, Role
from quotas.models import DelegationBound, EnvelopeAct
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site, join, make_group
from quotas.tests.test_automatic import ask as ask_rule
from quotas.tests.test_automatic import few
from quotas.tests.test_automatic import rule as rule_of
from quotas.tests.test_consumption import bound_of
from quotas.tests.test_envelopes import do as fund_by
from quotas.tests.test_verify_decisions import (
    Forgery,
    consumed,
    consumed_gone,
    forge,
    revoked_before,
    run,
    unit_place,
    whats,
)


@pytest.fixture
def funded(site: Site) -> Site:
    """A group's word and a deputy's, within a window and a total, and something taken back."""
    for name in ("otto", "erin"):
        DelegationBound.objects.filter(delegation=site.delegations[name]).delete()
        bound_of(site, name, per_decision=500, total=800)
    heads = make_group("heads", site.erin, since=NOW - timedelta(days=50))
    Delegation.objects.filter(user=site.erin).update(user=None, group=heads)
    vcpu = site.vcpu.slug
    fund_by(site, "erin", "atlas", {vcpu: 300})
    fund_by(site, "erin", "atlas", {vcpu: -200})
    fund_by(site, "erin", "atlas", {vcpu: 400})
    fund_by(site, "otto", "it", {vcpu: 100})
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return site


def act(site: Site, unit: str = "atlas") -> EnvelopeAct:
    return EnvelopeAct.objects.filter(delegation__isnull=False, unit=site.units[unit])[0]


def act_forged(statement: str) -> Forgery:
    def forgery(site: Site) -> None:
        forge("quotas_envelopeact", f"UPDATE quotas_envelopeact SET {statement} WHERE id = %s",
              act(site).pk)  # fmt: skip

    forgery.__name__ = statement
    return forgery


def a_role_where_it_is_drawn(site: Site) -> None:
    join(site.project, site.erin, Role.MEMBER, NOW - timedelta(days=9))
    ProjectPlacement.objects.update(starts_at=NOW - timedelta(days=9))


def funding_moved(site: Site) -> None:
    forge("quotas_transfer", "UPDATE quotas_transfer SET amount = amount + 7 "
          "WHERE envelope_act_id = %s", act(site).pk)  # fmt: skip


def funding_bound(site: Site) -> None:
    DelegationBound.objects.filter(delegation=site.delegations["otto"]).update(per_decision=99)


def membership_of_heads(site: Site) -> None:
    GroupMembership.objects.filter(user=site.erin).update(ends_at=NOW - timedelta(days=9))


def the_power(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["erin"].pk).update(powers=[Power.AUDIT])


FUNDING_FORGERIES: list[tuple[Forgery, str]] = [
    (act_forged("amount = amount + 1"), "amount in the proof"),
    (act_forged("actor_id = NULL"), "person in the proof"),
    (act_forged("""snapshot = snapshot || '{"rule_version": 9}'"""), "rules"),
    (act_forged("""snapshot = snapshot || '{"bounds": []}'"""), "bounds in the proof"),
    (act_forged("""snapshot = snapshot || '{"source": 0}'"""), "source"),
    (act_forged("""snapshot = snapshot || '{"source_path": "org/it/"}'"""), "unit of D-"),
    (a_role_where_it_is_drawn, "role of person"),
    (funding_moved, "moved by its transfers"),
    (funding_bound, "window"),
    (the_power, "powers"),
    (revoked_before, "revoked"),
    (membership_of_heads, "member of the group of D-"),
    (unit_place, "unit atlas on the path"),
    (consumed, "consumed of bound"),
    (consumed_gone, "consumed of bound"),
]


def test_what_people_did_to_envelopes_agrees_with_history(funded: Site) -> None:
    assert [each.sentence for each in verify()] == []
    assert whats(since=NOW) == []
    assert run() == (
        0, "5 decisions and acts on envelopes and projects, each allowed by what history says.\n",
    )  # fmt: skip


def test_each_kind_of_forged_funding_is_found(funded: Site) -> None:
    missed = []
    for forgery, what in FUNDING_FORGERIES:
        with transaction.atomic():
            forgery(funded)
            found = whats()
            transaction.set_rollback(True)
        if not any(what in each for each in found):
            missed.append((forgery.__name__, found))
    assert missed == []
    assert whats() == []


def rule_forged(statement: str) -> Forgery:
    def forgery(site: Site) -> None:
        forge("quotas_policyversion", f"UPDATE quotas_policyversion SET {statement}")

    forgery.__name__ = statement
    return forgery


def verdict_forged(site: Site) -> None:
    forge("quotas_decision", "UPDATE quotas_decision SET snapshot = jsonb_set(snapshot, "
          "'{lines,0,verdict,1,figure}', '3')")  # fmt: skip


RULE_FORGERIES: list[tuple[Forgery, str]] = [
    (rule_forged("most_amount = 30"), "conditions"),
    (rule_forged("every_days = 30"), "conditions"),
    (rule_forged("direction = 'decrease'"), "what it is about"),
    (verdict_forged, "most_amount"),
]


def test_what_a_rule_granted_is_checked_by_the_version_that_it_cites(site: Site) -> None:
    rule_of(site, few(site, envelope_left_percent=10, project_kind="shared"))
    ask_rule(site, {site.vcpu.slug: 32})
    assert whats() == []
    missed = []
    for forgery, what in RULE_FORGERIES:
        with transaction.atomic():
            forgery(site)
            found = whats()
            transaction.set_rollback(True)
        if not any(what in each for each in found):
            missed.append((forgery.__name__, found))
    assert missed == []
