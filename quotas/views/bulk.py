"""Deciding many requests of the queue at once: first look them over, then a job does it."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.lib.access import shows
from portal.lib.errors import DomainError, Invalid
from projects.queries.viewers import Viewer
from projects.views.viewer import viewer_of
from quotas.actions.bulk import (
    MOST_REQUESTS,
    VERBS,
    check_decides_somewhere,
    decide_many,
)
from quotas.actions.shown import Shown
from quotas.models import DecisionKind
from quotas.queries.queue_wishes import Wanted
from quotas.queries.requests import queue
from quotas.views.queue import queue_url
from quotas.views.queue_rows import Row, rows_of_page


@dataclass(frozen=True)
class Choice:
    """A chosen request: as it is now, and what was seen of it when it was chosen."""

    row: Row
    shown: Shown

    @property
    def is_stale(self) -> bool:
        """Whether it has changed since: the job would refuse it."""
        now = self.row.seen
        has_moved = any(now.get(line_id) != seen for line_id, seen in self.shown.seen.items())
        return self.row.version != self.shown.version or has_moved


@shows("decides")
@require_POST
def queue_bulk(request: HttpRequest) -> HttpResponse:
    """Show what is chosen and what would become of it; once confirmed, start the job."""
    viewer = viewer_of(request)
    check_decides_somewhere(viewer)
    kind = _kind(request.POST)
    shown = _shown(request.POST)
    if not shown:
        messages.warning(request, _("Choose at least one request."))
        return redirect(queue_url(Wanted.read(request.GET)))
    if request.POST.get("confirmed") != "yes":
        return _review(request, viewer, kind, shown)
    try:
        job = decide_many(
            kind=kind, shown=shown, reason=request.POST.get("reason", ""), actor=viewer.user,
            now=viewer.now,
        )  # fmt: skip
    except Invalid as error:
        return _review(request, viewer, kind, shown, error)
    return redirect("job_detail", number=job.pk)


def _kind(data: QueryDict) -> DecisionKind:
    text = data.get("do", "")
    return DecisionKind(text) if text in VERBS else DecisionKind.APPROVE


def _shown(data: QueryDict) -> list[Shown]:
    """What the boxes carry; what our page did not write is passed over."""
    found = []
    for text in data.getlist("request")[:MOST_REQUESTS]:
        try:
            found.append(Shown.read(text))
        except ValueError:
            continue
    return found


def _review(
    request: HttpRequest,
    viewer: Viewer,
    kind: DecisionKind,
    shown: list[Shown],
    error: DomainError | None = None,
) -> HttpResponse:
    by_number = {each.number: each for each in shown}
    found = list(queue(viewer).filter(pk__in=by_number)[:MOST_REQUESTS])
    wanted = Wanted.read(request.GET)
    choices = [Choice(row, by_number[row.number]) for row in rows_of_page(viewer, found, wanted)]
    wrong = error.errors if isinstance(error, Invalid) else {}
    context = {
        "here": "decide",
        "kind": kind,
        "choices": choices,
        "gone_count": len(by_number) - len(choices),
        "able_count": sum(_is_able(each, kind) for each in choices),
        "reason": request.POST.get("reason", ""),
        "reason_errors": wrong.get("reason", []),
        "other_errors": [("", each) for key in wrong if key != "reason" for each in wrong[key]],
        "error_rows": [("reason", each) for each in wrong.get("reason", [])],
        "needs_reason": kind != DecisionKind.APPROVE,
        "wanted_query": wanted.query(page=1),
    }
    status = error.status if error is not None else 200
    return render(request, "decide/bulk.html", context, status=status)


def _is_able(choice: Choice, kind: DecisionKind) -> bool:
    if choice.is_stale:
        return False
    row = choice.row
    return row.can_as_asked if kind == DecisionKind.APPROVE else bool(row.shown)
