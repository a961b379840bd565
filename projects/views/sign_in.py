"""The sign-in page, local accounts, and signing out. Who comes from a provider: `provider`."""

from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import shows
from projects.actions.arrivals import arrived
from projects.forms import SignInForm
from projects.queries.people import demo_people
from projects.views.heading import next_of
from projects.views.provider import end_url_of


@shows("public")
@login_not_required
@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask who somebody is, then go to where the person was heading."""
    destination = next_of(request)
    if request.user.is_authenticated:
        return redirect(destination or settings.LOGIN_REDIRECT_URL)
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    if settings.LOCAL_ACCOUNTS and form.is_bound and form.is_valid():
        user = form.get_user()
        is_first = user.last_login is None
        auth.login(request, user)
        arrived(user=user, first_time=is_first, now=timezone.now())
        return redirect(destination or settings.LOGIN_REDIRECT_URL)
    return _page(request, form, status=422 if form.is_bound else 200)


def locked_out(
    request: HttpRequest, response: HttpResponse, credentials: dict[str, Any]
) -> HttpResponse:
    """The page of somebody who failed too often; called by axes, whoever they say they are."""
    form = SignInForm(request, initial={"username": request.POST.get("username", "")[:150]})
    return _page(request, form, status=429, is_locked=True)


def _page(
    request: HttpRequest, form: SignInForm, *, status: int, is_locked: bool = False
) -> HttpResponse:
    context = {
        "form": form,
        "next": next_of(request),
        "provider_name": settings.OIDC_NAME if settings.OIDC else "",
        "has_accounts": settings.LOCAL_ACCOUNTS,
        "is_locked": is_locked,
        "lock_minutes": round(settings.AXES_COOLOFF_TIME.total_seconds() / 60),
        "demo_people": demo_people() if settings.LOCAL_ACCOUNTS and settings.SANDBOX else [],
    }
    return render(request, "sign_in.html", context, status=status)


@shows("public")
@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, and the provider's where it can be asked to; done already is done too."""
    there = end_url_of(request)
    auth.logout(request)
    if not there:
        return redirect(resolve_url(settings.LOGOUT_REDIRECT_URL))
    answer = render(request, "signed_out.html", {"url": there, "provider_name": settings.OIDC_NAME})
    # Not a redirect: form-action of our content policy keeps the answer to a form on this site.
    answer["Refresh"] = f"0; url={there}"
    return answer
