"""Requests: the list, one of them, and the verbs of those who asked."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import shows
from portal.lib.amounts import input_text
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, Stale
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from projects.states import ProjectState
from projects.views.viewer import viewer_of
from quotas.actions import requests
from quotas.actions.nudge import nudge
from quotas.forms import (
    AmendForm,
    AmountRow,
    Amounts,
    LineInput,
    TextForm,
    read_amounts,
    take_errors,
    typed_amounts,
    version_in,
)
from quotas.models import QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.queries.delivery import LineProgress, progress_of
from quotas.queries.proposals import standing_of
from quotas.queries.repairers import Repairs
from quotas.queries.request_lists import (
    Scope,
    Stage,
    find_requests,
    rows_of,
    waits_for,
)
from quotas.queries.requests import states_of
from quotas.queries.timeline import request_timeline
from quotas.queries.waiting_for import waiting_of
from quotas.rules import may_change, may_comment, may_decide
from quotas.states import PENDING, LineState

from .pages import choice_of, page_of, visible_project, visible_request
from .watching import watching_context

# What somebody wrote is told by these.
WRITTEN = ("commented", "answered")


@shows("own")
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """`?of=` whose, `?state=` how far, `?project=` of that one alone."""
    viewer = viewer_of(request)
    slug = request.GET.get("project", "")
    project = visible_project(viewer, slug) if slug else None
    scope = choice_of(request.GET, "of", Scope, Scope.MINE)
    stage = choice_of(request.GET, "state", Stage, Stage.ANY)
    page = page_of(request, find_requests(viewer, scope, stage, project))
    context = {
        "page": page,
        "rows": rows_of(page.rows, viewer),
        "scope": scope,
        "stage": stage,
        "project": project,
        "scopes": Scope.choices,
        "stages": Stage.choices,
        "here": "requests",
    }
    return render(request, "requests/list.html", context)


@dataclass
class Typed:
    """What was typed into the forms of a request's page, and what was wrong with it."""

    answer: TextForm = field(default_factory=lambda: TextForm(auto_id="answer-%s"))
    comment: TextForm = field(default_factory=lambda: TextForm(auto_id="comment-%s"))
    amounts: Amounts = field(default_factory=Amounts)
    refused: DomainError | None = None
    errors: list[tuple[str, str]] = field(default_factory=list)


@shows("project")
@require_safe
def request_detail(request: HttpRequest, number: int) -> HttpResponse:
    viewer = viewer_of(request)
    return _show(request, viewer, visible_request(viewer, number), Typed())


def _show(
    request: HttpRequest, viewer: Viewer, asked: QuotaRequest, typed: Typed, status: int = 200
) -> HttpResponse:
    context = request_context(viewer, asked, typed)
    return render(request, "requests/detail.html", context, status=status)


def request_context(viewer: Viewer, asked: QuotaRequest, typed: Typed) -> dict[str, Any]:
    """Everything that the page of a request shows, with the figures of now."""
    roles = roles_in(viewer, asked.project)
    progress, entries = progress_of(asked), request_timeline(asked)
    states = {each.line.state for each in progress.lines}
    asks = may_ask(roles) and asked.project.state == ProjectState.ACTIVE
    waiting = waiting_of(asked, viewer) if LineState.OPEN in states else None
    changes = may_change(viewer, asked, roles)
    writers = frozenset(e.actor.pk for e in entries if e.actor and e.verb in WRITTEN)
    return watching_context(viewer, asked, writers) | {
        "asked": asked,
        "project": asked.project,
        "proposal": standing_of(viewer, asked.project, may_ask=False),
        "state": states_of([asked])[asked.pk],
        "progress": progress,
        "entries": entries,
        "waits_for": waits_for([asked], viewer).get(asked.pk, []),
        "regions": list(dict.fromkeys(e.line.offering.zone.region for e in progress.lines)),
        "is_settled": progress.is_settled,
        "question": next((e for e in reversed(entries) if e.verb == "returned"), None),
        "is_draft": asked.submitted_at is None,
        "waiting": waiting,
        "can_nudge": waiting is not None and waiting.may_nudge(viewer.now),
        "may_nudge": changes and LineState.OPEN in states,
        "may_amend": changes and LineState.OPEN in states,
        "may_withdraw": changes and not states.isdisjoint(PENDING),
        "may_answer": changes and LineState.RETURNED in states,
        "may_ask": asks,
        "may_comment": may_comment(viewer, asked, roles) and asked.submitted_at is not None,
        "may_decide": may_decide(viewer, asked, roles) and LineState.OPEN in states,
        "missing": [each for each in progress.lines if each.less],
        "returned": [
            (each, typed.amounts.input(str(each.line.pk)))
            for each in progress.lines
            if each.line.state == LineState.RETURNED
        ],
        "answer": typed.answer,
        "comment": typed.comment,
        "error": typed.refused,
        "errors": typed.errors,
        "repairs": Repairs(viewer),
        "here": "requests",
    }


@shows("comment")
@require_POST
def request_comment(request: HttpRequest, number: int) -> HttpResponse:
    viewer = viewer_of(request)
    asked = visible_request(viewer, number)
    form = TextForm(request.POST, auto_id="comment-%s")
    text = form.cleaned_data["text"] if form.is_valid() else request.POST.get("text", "")
    try:
        requests.comment(quota_request=asked, text=text, actor=viewer.user, now=viewer.now)
    except Invalid as error:
        typed = Typed(comment=form)
        take_errors(form, error.errors)
        typed.errors = _at(form, "comment")
        return _show(request, viewer, asked, typed, error.status)
    return redirect("request_detail", number=number)


@shows("ask")
@require_POST
def request_nudge(request: HttpRequest, number: int) -> HttpResponse:
    """Ask those who decide to look, politely."""
    viewer = viewer_of(request)
    asked = _own(viewer, number)
    try:
        count = nudge(quota_request=asked, actor=viewer.user, now=viewer.now)
    except Conflict as error:
        return _show(request, viewer, asked, Typed(refused=error), error.status)
    words = {"count": count}
    messages.success(
        request,
        ngettext(
            "%(count)s person is reminded of it.", "%(count)s people are reminded of it.", count
        )
        % words,
    )
    return redirect("request_detail", number=number)


@shows("ask")
@require_POST
def request_answer(request: HttpRequest, number: int) -> HttpResponse:
    """Answer the question; amounts that are typed change the returned lines."""
    viewer = viewer_of(request)
    asked = _own(viewer, number)
    lines = _lines(asked)
    form = TextForm(request.POST, auto_id="answer-%s")
    typed = Typed(answer=form, amounts=_read(request, asked, lines))
    text = form.cleaned_data["text"] if form.is_valid() else request.POST.get("text", "")
    try:
        if typed.amounts.errors:
            raise Invalid({})
        requests.answer(
            quota_request=asked,
            text=text,
            wanted=_changed(typed.amounts, lines),
            version=version_in(request.POST),
            actor=viewer.user,
            now=viewer.now,
        )
    except Invalid as error:
        rest = _by_line(take_errors(form, error.errors), lines)
        others = typed.amounts.take_errors(rest)
        typed.errors = [*typed.amounts.summary(_keys(lines)), *_at(form, "answer")]
        typed.errors += [("", sentence) for sentence in others.values()]
        return _show(request, viewer, asked, typed, error.status)
    except (Conflict, Stale) as error:
        typed.refused = error
        return _show(request, viewer, visible_request(viewer, number), typed, error.status)
    messages.success(request, _("Your answer is sent; the request waits for a decision again."))
    return redirect("request_detail", number=number)


@shows("ask")
@require_http_methods(["GET", "HEAD", "POST"])
def request_withdraw(request: HttpRequest, number: int) -> HttpResponse:
    """Ask first, then take back what waits."""
    viewer = viewer_of(request)
    asked = _own(viewer, number)
    if request.method == "POST":
        requests.withdraw(quota_request=asked, actor=viewer.user, now=viewer.now)
        words = _("#%(number)s is withdrawn. Nothing more comes of it.") % {"number": number}
        messages.success(request, words)
        return redirect("request_detail", number=number)
    progress = progress_of(asked)
    context = {
        "asked": asked,
        "waiting": [each for each in progress.lines if each.line.state in PENDING],
        "decided": [each for each in progress.lines if each.line.state not in PENDING],
        "here": "requests",
    }
    return render(request, "requests/withdraw.html", context)


@shows("ask")
@require_http_methods(["GET", "HEAD", "POST"])
def request_amend(request: HttpRequest, number: int) -> HttpResponse:
    """Change what the open lines ask for."""
    viewer = viewer_of(request)
    asked = _own(viewer, number)
    lines = _lines(asked, LineState.OPEN)
    if request.method != "POST":
        typed = Amounts(
            typed={str(e.pk): input_text(e.wanted, e.offering.resource.unit) for e in lines}
        )
        return _show_amend(request, asked, typed, AmendForm(initial={"reason": asked.reason}))
    amounts, form = _read(request, asked, _lines(asked)), AmendForm(request.POST)
    for line in lines:
        if not amounts.typed.get(str(line.pk), "").strip():
            amounts.errors[str(line.pk)] = _("Write an amount; 0 means nothing.")
    reason = form.cleaned_data["reason"] if form.is_valid() else request.POST.get("reason", "")
    try:
        if amounts.errors:
            raise Invalid({})
        requests.amend(
            quota_request=asked,
            wanted={int(key): amount for key, amount in amounts.wanted.items()},
            reason=reason,
            version=version_in(request.POST),
            actor=viewer.user,
            now=viewer.now,
        )
    except Invalid as error:
        rest = amounts.take_errors(_by_line(take_errors(form, error.errors), lines))
        others = [*_at(form, "id"), *(("", sentence) for sentence in rest.values())]
        return _show_amend(request, asked, amounts, form, error, others)
    except (Conflict, Stale) as error:
        return _show_amend(request, visible_request(viewer, number), amounts, form, error)
    messages.success(request, _("The request is changed."))
    return redirect("request_detail", number=number)


def _show_amend(
    request: HttpRequest,
    asked: QuotaRequest,
    amounts: Amounts,
    form: AmendForm,
    error: DomainError | None = None,
    others: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    rows: list[tuple[LineProgress, LineInput]] = [
        (each, amounts.input(str(each.line.pk)))
        for each in progress_of(asked).lines
        if each.line.state == LineState.OPEN
    ]
    is_invalid = isinstance(error, Invalid)
    context = {
        "asked": asked,
        "rows": rows,
        "form": form,
        "error": None if is_invalid else error,
        "errors": [*amounts.summary({each.key for __, each in rows}), *(others or [])],
        "here": "requests",
    }
    return render(request, "requests/amend.html", context, status=error.status if error else 200)


def _own(viewer: Viewer, number: int) -> QuotaRequest:
    """A request that the viewer may change; raises NotVisible or Forbidden."""
    asked = visible_request(viewer, number)
    if not may_change(viewer, asked, roles_in(viewer, asked.project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))
    return asked


def _lines(asked: QuotaRequest, *states: LineState) -> list[RequestLine]:
    """The request's lines in these states, or all of them."""
    lines = asked.lines.select_related("offering__resource", "offering__zone__region")
    return list(lines.filter(state__in=states) if states else lines)


def _read(request: HttpRequest, asked: QuotaRequest, lines: list[RequestLine]) -> Amounts:
    """What was typed, read against `lines`.

    Give all of the request's: one that was decided since is refused for its state, by the
    action, not as a line that nobody knows.
    """
    held = balances(asked.project)
    rows = [AmountRow(str(e.pk), e.offering, held.get(e.offering_id, 0)) for e in lines]
    return read_amounts(typed_amounts(request.POST), rows)


def _keys(lines: list[RequestLine]) -> set[str]:
    return {str(line.pk) for line in lines}


def _changed(amounts: Amounts, lines: list[RequestLine]) -> dict[int, int]:
    """{line id: amount} where the typed one is another than was asked for."""
    asked = {str(line.pk): line.wanted for line in lines}
    return {int(key): amount for key, amount in amounts.wanted.items() if asked.get(key) != amount}


def _by_line(errors: dict[str, str], lines: list[RequestLine]) -> dict[str, str]:
    """The domain names offerings, these forms name lines."""
    ids = {f"lines.{line.offering.slug}": f"lines.{line.pk}" for line in lines}
    return {ids.get(name, name): sentence for name, sentence in errors.items()}


def _at(form: AmendForm | TextForm, prefix: str) -> list[tuple[str, str]]:
    """[(id of the input, sentence)] of a form's errors."""
    joint = "_" if prefix == "id" else "-"
    return [
        (f"{prefix}{joint}{name}", str(sentence))
        for name, sentences in form.errors.items()
        for sentence in sentences
    ]
