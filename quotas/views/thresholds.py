"""At which shares of its limits a project's people are told: the page of its form."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import DomainError, Forbidden, Invalid, Stale
from projects.queries.viewers import roles_in
from projects.rules import may_ask
from projects.views.viewer import viewer_of
from quotas.actions.thresholds import set_thresholds, thresholds_of
from quotas.forms import ThresholdsForm, take_errors, version_in
from quotas.models import UsageThresholds
from quotas.queries.crossings import open_crossings

from .pages import visible_project


@shows("ask")
@require_http_methods(["GET", "HEAD", "POST"])
def project_thresholds(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))
    refused: DomainError | None = None
    form = ThresholdsForm(request.POST or None, initial={"percents": _own(thresholds_of(project))})
    if request.method == "POST" and form.is_valid():
        try:
            set_thresholds(
                project=project, percents=form.cleaned_data["percents"],
                version=version_in(request.POST), actor=viewer.user, now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            take_errors(form, error.errors)
        except Stale as error:
            refused = error
        else:
            messages.success(request, _("It holds from the next reading on."))
            return redirect("project_detail", slug=project.slug)
    context = {
        "here": "projects", "project": project, "form": form, "error": refused,
        "own": thresholds_of(project), "of_site": settings.USAGE_THRESHOLDS,
        "crossings": open_crossings(project),
    }  # fmt: skip
    status = 422 if form.errors else refused.status if refused else 200
    return render(request, "projects/thresholds.html", context, status=status)


def _own(thresholds: UsageThresholds) -> str:
    return ", ".join(str(each) for each in thresholds.percents)
