"""Deciding one request: approve, endorse, decline, return. Refusals keep what was typed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import DomainError
from projects.models import User
from projects.queries.viewers import Viewer
from projects.states import Power
from projects.views.viewer import keep_viewer, viewer_of
from quotas.actions import decide as verbs
from quotas.actions.authority import barred
from quotas.actions.endorse import endorse
from quotas.actions.wishes import clean_text
from quotas.models import QuotaRequest
from quotas.queries.authority import own_mandates
from quotas.queries.deciding import WaitingLine, decider_and_lines
from quotas.queries.queue_heads import next_in_queue
from quotas.queries.queue_wishes import Wanted
from quotas.views.decide_form import Typed
from quotas.views.decide_page import Desk, page_context
from quotas.views.pages import visible_request
from quotas.views.queue import decide_url, queue_url


@dataclass(frozen=True)
class Deciding:
    """What is decided, by whom; lines: those that wait, by id."""

    viewer: Viewer
    request: QuotaRequest
    lines: Mapping[int, WaitingLine]


Verb = Callable[[Deciding, Typed], object]


@shows("decide")
@require_safe
def decide(request: HttpRequest, number: int) -> HttpResponse:
    """The request with everything to weigh, and the form of the decision."""
    return _page(request, _desk(request, number))


@shows("decide")
@require_POST
def request_approve(request: HttpRequest, number: int) -> HttpResponse:
    """Grant the ticked lines, as asked or as edited."""

    def approve(decision: Deciding, typed: Typed) -> object:
        return verbs.approve(
            quota_request=decision.request,
            granted=typed.checked_grants(decision.lines),
            seen=typed.seen,
            version=typed.shown_version(),
            reason=typed.note,
            actor=decision.viewer.user,
            now=decision.viewer.now,
        )

    said = _("Approved #%(number)s for %(project)s. It is being applied; see it under Requests.")
    return _do(request, number, approve, said)


@shows("decide")
@require_POST
def request_endorse(request: HttpRequest, number: int) -> HttpResponse:
    """Recommend the ticked lines that are more than one may grant; the others wait on."""

    def recommend(decision: Deciding, typed: Typed) -> object:
        granted, figures = typed.checked_grants(decision.lines), _desk(request, number).figures
        beyond = {
            line_id: amount
            for line_id, amount in granted.items()
            if line_id in figures and figures[line_id].is_beyond_bound
        }
        return endorse(
            quota_request=decision.request,
            # Without any the action says why there is nothing to endorse.
            endorsed=beyond or granted,
            version=typed.shown_version(),
            reason=typed.note,
            actor=decision.viewer.user,
            now=decision.viewer.now,
        )

    said = _("Endorsed #%(number)s for %(project)s. Those who may decide it read what you say.")
    return _do(request, number, recommend, said)


@shows("decide")
@require_POST
def request_return(request: HttpRequest, number: int) -> HttpResponse:
    """Send the ticked lines back with a question."""

    def return_(decision: Deciding, typed: Typed) -> object:
        return verbs.return_(
            quota_request=decision.request,
            line_ids=typed.checked_lines(),
            question=typed.reason,
            version=typed.shown_version(),
            actor=decision.viewer.user,
            now=decision.viewer.now,
        )

    said = _("Returned #%(number)s of %(project)s with your question; it comes back answered.")
    return _do(request, number, return_, said)


@shows("decide")
@require_POST
def request_decline(request: HttpRequest, number: int) -> HttpResponse:
    """Say no to the ticked lines: first show what that means, then do it."""
    typed = Typed.read(request.POST)
    if not typed.is_confirmed:
        return _confirm_decline(request, number, typed)

    def decline(decision: Deciding, typed: Typed) -> object:
        return verbs.decline(
            quota_request=decision.request,
            line_ids=typed.checked_lines(),
            reason=typed.reason,
            version=typed.shown_version(),
            actor=decision.viewer.user,
            now=decision.viewer.now,
        )

    said = _("Declined #%(number)s of %(project)s. Its people see your reason.")
    return _do(request, number, decline, said)


def _confirm_decline(request: HttpRequest, number: int, typed: Typed) -> HttpResponse:
    desk = _desk(request, number)
    try:
        clean_text(typed.reason, field="reason", required=True)
        chosen = [desk.figures[each] for each in typed.checked_lines() if each in desk.figures]
    except DomainError as error:
        return _page(request, desk, typed, error)
    context = {
        "here": "decide",
        "quota_request": desk.request,
        "typed": typed,
        "chosen": chosen,
        "left_count": len(desk.figures) - len(chosen),
        "wanted_query": desk.wanted.query(page=1),
    }
    return render(request, "decide/decline.html", context)


def _do(request: HttpRequest, number: int, verb: Verb, said: str) -> HttpResponse:
    """Decide, then go to the next in the queue; a refusal shows the page with figures of now.

    The verb asks under its locks what the page asks, so nothing is weighed before it. Who decides
    nothing there makes nobody wait for a lock; what they may see is asked as for the page.
    """
    user: User = request.user  # type: ignore[assignment]  # signed in
    viewer, lines = decider_and_lines(user, number, timezone.now())
    keep_viewer(request, viewer)
    wanted, typed = Wanted.read(request.GET), Typed.read(request.POST)
    asked = next((each.line.request for each in lines.values()), None)
    if asked is None or not viewer.over(Power.DECIDE_QUOTA, asked.project.unit.path):
        asked = _desk(request, number).request
    decision = Deciding(viewer, asked, lines)
    is_back = typed.is_from_queue
    # Asked before, because the decision takes the request out of the queue.
    next_number = None if is_back else next_in_queue(viewer, wanted, asked)
    try:
        verb(decision, typed)
    except DomainError as error:
        return _page(request, _desk(request, number), typed, error)
    messages.success(request, said % {"number": number, "project": asked.project.name})
    if is_back:
        return redirect(reverse("queue") + wanted.query())
    return redirect(decide_url(next_number, wanted) if next_number else queue_url(wanted))


def _page(
    request: HttpRequest, desk: Desk, typed: Typed | None = None, error: DomainError | None = None
) -> HttpResponse:
    context = page_context(desk, typed, error)
    return render(
        request, "decide/decide.html", context, status=error.status if error is not None else 200
    )


def _desk(request: HttpRequest, number: int) -> Desk:
    """Raises NotVisible or Forbidden: only who may decide for the project sees this page."""
    viewer = viewer_of(request)
    quota_request = visible_request(viewer, number)
    mandates = own_mandates(viewer, quota_request.project)
    barred(viewer, quota_request, mandates)
    return Desk(viewer, quota_request, mandates, Wanted.read(request.GET)).load()
