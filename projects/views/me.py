"""One's own page: who Remit takes me for, my language and time zone, groups, delegations."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import shows
from projects.actions.preferences import set_preferences
from projects.forms import PreferencesForm
from projects.queries.people import groups_of
from projects.views.viewer import viewer_of


@shows("own")
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    """Show what is known about the person; a POST saves how they want to read."""
    viewer = viewer_of(request)
    known = {"language": viewer.user.language, "time_zone": viewer.user.time_zone}
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=known)
    if form.is_bound and form.is_valid():
        set_preferences(**form.cleaned_data, actor=viewer.user)
        with translation.override(viewer.user.language or translation.get_language()):
            messages.success(request, _("Saved. Your pages look like this from now on."))
        response = redirect("me")
        _remember_language(response, viewer.user.language)
        return response
    context = {
        "here": "me",
        "viewer": viewer,
        "form": form,
        "groups": groups_of(viewer),
        "delegations": viewer.delegations,
    }
    return render(request, "me/me.html", context, status=422 if form.is_bound else 200)


@shows("public")
@login_not_required
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Switch the language by one click; who is signed in keeps it on every device."""
    code = request.POST.get("language", "")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        set_preferences(language=code, time_zone=request.user.time_zone, actor=request.user)
    return i18n.set_language(request)


def _remember_language(response: HttpResponse, language: str) -> None:
    """For the pages before sign-in, which know nobody."""
    name = settings.LANGUAGE_COOKIE_NAME
    if not language:
        response.delete_cookie(name, samesite="Lax")
        return
    response.set_cookie(
        name,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
    )
