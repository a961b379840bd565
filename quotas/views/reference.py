"""The API's document as pages, and what each code of a refusal means. Nobody signs in for it."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from quotas.api.codes import CODES
from quotas.api.reading import subjects


@shows("public")
@login_not_required
@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """How to call, and every operation by subject."""
    return render(request, "reference/reference.html", {"subjects": list(subjects().values())})


@shows("public")
@login_not_required
@require_safe
def reference_subject(request: HttpRequest, tag: str) -> HttpResponse:
    """The operations of one subject with all that they take and answer."""
    found = subjects()
    if tag not in found:
        raise Http404
    context = {"subject": found[tag], "tags": list(found)}
    return render(request, "reference/subject.html", context)


@shows("public")
@login_not_required
@require_safe
def refusal_list(request: HttpRequest) -> HttpResponse:
    """Every code, in the order of its status."""
    rows = sorted(CODES.items(), key=lambda row: row[1].status or 1000)
    return render(request, "reference/refusals.html", {"codes": rows})


@shows("public")
@login_not_required
@require_safe
def refusal_detail(request: HttpRequest, code: str) -> HttpResponse:
    """What a code means and what to do next: where the `type` of a problem leads."""
    if code not in CODES:
        raise Http404
    return render(request, "reference/refusal.html", {"code": code, "known": CODES[code]})
