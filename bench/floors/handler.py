"""A second door into Django beside Remit's, with two middlewares and addresses of its own."""

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.response import HttpResponseBase
from django.test import override_settings

PREFIX = "/floor/"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


class FloorHandler(WSGIHandler):
    """Answers /floor/… alone."""

    def __init__(self) -> None:
        # The handler reads its middlewares once, here; the site's own were read before.
        with override_settings(MIDDLEWARE=MIDDLEWARE):
            super().__init__()

    def get_response(self, request: WSGIRequest) -> HttpResponseBase:  # type: ignore[override]
        request.urlconf = "bench.floors.urls"
        return super().get_response(request)
