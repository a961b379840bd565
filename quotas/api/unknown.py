"""Answers outside of any view: an address that does not exist, a database that is away.

A problem to programs, a page to people.
"""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import defaults

from .errors import CONTENT_TYPE, Problem, unavailable


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404 of the site."""
    if not _is_program(request):
        return defaults.page_not_found(request, exception)
    detail = _("There is no such address in the API; %(schema)s lists them all.")
    problem = Problem(404, "not_found", detail % {"schema": reverse("api_schema")})
    return _answer(problem)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500 of the site.

    A database that is away is found out by the session, before any view or handler of ours:
    that is no fault of Remit's, and passes.
    """
    problem = unavailable(sys.exc_info()[1])
    if problem is None:
        return defaults.server_error(request)
    if _is_program(request):
        return _answer(problem)
    page = render_to_string("503.html", {"sentence": problem.detail})
    return HttpResponse(page, status=problem.status, headers=problem.headers)


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/v1/")


def _answer(problem: Problem) -> HttpResponse:
    return JsonResponse(
        problem.body(), status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE
    )
