"""How long requests below a unit wait: the page of its form."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import Invalid
from projects.queries.patience import patience_of
from projects.views.viewer import viewer_of
from quotas.actions.unit_settings import check_may_set, set_waiting
from quotas.forms import WaitingForm, take_errors

from .envelopes import unit_of


@shows("unit settings")
@require_http_methods(["GET", "HEAD", "POST"])
def unit_waiting(request: HttpRequest, slug: str) -> HttpResponse:
    viewer, unit = viewer_of(request), unit_of(slug)
    check_may_set(viewer, unit)
    said = {
        "remind_after_days": unit.remind_after_days,
        "escalate_after_days": unit.escalate_after_days,
    }
    form = WaitingForm(request.POST) if request.method == "POST" else WaitingForm(initial=said)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                set_waiting(unit=unit, actor=viewer.user, now=viewer.now, **form.cleaned_data)
            except Invalid as error:
                take_errors(form, error.errors)
            else:
                messages.success(request, _("It holds for what is sent from now on."))
                return redirect("unit_detail", slug=slug)
    context = {
        "here": "units",
        "unit": unit,
        "form": form,
        "patience": patience_of([unit.path])[unit.path],
    }
    return render(request, "units/waiting.html", context, status=status)
