"""Addresses by name only, so that the kit's templates render before and without any view."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

NAMES = [
    *("sign_in", "sign_in_begin", "sign_out", "me", "home", "find", "catalogue", "queue", "remit"),
    *("unit_list", "policy_list"),
    *("project_list", "request_list", "endpoint_list", "reference"),
    "announcement_list",
]


def blank(request: HttpRequest) -> HttpResponse:
    """Answer nothing: these addresses are only pointed at."""
    return HttpResponse()


urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    *(path(f"{name}/", blank, name=name) for name in NAMES),
]
