"""What is done about loans of a project by who decides its quota, and what its owners ask for."""

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import Project
from quotas.actions import loans
from quotas.actions.project_changes import ask_loan
from quotas.models import Loan
from quotas.queries.loan_changes import with_loans

from .asked import body, one, viewer_in, visible_project
from .describe import WRITE, Etag, operation
from .doors import api_view
from .shapes.ledger import LoanSerializer
from .shapes.lives import ChangeSerializer, LoanAskInput, LoanExtendInput, LoanKeepInput
from .versions import tagged

TAG = "projects"
CHANGE = (*WRITE, 412)


@shows("decide")
@operation(
    "extend_loan", "Lend for longer", method="POST", body=LoanExtendInput,
    answers=LoanSerializer, refuses=CHANGE, tag=TAG,
    about="What is outstanding is paid back and lent anew: the answer is the new loan, with "
    "another id. It takes a remit that allows as much at once.",
)  # fmt: skip
@api_view(["POST"])
def loan_extend(request: Request, slug: str, pk: int) -> Response:
    made = _act(request, slug, pk, LoanExtendInput, loans.extend_loan)
    return Response(LoanSerializer(made).data)


@shows("decide")
@operation(
    "make_loan_permanent", "Let a project have a loan for good", method="POST",
    body=LoanKeepInput, answers=None, status=204, refuses=CHANGE, tag=TAG,
)  # fmt: skip
@api_view(["POST"])
def loan_keep(request: Request, slug: str, pk: int) -> Response:
    _act(request, slug, pk, LoanKeepInput, loans.make_permanent)
    return Response(status=204)


@shows("ask")
@operation(
    "ask_loan", "Ask for a loan to last longer, or for good", method="POST", body=LoanAskInput,
    answers=ChangeSerializer, status=201, refuses=WRITE, tag=TAG, etag=Etag.GIVES,
    about="It waits for who could lend as much at once (accept_change). It goes back on its day "
    "unless they agree before.",
)  # fmt: skip
@api_view(["POST"])
def loan_ask(request: Request, slug: str, pk: int) -> Response:
    viewer = viewer_in(request)
    project: Project = visible_project(viewer, slug)
    found = one(Loan.objects.filter(account__project=project), pk=pk)
    change = ask_loan(
        loan=found, **body(request, LoanAskInput), actor=viewer.user, now=viewer.now
    )  # fmt: skip
    return tagged(ChangeSerializer(*with_loans([change])).data, change.version, status=201)


def _act(
    request: Request, slug: str, pk: int, shape: type[LoanKeepInput], verb: Callable[..., Any]
) -> Any:
    viewer = viewer_in(request)
    project: Project = visible_project(viewer, slug)
    loans.may_change_loans(viewer, project)
    found = one(Loan.objects.filter(account__project=project), pk=pk)
    sent = body(request, shape)
    return verb(loan=found, **sent, actor=viewer.user, now=viewer.now)
