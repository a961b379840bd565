"""Who is offered the projects of a unit whose owners have left: the page of its form."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import Conflict, Invalid, Stale
from projects.models import User
from projects.views.viewer import viewer_of
from quotas.actions.stewards import check_may_name, set_steward, steward_version
from quotas.queries.delegates import delegate_of_key, find_delegates

from .envelopes import unit_of

MAX_FIND = 100


@shows("unit settings")
@require_http_methods(["GET", "HEAD", "POST"])
def unit_steward(request: HttpRequest, slug: str) -> HttpResponse:
    """`?q=` finds people by name; `person` empty: as the unit above says."""
    viewer, unit = viewer_of(request), unit_of(slug)
    check_may_name(viewer, unit)
    refused: list[str] = []
    status = 200
    if request.method == "POST":
        key = request.POST.get("person", "")
        found = delegate_of_key(key, viewer.now) if key else None
        try:
            if key and (found is None or not isinstance(found.holder, User)):
                raise Invalid({"person": [_("There is no such person.")]})
            person = found.holder if found and isinstance(found.holder, User) else None
            set_steward(
                unit=unit, person=person, seen=request.POST.get("seen"), actor=viewer.user,
                now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            refused, status = [said for each in error.errors.values() for said in each], 422
        except (Conflict, Stale) as error:
            refused, status = [error.sentence], error.status
            unit.refresh_from_db()
        else:
            messages.success(request, _("It holds for whoever leaves from now on."))
            return redirect("unit_detail", slug=slug)
    text = (request.POST or request.GET).get("q", "").strip()[:MAX_FIND].replace("\0", "")
    context = {
        "here": "units",
        "unit": unit,
        "text": text,
        "found": find_delegates(text, viewer.now, with_groups=False),
        "refused": refused,
        "seen": steward_version(unit),
    }
    return render(request, "units/steward.html", context, status=status)
