"""A loan is left longer, or for good: by who could grant as much to the project.

The loan is paid back and lent or granted anew in one transaction, so that the ledger explains
it; what the project has stays as it is, so no cloud is told. What it adds to bounds was counted
when it was granted: it is judged by the bounds as written, and consumes nothing again.
"""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.project_acts import act
from projects.models import Project, ProjectAct, User
from projects.outgoing.notices import tell_all_of
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.models import Loan, Offering
from quotas.queries.authority import Mandate, interested, own_mandates

from .calendar import end_of, managers_of
from .holdings import lock_holdings
from .lives import MAX_REASON
from .posting import Journal
from .project_desk import ProjectDesk, take_project
from .proof import RULE_VERSION, link_terms, memberships
from .wishes import check_until, clean_text

WORKS = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def extend_loan(
    *, loan: Loan, until_on: date, seen: int, reason: str = "", actor: User, now: datetime
) -> Loan:
    """Lend what is outstanding until another day; the loan that takes its place.

    seen: the outstanding amount that the actor saw. Raises NotVisible, Forbidden, Conflict
    where it is paid back, Stale, Invalid.
    """
    with transaction.atomic():
        desk, held, mandate = _taken(loan, seen, actor, now)
        errors: dict[str, list[str]] = {}
        check_until(until_on, errors, now)
        if errors:
            raise Invalid(errors)
        ends_at = end_of(until_on)
        if ends_at == held.ends_at:
            raise Conflict(_("It lasts until that day already."))
        done = _act(desk, held, mandate, ProjectActKind.LOAN_EXTEND, reason, {"until": until_on})
        _anew(desk, held, ends_at, done)
        _note("loan extended", desk, held)
    return Loan.objects.filter(account=held.account_id).latest("pk")


def make_permanent(
    *, loan: Loan, seen: int, reason: str = "", actor: User, now: datetime
) -> Project:
    """Let the project have for good what is outstanding; see extend_loan."""
    with transaction.atomic():
        desk, held, mandate = _taken(loan, seen, actor, now)
        done = _act(desk, held, mandate, ProjectActKind.LOAN_KEEP, reason, {})
        _anew(desk, held, None, done)
        _note("loan made permanent", desk, held)
    return desk.project


def may_change_loans(viewer: Viewer, project: Project) -> list[Mandate]:
    """By what the person decides about the project's loans; raises Forbidden where by nothing."""
    mandates = own_mandates(viewer, project)
    if not mandates:
        words = {"unit": project.unit.label}
        sentence = _("You hold no delegation that lets you decide quota for %(unit)s.")
        raise Forbidden(sentence % words, unit=project.unit.slug)
    people = {viewer.user.pk, *(each for mandate in mandates for each in mandate.deputised)}
    barred = interested(people, project, viewer.now)
    free = [each for each in mandates if not barred & set(each.deputised)]
    if viewer.user.pk in barred or not free:
        words = {"project": project.name}
        sentence = _("You, or whom you stand in for, hold a role in %(project)s: others decide.")
        raise Forbidden(sentence % words, project=project.slug)
    return free


def _taken(loan: Loan, seen: int, actor: User, now: datetime) -> tuple[ProjectDesk, Loan, Mandate]:
    """The project and the loan, locked, and by what the actor decides about so much."""
    project = Project.objects.filter(accounts__loans=loan.pk).first()
    if project is None:
        raise NotVisible(_("There is no such loan."))
    desk = take_project(project, actor, now)
    free = may_change_loans(desk.viewer, desk.project)
    desk.check_state(*WORKS)
    rows = Loan.objects.filter(pk=loan.pk).select_related("account__offering__resource")
    held = lock(rows)[0]
    if held.outstanding == 0:
        raise Conflict(_("It was paid back already."))
    if held.outstanding != seen:
        sentence = _("Another amount is outstanding by now. Look again.")
        raise Stale(sentence, seen=seen, now=held.outstanding)
    return desk, held, _allowed(free, held.account.offering, held.outstanding)


def _allowed(mandates: list[Mandate], offering: Offering, amount: int) -> Mandate:
    """The nearest that could grant as much at once."""
    for each in mandates:
        if each.allows(offering, amount):
            return each
    most = max((each.most(offering).amount or 0) for each in mandates)
    raise Forbidden(
        _("Your remit does not allow as much at once: somebody above you can do it."),
        offering=offering.slug, most=most, asked=amount,
    )  # fmt: skip


def _act(
    desk: ProjectDesk, loan: Loan, mandate: Mandate, kind: ProjectActKind, reason: str,
    data: dict[str, object],
) -> ProjectAct:  # fmt: skip
    said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
    facts = {"loan": loan.pk, "offering": loan.account.offering.slug, "amount": loan.outstanding}
    return act(
        desk.project, kind, actor=desk.viewer.user, now=desk.viewer.now, reason=said,
        delegation=mandate.delegation, snapshot=_proof(desk, mandate, facts),
        data={**facts, "before": loan.ends_at.isoformat(), **data},
    )  # fmt: skip


def _proof(desk: ProjectDesk, mandate: Mandate, facts: dict[str, Any]) -> dict[str, Any]:
    """The terms of the chain by which it was allowed, as of a decision."""
    return {
        "rule_version": RULE_VERSION,
        "person": desk.viewer.user.pk,
        "effective_people": sorted({desk.viewer.user.pk, *mandate.deputised}),
        "memberships": memberships(desk.viewer, [mandate]),
        "project": desk.project.pk,
        "unit": desk.project.unit_id,
        "unit_path": desk.project.unit.path,
        "chain": [link_terms(link, mandate.bounds[link.pk]) for link in mandate.chain],
        **facts,
    }


def _anew(desk: ProjectDesk, loan: Loan, ends_at: datetime | None, done: ProjectAct) -> None:
    """Pay it back to whom it is owed, and draw as much from there again."""
    holdings = lock_holdings(desk.project, only=[loan.account_id])
    account, source = holdings.by_id[loan.account_id], holdings.by_id[loan.source_id]
    amount = loan.outstanding
    own = [each for each in holdings.loans[account.pk] if each.pk == loan.pk]
    journal = Journal(actor=done.actor, now=done.at, project_act=done)
    journal.decrease(
        line=None, account=account, home=source, loans=own, sources=holdings.by_id, amount=amount
    )
    journal.increase(line=None, account=account, source=source, amount=amount, ends_at=ends_at)
    journal.write()


def _note(verb: str, desk: ProjectDesk, loan: Loan) -> None:
    event = record(
        verb, actor=desk.viewer.user, now=desk.viewer.now, project=desk.project,
        unit=desk.project.unit, subject_kind="project", subject_id=desk.project.pk,
        offering=loan.account.offering.slug,
    )  # fmt: skip
    tell_all_of(event, managers_of(desk.project, desk.viewer.now), NoticeKind.PROJECT)
