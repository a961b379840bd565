"""What was done with projects under a delegation agrees with history, or it is found."""

from datetime import date, timedelta

import pytest
from django.db import transaction

from projects.models import Delegation, ProjectAct
from projects.states import Power, ProjectActKind, Role
from quotas.actions import lives
from quotas.actions.loans import extend_loan, make_permanent
from quotas.actions.project_changes import accept, ask_extension, ask_move
from quotas.models import DelegationBound, Loan
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site, join, make_site
from quotas.tests.test_lives import give
from quotas.tests.test_verify_decisions import Forgery, forge, revoked_before, unit_place, whats

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
FAR = date(2029, 6, 30)


@pytest.fixture
def lived(site: Site) -> Site:
    """A loan left longer, then for good; an end agreed to; suspended, resumed, moved and closed."""
    for name in ("otto", "erin"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    give(site, site.vcpu, 16, until=date(2026, 12, 31))
    first = Loan.objects.get(outstanding__gt=0)
    loan = extend_loan(loan=first, until_on=date(2027, 6, 30), seen=16, actor=site.dana,
                       now=NOW + DAY)  # fmt: skip
    make_permanent(loan=loan, seen=16, actor=site.dana, now=NOW + DAY)
    change = ask_extension(project=site.project, until_on=FAR, actor=site.alice, now=NOW + DAY)
    assert change is not None
    accept(change=change, version=1, actor=site.erin, now=NOW + DAY)
    lives.suspend(project=site.project, reason="x", actor=site.erin, now=NOW + DAY)
    lives.resume(project=site.project, actor=site.erin, now=NOW + DAY)
    ask_move(project=site.project, unit=site.units["it"], actor=site.otto, now=NOW + 2 * DAY)
    lives.close(project=site.project, actor=site.otto, now=NOW + 3 * DAY)
    return site


@pytest.fixture
def site() -> Site:
    return make_site()


def act_forged(kind: ProjectActKind, statement: str) -> Forgery:
    def forgery(site: Site) -> None:
        pk = ProjectAct.objects.get(kind=kind).pk
        forge(
            "projects_projectact", f"UPDATE projects_projectact SET {statement} WHERE id = %s", pk
        )

    forgery.__name__ = f"{kind}: {statement}"
    return forgery


def a_role(site: Site) -> None:
    join(site.project, site.dana, Role.MEMBER, NOW - 9 * DAY)


def a_narrow_bound(site: Site) -> None:
    held = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    held.update(per_decision=9)


def the_power(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["erin"].pk).update(powers=[Power.DECIDE_QUOTA])


def the_loan_lasts(site: Site) -> None:
    Loan.objects.filter(outstanding=0).update(ends_at=NOW + 99 * DAY)


FORGERIES: list[tuple[Forgery, str]] = [
    (act_forged(ProjectActKind.SUSPEND, "snapshot = '{}'"), "rules"),
    (act_forged(ProjectActKind.LOAN_KEEP, """snapshot = snapshot || '{"rule_version": 4}'"""),
     "rules"),
    (act_forged(ProjectActKind.EXTEND, "actor_id = NULL"), "person in the proof"),
    (act_forged(ProjectActKind.CLOSE, """snapshot = snapshot || '{"chain": []}'"""), "chain of D-"),
    (act_forged(ProjectActKind.MOVE, """data = data || '{"after": 0}'"""), "unit moved to"),
    (act_forged(ProjectActKind.MOVE, """data = data || '{"before": 0}'"""), "unit left"),
    (act_forged(ProjectActKind.LOAN_EXTEND, """data = data || '{"amount": 15}'"""),
     "amount in the proof"),
    (act_forged(ProjectActKind.LOAN_EXTEND, """data = data || '{"until": "2027-01-31"}'"""),
     "end of the loan"),
    (the_loan_lasts, "end of the loan"),
    (a_role, "role of person"),
    (a_narrow_bound, "as written"),
    (the_power, "powers"),
    (revoked_before, "revoked"),
    (unit_place, "on the path"),
]  # fmt: skip


def test_what_was_done_with_projects_agrees_with_history(lived: Site) -> None:
    assert ProjectAct.objects.filter(delegation__isnull=False).count() == 7
    assert [each.sentence for each in verify()] == []
    assert [each.sentence for each in verify(since=NOW + 2 * DAY)] == []


def test_each_kind_of_forged_act_is_found(lived: Site) -> None:
    missed = []
    for forgery, what in FORGERIES:
        with transaction.atomic():
            forgery(lived)
            found = whats()
            transaction.set_rollback(True)
        if not any(what in each for each in found):
            missed.append((forgery.__name__, found))
    assert missed == []
