"""What holds for every answer: its id in the logs, its content policy, its reader, its refusals."""

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme

from portal.lib import request_id
from portal.lib.access import kept_query
from portal.lib.errors import DomainError
from portal.lib.locks import refusal_of
from portal.lib.moments import zone_of

logger = logging.getLogger("portal.requests")

GetResponse = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        # These three do not fall back to default-src.
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]
)


class RequestLogMiddleware:
    """One log line a request: id, who, what, status, time. No query: it may hold names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        # Not taken back at the end: Django's own line about an error comes after us.
        request_id.current.set(request_id.accept(request.headers.get("X-Request-ID", "")))
        response = self.get_response(request)
        response["X-Request-ID"] = request_id.current.get()
        user = getattr(request, "_cached_user", None)  # asking for it would cost a query
        logger.info(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round((time.monotonic() - started) * 1000),
                "user": user.pk if user is not None else None,
            },
        )
        return response


class ContentSecurityPolicyMiddleware:
    """Everything from this site alone; no inline script or style. Django 5.2 has none of it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


class SignInMiddleware(LoginRequiredMiddleware):
    """Who is not signed in comes to the sign-in page; a part of a page gets a bare 401.

    htmx would follow the redirect and put the whole sign-in page in the part's place.
    Who posted a form comes back to it with the fields that its view keeps.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        answer = super().process_view(request, view_func, view_args, view_kwargs)
        is_part = request.headers.get("HX-Request") == "true"
        return HttpResponse(status=401) if answer is not None and is_part else answer

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseRedirect:
        query = kept_query(view_func, request.POST.dict()) if request.method == "POST" else ""
        if not query:
            return super().handle_no_permission(request, view_func)
        return redirect_to_login(
            f"{request.path}?{query}",
            resolve_url(self.get_login_url(view_func)),
            self.get_redirect_field_name(view_func),
        )


class ReaderMiddleware:
    """Pages in the language and the time zone that the signed-in person chose.

    Comes after authentication; who chose nothing keeps what LocaleMiddleware found.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        language = user.language if user.is_authenticated else ""
        if language in dict(settings.LANGUAGES):
            translation.activate(language)  # the next request starts with LocaleMiddleware's own
            request.LANGUAGE_CODE = translation.get_language()
        zone = user.time_zone if user.is_authenticated else ""
        with timezone.override(zone_of(zone)):
            return self.get_response(request)


class DomainErrorMiddleware:
    """A refusal of the domain that a page did not answer itself becomes a page of its status.

    The API translates the same errors in its own exception handler.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        refusal = error if isinstance(error, DomainError) else refusal_of(error)
        if refusal is None:
            return None
        context = {"error": refusal, "way_back": _page_before(request)}
        return render(request, "errors/refused.html", context, status=refusal.status)


def _page_before(request: HttpRequest) -> str:
    """The page of ours that led here, to look again; empty where none is told."""
    before = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(before, {request.get_host()}, request.is_secure()):
        return ""
    parts = urlsplit(before)
    # Who only looked at a page would be led to the same refusal.
    if request.method in ("GET", "HEAD") and parts.path == request.path:
        return ""
    return parts._replace(scheme="", netloc="", fragment="").geturl()
