"""Projects that nobody owns any more, and offering one to somebody."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.models import User
from projects.queries.directory import directory_standing
from projects.queries.viewers import Viewer
from projects.rules import may_see_orphans
from projects.views.viewer import viewer_of
from quotas.actions.orphans import check_offers, may_offer_somewhere, offer_orphan
from quotas.forms import take_errors, version_in
from quotas.queries.delegates import delegate_of_key, find_delegates
from quotas.queries.orphans import offered, orphan_rows, orphans_of, ownerless, with_last_owner

from .life_forms import OrphanForm
from .pages import page_of, visible_project

MAX_FIND = 100
YES, NO = "yes", "no"


@shows("orphans")
@require_safe
def orphan_list(request: HttpRequest) -> HttpResponse:
    """`?offered=no` lists those that wait for nobody's answer."""
    viewer = viewer_of(request)
    if not may_see_orphans(viewer):
        raise Forbidden(_("Projects without an owner are for operators and who decides projects."))
    rows, only = orphans_of(viewer), request.GET.get("offered", "")
    if only in (YES, NO):
        rows = offered(rows, is_offered=only == YES)
    found = with_last_owner(rows, viewer.now).select_related("unit").order_by("name", "pk")
    page = page_of(request, found)
    context = {
        "only": only,
        "page": page,
        "rows": orphan_rows(page.rows),
        "may_offer": may_offer_somewhere(viewer),
        "directory": directory_standing(),
    }
    return render(request, "people/orphans.html", _framed(viewer, context))


@shows("offer orphan")
@require_http_methods(["GET", "HEAD", "POST"])
def orphan_offer(request: HttpRequest, slug: str) -> HttpResponse:
    """To whom it can be offered, `?q=` finds others by name; then the offer."""
    viewer = viewer_of(request)
    project = visible_project(viewer, slug)
    check_offers(viewer, project)
    form = OrphanForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        found = delegate_of_key(form.cleaned_data["holder"], viewer.now)
        try:
            if found is None or not isinstance(found.holder, User):
                raise Invalid({"holder": [_("There is no such person.")]})
            offer_orphan(
                project=project, user=found.holder, reason=form.cleaned_data["reason"],
                version=version_in(request.POST), actor=viewer.user, now=viewer.now,
            )  # fmt: skip
        except Invalid as error:
            for sentence in take_errors(form, error.errors).values():
                form.add_error(None, sentence)
        else:
            words = {"name": found.holder}
            messages.success(request, _("Offered; %(name)s accepts or declines.") % words)
            return redirect("orphan_list")
    text = request.GET.get("q", "").strip()[:MAX_FIND].replace("\0", "")
    lost = ownerless(viewer.now).filter(pk=project.pk).select_related("unit")
    rows = orphan_rows(list(with_last_owner(lost, viewer.now)))
    context = {
        "project": project,
        "row": rows[0] if rows else None,
        "form": form,
        "text": text,
        "found": find_delegates(text, viewer.now, with_groups=False) if text else [],
    }
    status = 422 if form.is_bound else 200
    return render(request, "people/offer.html", _framed(viewer, context), status=status)


def _framed(viewer: Viewer, context: dict[str, Any]) -> dict[str, Any]:
    """Operators come here from their pages, others from their remit."""
    if viewer.sees_everything:
        return {"here": "endpoints", "tab": "people", **context}
    return {"here": "remit", **context}
