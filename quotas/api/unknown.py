"""What an address that does not exist answers: a problem to programs, a page to people."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import defaults

from .errors import CONTENT_TYPE, Problem


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404 of the site."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    detail = _("There is no such address in the API; %(schema)s lists them all.")
    problem = Problem(404, "not_found", detail % {"schema": reverse("api_schema")})
    return JsonResponse(problem.body(), status=404, content_type=CONTENT_TYPE)
