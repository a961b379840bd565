"""A second door into Django beside Remit's, with two middlewares and addresses of its own."""

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.response import HttpResponseBase

PREFIX = "/floor/"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


class FloorHandler(WSGIHandler):
    """Answers /floor/… alone."""

    def __init__(self) -> None:
        # The handler reads its middlewares once, here; the site's own were read before. Nothing of
        # django.test: it would be in the memory that is measured.
        before = settings.MIDDLEWARE
        settings.MIDDLEWARE = MIDDLEWARE
        try:
            super().__init__()
        finally:
            settings.MIDDLEWARE = before

    def get_response(self, request: WSGIRequest) -> HttpResponseBase:  # type: ignore[override]
        request.urlconf = "bench.floors.urls"
        return super().get_response(request)
