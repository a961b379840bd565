"""The lines of a request that wait, as its decision reads them: no more than the verb goes by."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from portal.lib.compiled import compiled
from portal.lib.together import Part, Rows
from projects.models import User
from projects.queries.viewers import Viewer, standing_parts
from quotas.models import Account, RequestLine
from quotas.states import LineState

RELATED = (
    "offering", "offering__resource", "request", "request__project", "request__project__unit",
)  # fmt: skip


@dataclass(frozen=True)
class WaitingLine:
    """A line that waits, and the project's quota of its offering now."""

    line: RequestLine
    balance: int


def waiting_lines(number: int) -> dict[int, WaitingLine]:
    """{line id: line} of a request, whoever may see it: that is the verb's question. One query."""
    (lines,) = _waiting(number=number)
    return _by_id(lines)


def decider_and_lines(
    user: User, number: int, now: datetime
) -> tuple[Viewer, dict[int, WaitingLine]]:
    """Who decides, and `waiting_lines`, at the price of one."""
    memberships, held, lines = _decider_and_lines(user=user.pk, number=number, now=now)
    return Viewer.standing(user, now, memberships, held), _by_id(lines)


def _by_id(lines: Iterable[Any]) -> dict[int, WaitingLine]:
    return {each.pk: WaitingLine(each, each.quota or 0) for each in lines}


@compiled
def _decider_and_lines(*, user: Any, number: Any, now: Any) -> list[Part]:
    return [*standing_parts(user=user, now=now), *_lines_part(number=number)]


def _lines_part(*, number: Any) -> list[Part]:
    account = Account.objects.filter(project=OuterRef("project"), offering=OuterRef("offering"))
    lines = RequestLine.objects.filter(request=number, state=LineState.OPEN)
    rows = lines.annotate(quota=Subquery(account.values("balance"))).order_by("pk")
    return [Rows(rows, RELATED, ["quota"])]


_waiting = compiled(_lines_part)
