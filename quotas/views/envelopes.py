"""The envelopes of a unit: changing several at once, where one's rest is, who did what."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import keeps, shows
from portal.lib.errors import DomainError, Forbidden, Invalid, NotVisible, Stale
from projects.models import Unit
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from projects.views.viewer import viewer_of
from quotas.actions.envelopes import change
from quotas.actions.funding import check_holder, check_living
from quotas.queries.ask import regions
from quotas.queries.envelopes import acts_of, rest_of, standings

from .funding_sheet import FundSheet, sheet_of
from .pages import known_offering, page_of


@shows("fund")
@keeps("region", "amount-*", "reason")
@require_http_methods(["GET", "HEAD", "POST"])
def unit_fund(request: HttpRequest, slug: str) -> HttpResponse:
    """`?region=` and `?amount-<offering>=` fill the form; nothing is booked before it is sent."""
    viewer, unit = _fundable(request, slug)
    sheet = sheet_of(request, viewer, unit, regions())
    do = request.POST.get("do")
    if request.method != "POST" or do == "region":
        return _show(request, sheet)
    if do != "book":
        return _show(request, sheet, has_preview=True)
    return _book(request, sheet)


@shows("fund")
@require_POST
def unit_fund_preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What the form would do: the part for htmx, the whole page for everybody else."""
    viewer, unit = _fundable(request, slug)
    sheet = sheet_of(request, viewer, unit, regions())
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return _show(request, sheet, has_preview=True)
    context = {"sheet": sheet, "effects": sheet.effects(), "unit": unit}
    return render(request, "units/_fund_preview.html", context)


@shows("figures")
@require_safe
def unit_envelope(request: HttpRequest, slug: str, offering: str) -> HttpResponse:
    """Where what an envelope gave out is, the largest first."""
    viewer, unit = reader_of(request, slug)
    asked = known_offering(offering)
    standing = standings(unit, [asked])[asked.pk]
    context = {
        "here": "units",
        "unit": unit,
        "offering": asked,
        "standing": standing,
        "rest": rest_of(viewer, unit, asked),
        "page": page_of(request, acts_of(unit).filter(offering=asked)),
        "may_fund": may_fund(viewer, unit),
    }
    return render(request, "units/envelope.html", context)


@shows("figures")
@require_safe
def unit_acts(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that was done to the unit's envelopes, the newest first."""
    _viewer, unit = reader_of(request, slug)
    context = {"here": "units", "unit": unit, "page": page_of(request, acts_of(unit))}
    return render(request, "units/acts.html", context)


def unit_of(slug: str) -> Unit:
    """The unit, retired or not, or NotVisible."""
    found = Unit.objects.select_related("parent").filter(slug=slug).first()
    if found is None:
        raise NotVisible(_("There is no such unit."))
    return found


def reader_of(request: HttpRequest, slug: str) -> tuple[Viewer, Unit]:
    """The viewer and the unit whose figures they may read, or Forbidden."""
    viewer, unit = viewer_of(request), unit_of(slug)
    if not may_see_figures(viewer, unit.path):
        raise Forbidden(_("The figures of %(unit)s are for those who decide there.")
                        % {"unit": unit.label})  # fmt: skip
    return viewer, unit


def may_fund(viewer: Viewer, unit: Unit) -> bool:
    """Whether the pages that change the unit's envelopes are of use to the person."""
    try:
        check_holder(viewer, unit)
        check_living(unit)
    except DomainError:
        return False
    return True


def _fundable(request: HttpRequest, slug: str) -> tuple[Viewer, Unit]:
    viewer, unit = viewer_of(request), unit_of(slug)
    check_holder(viewer, unit)
    check_living(unit)
    return viewer, unit


def _book(request: HttpRequest, sheet: FundSheet) -> HttpResponse:
    """All of it or nothing; every refusal keeps what was typed."""
    if not sheet.form.is_valid() or sheet.amounts.errors:
        return _show(request, sheet, status=422)
    try:
        acts = change(
            unit=sheet.unit,
            changes=sheet.changes,
            seen=sheet.seen,
            reason=sheet.form.cleaned_data["reason"],
            actor=sheet.viewer.user,
            now=sheet.viewer.now,
        )
    except Invalid as error:
        sheet.collect(error)
        return _show(request, sheet, status=error.status)
    except DomainError as error:
        if isinstance(error, Stale):
            # What was typed stays, read against what is so by now.
            sheet.seen = {}
            sheet.read()
        sheet.refused = error
        return _show(request, sheet, status=error.status, has_preview=True)
    count = len({each.offering_id for each in acts})
    said = ngettext(
        "%(count)s envelope of %(unit)s is changed.",
        "%(count)s envelopes of %(unit)s are changed.",
        count,
    )  # fmt: skip
    messages.success(request, said % {"count": count, "unit": sheet.unit.label})
    return redirect("unit_detail", slug=sheet.unit.slug)


def _show(
    request: HttpRequest, sheet: FundSheet, *, status: int = 200, has_preview: bool = False
) -> HttpResponse:
    context = {
        "here": "units",
        "sheet": sheet,
        "unit": sheet.unit,
        "form": sheet.form,
        "error": sheet.refused,
        "effects": sheet.effects(),
        "is_told": not has_preview,
    }
    return render(request, "units/fund.html", context, status=status)
