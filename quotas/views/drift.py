"""Drift at its pages: what differs where, how much was looked at, restore and ignore."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Invalid, NotVisible
from projects.queries.viewers import Viewer
from quotas.actions import drift as verbs
from quotas.actions.repairs import check_retry
from quotas.forms import IgnoreForm, take_errors
from quotas.models import Drift
from quotas.queries.drift import (
    ENDED,
    IGNORED,
    SHOWN,
    coverage,
    drifts,
    kind_counts,
    shown_as,
    together,
    unanswered,
    visible_drifts,
)
from quotas.queries.drift_words import restoring_words, sentence_of, why_not_restore
from quotas.queries.repairers import Repairs, readable_endpoints, readable_targets
from quotas.states import DriftKind

from .drift_rows import rows_of
from .operations import reader_of
from .pages import ids_in, is_slug, page_of

UNANSWERED_SHOWN = 10
MOST_CHOSEN = 200
SHOWS = {SHOWN: pgettext_lazy("drifts", "Open"), IGNORED: _lazy("Ignored"), ENDED: _lazy("Over")}


@shows("operations")
@require_safe
def drift_list(request: HttpRequest) -> HttpResponse:
    """What differs, with filters; on top how much was looked at, and what did not answer."""
    viewer = reader_of(request)
    endpoints = list(readable_endpoints(viewer).select_related("region", "identity", "state_by"))
    asked = _asked(request)
    targets = readable_targets(viewer)
    found = _filtered(drifts().filter(target__in=targets), asked, viewer)
    kind = asked["kind"]
    page = page_of(request, found.filter(kind=kind) if kind else found)
    silent = list(unanswered(targets)[: UNANSWERED_SHOWN + 1])
    rows = rows_of(page.rows, Repairs(viewer))
    coverages = coverage(endpoints, viewer.now)
    context = {
        "here": "endpoints",
        "tab": "drift",
        "coverages": coverages,
        "covered": together(coverages),
        "endpoints": endpoints,
        "asked": asked,
        "shows": SHOWS,
        "kinds": [(each, DriftKind(each).label, n) for each, n in kind_counts(found).items()],
        "page": page,
        "rows": rows,
        "may_choose": asked["show"] != ENDED and any(row.may_repair for row in rows),
        "silent": silent[:UNANSWERED_SHOWN],
        "has_more_silent": len(silent) > UNANSWERED_SHOWN,
    }
    return render(request, "operations/drift.html", context)


def _asked(request: HttpRequest) -> dict[str, str]:
    """The filters of the address; what is no filter is none."""
    kind, show = request.GET.get("kind", ""), request.GET.get("show", "")
    slugs = {name: request.GET.get(name, "").strip() for name in ("endpoint", "project")}
    return {
        "kind": kind if kind in DriftKind.values else "",
        "show": show if show in SHOWS else SHOWN,
        **{name: slug if is_slug(slug) else "" for name, slug in slugs.items()},
    }


def _filtered(rows: QuerySet[Drift], asked: dict[str, str], viewer: Viewer) -> QuerySet[Drift]:
    rows = rows.filter(shown_as(asked["show"], viewer.now))
    if asked["endpoint"]:
        rows = rows.filter(target__endpoint__slug=asked["endpoint"])
    if asked["project"]:
        rows = rows.filter(target__project__slug__icontains=asked["project"])
    return rows.order_by("-ended_at", "-pk") if asked["show"] == ENDED else rows


@shows("operate")
@require_http_methods(["GET", "HEAD", "POST"])
def drift_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """What a restore writes; then have it done."""
    viewer, drift = _repairable(request, pk)
    refused: DomainError | None = None
    if request.method == "POST":
        try:
            verbs.restore(drift=drift, actor=viewer.user, now=viewer.now)
        except Conflict as error:
            refused = error
        else:
            words = {"project": drift.target.project.name, "name": drift.target.endpoint.name}
            said = _("%(project)s is put right at %(name)s as soon as it takes work.")
            messages.success(request, said % words)
            return redirect("drift_list")
    context = _about(drift) | {
        "refused": refused,
        "why_not": why_not_restore(drift),
        "restoring": restoring_words(drift),
        # Convergence writes every key that differs, whoever asked for which.
        "others": list(
            drifts()
            .filter(target=drift.target, ended_at__isnull=True, limit__isnull=False)
            .exclude(pk=drift.pk)
            .exclude(limit=drift.limit)
        )
        if drift.limit_id
        else [],
    }
    status = refused.status if refused else 200
    return render(request, "operations/drift_restore.html", context, status=status)


@shows("operate")
@require_http_methods(["GET", "HEAD", "POST"])
def drift_ignore(request: HttpRequest, pk: int) -> HttpResponse:
    """Until when and why it is left as it is."""
    viewer, drift = _repairable(request, pk)

    def ignore(form: IgnoreForm) -> HttpResponse:
        verbs.ignore(drift=drift, **form.cleaned_data, actor=viewer.user, now=viewer.now)
        messages.success(request, _("It is left as it is, and back in the list after that day."))
        return redirect("drift_list")

    return _ignoring(request, ignore, _about(drift))


@shows("operate")
@require_POST
def drift_chosen(request: HttpRequest) -> HttpResponse:
    """Restore or ignore what was ticked: first what that means, then a job that does it."""
    viewer = reader_of(request)
    verbs.check_repairer(viewer)
    ids = ids_in(request.POST, "drift", MOST_CHOSEN)
    rows = drifts().filter(pk__in=ids, target__in=readable_targets(viewer))
    chosen = list(rows)
    if not chosen:
        messages.error(request, _("Choose at least one."))
        return redirect("drift_list")
    common: dict[str, Any] = {
        "drift_ids": [each.pk for each in chosen], "actor": viewer.user, "now": viewer.now,
    }  # fmt: skip
    context = {"here": "endpoints", "chosen": rows_of(chosen, Repairs(viewer))}
    if request.POST.get("do") == "ignore":

        def ignore(form: IgnoreForm) -> HttpResponse:
            job = verbs.ignore_many(**common, **form.cleaned_data)
            return redirect("job_detail", number=job.pk)

        return _ignoring(request, ignore, context, is_sent="confirmed" in request.POST)
    if "confirmed" not in request.POST:
        return render(request, "operations/drift_chosen.html", context)
    return redirect("job_detail", number=verbs.restore_many(**common).pk)


def _ignoring(
    request: HttpRequest,
    ignore: Callable[[IgnoreForm], HttpResponse],
    context: dict[str, Any],
    *,
    is_sent: bool = True,
) -> HttpResponse:
    form = IgnoreForm(request.POST if request.method == "POST" and is_sent else None)
    refused: DomainError | None = None
    if form.is_bound and form.is_valid():
        try:
            return ignore(form)
        except Invalid as error:
            take_errors(form, error.errors)
            refused = error
        except Conflict as error:
            refused = error
    status = refused.status if refused else 422 if form.is_bound else 200
    context |= {
        "form": form,
        "refused": None if isinstance(refused, Invalid) else refused,
        "most_days": verbs.MOST_DAYS,
    }
    return render(request, "operations/drift_ignore.html", context, status=status)


def _about(drift: Drift) -> dict[str, Any]:
    return {"here": "endpoints", "drift": drift, "sentence": sentence_of(drift)}


def _repairable(request: HttpRequest, pk: int) -> tuple[Viewer, Drift]:
    """The drift, for somebody who may repair it; raises Forbidden, NotVisible."""
    viewer = reader_of(request)
    drift = visible_drifts(viewer).filter(pk=pk).first()
    if drift is None:
        raise NotVisible(_("There is no such drift."))
    check_retry(viewer, drift.target)
    return viewer, drift
