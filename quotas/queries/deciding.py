"""The lines of a request that wait, as its decision reads them: no more than the verb goes by."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery

from portal.lib.compiled import compiled
from portal.lib.together import Part, Rows
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
    return {each.pk: WaitingLine(each, each.quota or 0) for each in lines}


@compiled
def _waiting(*, number: Any) -> list[Part]:
    account = Account.objects.filter(project=OuterRef("project"), offering=OuterRef("offering"))
    lines = RequestLine.objects.filter(request=number, state=LineState.OPEN)
    rows = lines.annotate(quota=Subquery(account.values("balance"))).order_by("pk")
    return [Rows(rows, RELATED, ["quota"])]
