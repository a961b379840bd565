"""Wishes for loans that last longer, or for good: with the loan at hand, and who could agree."""

from collections import defaultdict
from collections.abc import Iterable

from projects.models import ProjectChange
from projects.queries.viewers import Viewer, below
from projects.states import ChangeKind, ChangeState, Power
from quotas.models import Loan

from .authority import deciding_for, mandates_held


def with_loans(changes: Iterable[ProjectChange]) -> list[ProjectChange]:
    """The changes, each of a loan with it at hand as `lent`; one query, none without such."""
    rows = list(changes)
    loans = loans_of(rows)
    for each in rows:
        # `projects` knows no loans, so the row holds the id alone.
        each.lent = loans.get(each.loan or 0)  # type: ignore[attr-defined]
    return rows


def loans_of(changes: Iterable[ProjectChange]) -> dict[int, Loan]:
    """{loan id: the loan} of those that are about one."""
    ids = {each.loan for each in changes if each.loan is not None}
    if not ids:
        return {}
    return Loan.objects.select_related(
        "account__offering__resource", "account__offering__zone__region", "source__unit"
    ).in_bulk(ids)


def agreeable(viewer: Viewer) -> dict[int, set[int]]:
    """{delegation id: ids of the open ones that it is wide enough for}; two or three queries.

    Those in which its holder has a part are for the caller to leave out.
    """
    paths = viewer.paths(Power.DECIDE_QUOTA)
    if not paths:
        return {}
    asked = ProjectChange.objects.filter(
        below(paths, "project__unit__path"), kind=ChangeKind.LOAN, state=ChangeState.OPEN
    )
    rows = list(asked.select_related("project__unit"))
    loans = loans_of(rows)
    held = mandates_held(viewer) if loans else []
    found: dict[int, set[int]] = defaultdict(set)
    for each in rows:
        if (loan := loans.get(each.loan or 0)) is not None:
            for mandate in deciding_for(held, each.project):
                if mandate.allows(loan.account.offering, loan.outstanding):
                    found[mandate.delegation.pk].add(each.pk)
    return found
