"""Handing on a part of one's remit, with a live preview; and naming a deputy."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import shows
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid
from portal.lib.moments import day_words, last_day
from projects.actions.delegations import cannot_be_handed_on
from projects.models import Delegation, User
from projects.queries.viewers import Viewer
from projects.rules import may_hand_on
from projects.views.viewer import viewer_of
from quotas.actions.delegations import examine, hand_on, name_deputy
from quotas.actions.handing import HandOnPreview, hand_on_preview
from quotas.forms import DayField, take_errors
from quotas.queries.delegates import Delegate, delegate_of_key, find_delegates

from .hand_on_form import Sheet, first_moment, last_moment, new_sheet, posted_sheet

TWO_WEEKS = timedelta(days=14)


@shows("hand on")
@require_http_methods(["GET", "HEAD", "POST"])
def delegate(request: HttpRequest) -> HttpResponse:
    """`?from=<id>` says which of one's delegations; Enter in a field is the preview."""
    viewer = viewer_of(request)
    if request.method != "POST":
        sheet = new_sheet(viewer, _chosen(viewer, request.GET.get("from", "")))
        return _show(request, sheet, None)
    source = _chosen(viewer, request.POST.get("from", ""))
    if request.POST.get("do") == "from":
        return redirect(f"{request.path}?from={source.pk}")
    sheet = posted_sheet(viewer, source, request.POST)
    if request.POST.get("do") != "hand":
        return _show(request, sheet, None)
    return _hand(request, sheet)


@shows("hand on")
@require_POST
def delegate_preview(request: HttpRequest) -> HttpResponse:
    """What the form would do: the part for htmx, the whole page for everybody else."""
    viewer = viewer_of(request)
    source = _chosen(viewer, request.POST.get("from", ""))
    sheet = posted_sheet(viewer, source, request.POST)
    if request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return render(request, "remit/_hand_on_part.html", _context(sheet, None))
    return _show(request, sheet, None)


def _hand(request: HttpRequest, sheet: Sheet) -> HttpResponse:
    viewer = sheet.viewer
    try:
        terms = sheet.terms()
        if not sheet.is_read:
            error = examine(
                parent=sheet.source,
                grantor=viewer.user,
                terms=terms,
                bounds=sheet.bounds,
                now=viewer.now,
            )
            raise error or Invalid({})
        made = hand_on(
            parent=sheet.source, grantor=viewer.user, terms=terms, bounds=sheet.bounds,
            now=viewer.now,
        )  # fmt: skip
    except Invalid as error:
        sheet.take(error)
        return _show(request, sheet, error)
    except Conflict as error:
        return _show(request, sheet, error)
    words = {"who": made.user or made.group, "name": made}
    messages.success(request, _("%(who)s holds %(name)s now. This page shows its terms.") % words)
    return redirect("delegation_detail", pk=made.pk)


def _show(request: HttpRequest, sheet: Sheet, error: DomainError | None) -> HttpResponse:
    context = _context(sheet, error)
    return render(request, "remit/hand_on.html", context, status=error.status if error else 200)


def _context(sheet: Sheet, error: DomainError | None) -> dict[str, Any]:
    preview, problems = _preview(sheet)
    return {
        "here": "remit",
        "sheet": sheet,
        "form": sheet.form,
        "source": sheet.source,
        "error": error,
        "refused": error if isinstance(error, Conflict) else None,
        "preview": preview,
        "problems": problems,
        "search": sheet.search,
    }


def _preview(sheet: Sheet) -> tuple[HandOnPreview | None, list[str]]:
    """What it would do, and what it would be refused for."""
    if not sheet.form.is_bound:
        return None, []
    viewer = sheet.viewer
    read = [
        _("%(label)s: %(words)s") % {"label": row.typed["resource"], "words": row.error}
        for row in sheet.rows
        if row.wrong
    ]
    try:
        terms = sheet.terms()
    except Invalid as error:
        return None, [*read, error.sentence]
    size = sheet.chosen.size if sheet.chosen else None
    preview = hand_on_preview(sheet.source, terms, sheet.bounds, size, viewer.now)
    refused = examine(
        parent=sheet.source, grantor=viewer.user, terms=terms, bounds=sheet.bounds, now=viewer.now
    )
    return preview, [*read, *_sentences(refused)]


def _sentences(refused: DomainError | None) -> list[str]:
    if isinstance(refused, Invalid):
        return [sentence for found in refused.errors.values() for sentence in found]
    return [refused.sentence] if refused else []


def _sources(viewer: Viewer) -> list[Delegation]:
    """Those of one's delegations that can be handed on; raises Forbidden without any."""
    if not may_hand_on(viewer):
        raise Forbidden(
            _(
                "You hold nothing that can be handed on. Whoever you have your remit from can let "
                "you hand on a part of it, or name a deputy for you."
            )
        )
    return [each for each in viewer.delegations if each.depth > 0]


def _chosen(viewer: Viewer, text: str) -> Delegation:
    """The one that is named, or Forbidden; where none is, the widest: that with most powers."""
    sources = _sources(viewer)
    if not text:
        return max(sources, key=lambda each: (len(each.powers), each.depth, -each.pk))
    for each in viewer.delegations:
        if str(each.pk) == text and each.depth == 0:
            raise cannot_be_handed_on(each)
        if str(each.pk) == text:
            return each
    # Another one of theirs is not what they meant.
    raise Forbidden(_("You do not hold that delegation now, so you cannot hand it on."))


class DeputyForm(forms.Form):
    """From when until when; who is a radio button beside it."""

    starts_on = forms.DateField(
        label=gettext_lazy("From"), required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: from now."),
    )  # fmt: skip
    ends_on = DayField(label=gettext_lazy("Until the end of"))


@shows("hand on")
@require_http_methods(["GET", "HEAD", "POST"])
def deputy_new(request: HttpRequest) -> HttpResponse:
    """`?from=<id>` for one of one's delegations; without it for all of them."""
    viewer = viewer_of(request)
    _sources(viewer)
    only = request.POST.get("from", request.GET.get("from", ""))
    mine = [each for each in viewer.delegations if only in ("", str(each.pk))]
    data = request.POST if request.method == "POST" else None
    search = (request.POST or request.GET).get("q", "")[:100]
    chosen = delegate_of_key(request.POST.get("to", ""), viewer.now)
    today = timezone.localtime(viewer.now).date()
    form = DeputyForm(data, initial={"starts_on": today, "ends_on": today + TWO_WEEKS})
    context: dict[str, Any] = {
        "here": "remit", "form": form, "mine": mine, "only": only, "search": search,
        "is_deputy": True, "delegates": _people(viewer, search, chosen), "chosen": chosen,
        "known": _known(viewer),
    }  # fmt: skip
    if request.method != "POST" or request.POST.get("do") == "find":
        return render(request, "remit/deputy.html", context)
    try:
        return _name(request, viewer, form, chosen, mine)
    except Invalid as error:
        names = {"starts_at": "starts_on", "ends_at": "ends_on"}
        rest = take_errors(form, {names.get(k, k): v for k, v in error.errors.items()})
        context["errors"] = [("q", sentence) for sentence in rest.values()]
        context["error"] = None
    except Conflict as error:
        context["error"] = error
        return render(request, "remit/deputy.html", context, status=error.status)
    return render(request, "remit/deputy.html", context, status=422)


def _name(
    request: HttpRequest,
    viewer: Viewer,
    form: DeputyForm,
    chosen: Delegate | None,
    mine: list[Delegation],
) -> HttpResponse:
    user = chosen.holder if chosen else None
    if not form.is_valid():
        raise Invalid({} if isinstance(user, User) else {"user": [_("Choose who stands in.")]})
    if not isinstance(user, User):
        raise Invalid({"user": [_("Choose who stands in.")]})
    clean = form.cleaned_data
    deputies = name_deputy(
        holder=viewer.user, user=user,
        starts_at=first_moment(clean["starts_on"], viewer.now),
        ends_at=last_moment(clean["ends_on"], None),
        delegations=[each.pk for each in mine], now=viewer.now,
    )  # fmt: skip
    made = deputies.made
    ends_at = max(each.ends_at for each in made if each.ends_at is not None)
    words = {"who": user, "day": day_words(last_day(ends_at), viewer.now), "names": _names(made)}
    messages.success(
        request, _("%(who)s stands in for you until the end of %(day)s (%(names)s).") % words
    )
    for each in deputies.left_out:
        messages.warning(request, each.sentence)
    return redirect("remit")


def _names(made: list[Delegation]) -> str:
    return ", ".join(each.unit.label for each in made)


def _people(viewer: Viewer, search: str, chosen: Delegate | None) -> list[Delegate]:
    found = find_delegates(search, viewer.now, with_groups=False, without=[viewer.user.pk])
    if chosen is None:
        return found
    return [chosen, *(each for each in found if each.key != chosen.key)]


def _known(viewer: Viewer) -> list[Delegate]:
    """Who decides beside one or below, whom one would likely name: the first few."""
    near = User.objects.filter(is_active=True, delegations__unit__in=[
        each.unit_id for each in viewer.delegations
    ]).exclude(pk=viewer.user.pk)  # fmt: skip
    below = User.objects.filter(
        is_active=True, delegations__grantor=viewer.user, delegations__revoked_at__isnull=True
    )
    people = (near | below).exclude(pk=viewer.user.pk).distinct().order_by("name", "pk")
    return [Delegate(each) for each in people[:6]]
