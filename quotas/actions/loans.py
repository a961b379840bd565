"""A loan is left longer, or for good: by who could grant as much to the project.

The loan is paid back and lent or granted anew in one transaction, so that the ledger explains
it; what the project has stays as it is, so no cloud is told. What it adds to bounds was counted
when it was granted: it is judged by the bounds as written, and consumes nothing again.
"""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from portal.lib.moments import full_day_words
from projects.actions.events import record
from projects.actions.project_acts import act
from projects.models import Project, ProjectAct, User
from projects.outgoing.notices import tell_all_of
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.models import Loan
from quotas.queries.authority import Mandate, own_mandates
from quotas.queries.figures import last_day
from quotas.queries.free_holders import interested

from .calendar import end_of, managers_of
from .change_rows import lapse_wishes
from .holdings import Holdings, lock_holdings
from .lives import MAX_REASON
from .posting import Journal
from .project_desk import ProjectDesk, take_project
from .warrants import Warrant, shown
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
        desk, held = _taken(loan, seen, actor, now)
        mandate = mandate_over(desk.viewer, desk.project, held)
        lend_on(desk, held, until_on, mandate=mandate, reason=reason)
    return Loan.objects.filter(account=held.account_id).latest("pk")


def make_permanent(
    *, loan: Loan, seen: int, reason: str = "", actor: User, now: datetime
) -> Project:
    """Let the project have for good what is outstanding; see extend_loan."""
    with transaction.atomic():
        desk, held = _taken(loan, seen, actor, now)
        mandate = mandate_over(desk.viewer, desk.project, held)
        lend_on(desk, held, None, mandate=mandate, reason=reason)
    return desk.project


def lend_on(
    desk: ProjectDesk, loan: Loan, until_on: date | None, *, mandate: Mandate, reason: str
) -> None:
    """Leave a locked loan until another day; None: for good. What waited for that is over."""
    if until_on is not None:
        check_later(loan, until_on, desk.viewer.now)
    holdings = lock_holdings(desk.project, only=[loan.account_id])
    done = _act(desk, loan, mandate, until_on, reason)
    _anew(holdings, loan, None if until_on is None else end_of(until_on), done)
    _note("loan made permanent" if until_on is None else "loan extended", desk, loan)
    lapse_wishes(loan, desk.viewer.now)


def check_later(loan: Loan, until_on: date, now: datetime) -> None:
    """Raise Invalid unless a loan can last until that day, Conflict where it does already."""
    errors: dict[str, list[str]] = {}
    check_until(until_on, errors, now)
    if not errors and end_of(until_on) < loan.ends_at:
        words = {"day": full_day_words(last_day(loan.ends_at))}
        errors["until_on"] = [_("It lasts until %(day)s: choose a later day.") % words]
    if errors:
        raise Invalid(errors)
    if end_of(until_on) == loan.ends_at:
        raise Conflict(_("It lasts until that day already."))


def may_change_loans(
    viewer: Viewer, project: Project, *, asked_by: int | None = None
) -> list[Mandate]:
    """By what the person decides about the project's loans; raises Forbidden where by nothing."""
    mandates = own_mandates(viewer, project)
    if not mandates:
        words = {"unit": project.unit.label}
        sentence = _("You hold no delegation that lets you decide quota for %(unit)s.")
        raise Forbidden(sentence % words, unit=project.unit.slug)
    people = {viewer.user.pk, *(each for mandate in mandates for each in mandate.deputised)}
    barred: set[int | None] = {*interested(people, project, viewer.now), asked_by}
    free = [each for each in mandates if not barred & set(each.deputised)]
    if viewer.user.pk in barred or not free:
        words = {"project": project.name}
        sentence = _("You, or whom you stand in for, have a part in %(project)s: others decide.")
        raise Forbidden(sentence % words, project=project.slug)
    return free


def mandate_over(
    viewer: Viewer, project: Project, loan: Loan, *, asked_by: int | None = None
) -> Mandate:
    """The nearest of the person's by which what is outstanding could be granted at once.

    asked_by: the id of whoever wants it, in whose stead nobody agrees. Raises Forbidden.
    """
    free = may_change_loans(viewer, project, asked_by=asked_by)
    offering = loan.account.offering
    for each in free:
        if each.allows(offering, loan.outstanding):
            return each
    most = max((each.most(offering).amount or 0) for each in free)
    raise Forbidden(
        _("Your remit does not allow as much at once: somebody above you can do it."),
        offering=offering.slug, most=most, asked=loan.outstanding,
    )  # fmt: skip


def project_of(loan: Loan) -> Project:
    """Whose it is; raises NotVisible."""
    project = Project.objects.filter(accounts__loans=loan.pk).first()
    if project is None:
        raise NotVisible(_("There is no such loan."))
    return project


def lock_loan(loan_id: int) -> Loan:
    """A loan of a locked project, locked; raises Conflict where it was paid back."""
    rows = Loan.objects.filter(pk=loan_id).select_related("account__offering__resource")
    held = lock(rows)[0]
    if held.outstanding == 0:
        raise Conflict(_("It was paid back already."))
    return held


def _taken(loan: Loan, seen: int, actor: User, now: datetime) -> tuple[ProjectDesk, Loan]:
    """The project and the loan, locked."""
    desk = take_project(project_of(loan), actor, now)
    may_change_loans(desk.viewer, desk.project)
    desk.check_state(*WORKS)
    held = lock_loan(loan.pk)
    if held.outstanding != seen:
        sentence = _("Another amount is outstanding by now. Look again.")
        raise Stale(sentence, seen=seen, now=held.outstanding)
    return desk, held


def _act(
    desk: ProjectDesk, loan: Loan, mandate: Mandate, until_on: date | None, reason: str
) -> ProjectAct:
    said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
    facts = {"loan": loan.pk, "offering": loan.account.offering.slug, "amount": loan.outstanding}
    warrant = Warrant(desk.viewer, mandate, desk.project, desk.project.unit, facts)
    until = {} if until_on is None else {"until": until_on}
    return act(
        desk.project,
        ProjectActKind.LOAN_KEEP if until_on is None else ProjectActKind.LOAN_EXTEND,
        actor=desk.viewer.user, now=desk.viewer.now, reason=said,
        data={**facts, "before": loan.ends_at.isoformat(), **until}, **shown(warrant),
    )  # fmt: skip


def _anew(holdings: Holdings, loan: Loan, ends_at: datetime | None, done: ProjectAct) -> None:
    """Pay it back to whom it is owed, and draw as much from there again."""
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
