"""Every decision agrees with history, and whatever somebody forged is found."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from projects.models import (
    Delegation,
    GroupMembership,
    Membership,
    ProjectPlacement,
    UnitPlacement,
)
from projects.states import Power, Role
from quotas.actions import decide
from quotas.models import (
    BoundUse,
    Decision,
    DecisionLine,
    DelegationBound,
    QuotaRequest,
    Transfer,
)
from quotas.queries import verifying
from quotas.queries.verifying import verify
from quotas.tests.site import GIB, NOW, Site, join, make_group
from quotas.tests.test_consumption import LATER, ask_for, bound_of, deputy_of_erin, grant


@pytest.fixture
def decided(site: Site) -> Site:
    """Some of everything: a group's word, a deputy's, a total, a loan's return, a refusal."""
    coordinators = make_group("coordinators", site.dana, since=NOW - timedelta(days=50))
    Delegation.objects.filter(user=site.dana).update(user=None, group=coordinators)
    bound_of(site, "dana", per_decision=128, total=200)
    deputy_of_erin(site)
    grant(site, {site.vcpu.slug: 100, site.space.slug: 50 * GIB})
    grant(site, {site.vcpu.slug: 300}, actor="mallory")
    grant(site, {site.vcpu.slug: 20})
    grant(site, {site.vcpu.slug: 60})
    asked = ask_for(site, {site.vcpu.slug: 70})
    decide.decline(
        quota_request=asked, line_ids=[asked.lines.get().pk], reason="Use what you have.",
        version=asked.version, actor=site.dana, now=LATER,
    )  # fmt: skip
    # Deferred constraints and the triggers' own events are done before a test forges.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return site


def forge(table: str, statement: str, *parameters: Any) -> None:
    """What no verb does: change rows with the triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, parameters)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def whats(**options: Any) -> list[str]:
    return [each.what for each in verify(**options)]


def first(kind: str = "approve") -> Decision:
    return Decision.objects.filter(kind=kind).order_by("pk")[0]


def test_what_was_decided_agrees_with_history(decided: Site) -> None:
    assert [each.sentence for each in verify()] == []


def test_chunks_make_no_difference(decided: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "CHUNK", 1)
    seen: list[tuple[int, int]] = []
    assert list(verify(progress=lambda checked, count: seen.append((checked, count)))) == []
    assert seen == [(number, 5) for number in range(1, 6)]


def test_since_takes_what_was_consumed_before_from_the_first_proof(decided: Site) -> None:
    grant(decided, {decided.vcpu.slug: 80}, now=LATER + timedelta(days=1))
    assert whats(since=LATER + timedelta(hours=1)) == []
    assert whats(since=LATER + timedelta(days=9)) == []


def test_a_proof_by_the_first_rules_is_checked_by_them(decided: Site) -> None:
    decision = first()
    proof = decision.snapshot | {"rule_version": 1, "groups": [make_group("else").pk]}
    for key in ("actor", "policy_version", "effective_people", "memberships", "unit"):
        del proof[key]
    proof["groups"] = [each["group"] for each in decision.snapshot["memberships"]]
    BoundUse.objects.all().delete()
    forge("quotas_decision", "UPDATE quotas_decision SET snapshot = %s WHERE id = %s",
          json.dumps(proof), decision.pk)  # fmt: skip
    # What totals had consumed begins with the first proof that counts it.
    found = [each for each in verify() if each.decision == decision.pk]
    assert found == []
    proof["groups"] = []
    forge("quotas_decision", "UPDATE quotas_decision SET snapshot = %s WHERE id = %s",
          json.dumps(proof), decision.pk)  # fmt: skip
    assert f"member of the group of D-{decided.delegations['dana'].pk}" in whats()


Forgery = Callable[[Site], None]


def amount_granted(site: Site) -> None:
    forge("quotas_decisionline", "UPDATE quotas_decisionline SET granted = granted + 1 "
          "WHERE decision_id = %s", first().pk)  # fmt: skip


def quota_before(site: Site) -> None:
    row = DecisionLine.objects.filter(decision=first(), line__offering=site.vcpu).get()
    forge("quotas_decisionline", "UPDATE quotas_decisionline SET before = 5, granted = granted + 5 "
          "WHERE id = %s", row.pk)  # fmt: skip


def transfer_amount(site: Site) -> None:
    transfer = Transfer.objects.filter(decision_line__isnull=False).order_by("pk")[0]
    forge("quotas_transfer", "UPDATE quotas_transfer SET amount = amount + 7 WHERE id = %s",
          transfer.pk)  # fmt: skip


def transfer_alone(site: Site) -> None:
    forge("quotas_transfer", "UPDATE quotas_transfer SET decision_line_id = NULL "
          "WHERE decision_line_id IS NOT NULL")  # fmt: skip


def person(site: Site) -> None:
    forge("quotas_decision", "UPDATE quotas_decision SET person_id = %s, actor_id = %s "
          "WHERE id = %s", site.rita.pk, site.rita.pk, first().pk)  # fmt: skip


def delegation_of_line(site: Site) -> None:
    forge("quotas_decisionline", "UPDATE quotas_decisionline SET delegation_id = %s "
          "WHERE decision_id = %s", site.delegations["otto"].pk, first().pk)  # fmt: skip


def rules(site: Site) -> None:
    forge("quotas_decision", "UPDATE quotas_decision SET snapshot = snapshot || "
          """'{"rule_version": 9}' WHERE id = %s""", first().pk)  # fmt: skip


def proof_lines(site: Site) -> None:
    forge("quotas_decision", "UPDATE quotas_decision SET snapshot = snapshot || "
          """'{"lines": []}' WHERE id = %s""", first().pk)  # fmt: skip


def path(site: Site) -> None:
    forge("quotas_decision", "UPDATE quotas_decision SET snapshot = snapshot || "
          """'{"unit_path": "org/it/"}' WHERE id = %s""", first().pk)  # fmt: skip


def project_place(site: Site) -> None:
    ProjectPlacement.objects.filter(project=site.project).update(unit=site.units["it"])


def unit_place(site: Site) -> None:
    UnitPlacement.objects.create(
        unit=site.units["atlas"], parent=site.units["it"], starts_at=NOW - timedelta(days=9)
    )


def membership_of_group(site: Site) -> None:
    GroupMembership.objects.filter(user=site.dana).update(ends_at=NOW - timedelta(days=9))


def membership_cited(site: Site) -> None:
    old = GroupMembership.objects.get(user=site.dana)
    old.delete()
    GroupMembership.objects.create(group=old.group, user=site.dana, starts_at=old.starts_at)


def role_of_decider(site: Site) -> None:
    row = join(site.project, site.dana, Role.MEMBER, NOW - timedelta(days=9))
    assert Membership.objects.filter(pk=row.pk).exists()


def role_of_deputised(site: Site) -> None:
    join(site.project, site.erin, Role.OWNER, NOW - timedelta(days=9))


def revoked_before(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["erin"].pk).update(
        revoked_at=NOW - timedelta(days=1)
    )


def ended_before(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["erin"].pk).update(
        ends_at=NOW - timedelta(days=1)
    )


def powers(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["erin"].pk).update(powers=[Power.AUDIT])


def grantor(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(grantor=site.otto)


def terms_of_bound(site: Site) -> None:
    DelegationBound.objects.filter(delegation=site.delegations["dana"], total=200).update(total=900)


def bound_passed(site: Site) -> None:
    DelegationBound.objects.filter(delegation=site.delegations["dana"], total=200).update(
        per_decision=99
    )


def bound_gone(site: Site) -> None:
    rows = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    rows.filter(resource__slug="space").delete()


def consumed(site: Site) -> None:
    BoundUse.objects.update(used=3)


def consumed_gone(site: Site) -> None:
    BoundUse.objects.all().delete()


def asked_by_decider(site: Site) -> None:
    QuotaRequest.objects.filter(decisions=first()).update(asked_by=site.dana)


def asked_in_the_own_name(site: Site) -> None:
    QuotaRequest.objects.filter(decisions=first()).update(requester=site.dana, submitted_at=NOW)


def nobody_of_a_rule(site: Site) -> None:
    forge("quotas_decision", "UPDATE quotas_decision SET actor_id = %s WHERE id = %s",
          site.otto.pk, first().pk)  # fmt: skip


FORGERIES: list[tuple[Forgery, str]] = [
    (amount_granted, "moved by its transfers"),
    (quota_before, "quota before"),
    (transfer_amount, "moved by its transfers"),
    (transfer_alone, "decision behind transfer"),
    (person, "person in the proof"),
    (delegation_of_line, "delegation"),
    (rules, "rules"),
    (proof_lines, "lines in the proof"),
    (path, "unit of the project"),
    (project_place, "unit of the project"),
    (unit_place, "unit atlas on the path"),
    (membership_of_group, "member of the group of D-"),
    (membership_cited, "member of the group of D-"),
    (role_of_decider, "role of person"),
    (role_of_deputised, "role of person"),
    (revoked_before, "revoked"),
    (ended_before, "in force at"),
    (powers, "powers"),
    (grantor, "grantor"),
    (terms_of_bound, "bounds"),
    (bound_passed, "window"),
    (bound_gone, "bound of D-"),
    (consumed, "consumed of bound"),
    (consumed_gone, "consumed of bound"),
    (asked_by_decider, "person"),
    (asked_in_the_own_name, "person"),
    (nobody_of_a_rule, "who acted"),
]


def test_each_kind_of_forged_row_is_found(decided: Site) -> None:
    missed = []
    for forgery, what in FORGERIES:
        with transaction.atomic():
            forgery(decided)
            found = whats()
            transaction.set_rollback(True)
        if not any(what in each for each in found):
            missed.append((forgery.__name__, found))
    assert missed == []
    assert whats() == []


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_decisions", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_what_it_checked_and_names_what_it_found(decided: Site) -> None:
    assert run() == (
        0,
        "5 decisions and acts on envelopes and projects, each allowed by what history says.\n",
    )
    consumed(decided)
    code, said = run()
    assert code == 1
    assert "expected 140, found 3." in said
    code, said = run("--json", "--since", "2026-11-01")
    assert code == 1
    assert json.loads(said.splitlines()[-1]) == {"checked": 5, "findings": 1}
