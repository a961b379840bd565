"""Signing in with a local account, and out. Identity providers come with their own issue."""

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal.lib.access import shows
from projects.forms import SignInForm
from projects.queries.people import demo_people


@shows("public")
@login_not_required
@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password, then go to where the person was heading."""
    destination = _safe_next(request)
    if request.user.is_authenticated:
        return redirect(destination or settings.LOGIN_REDIRECT_URL)
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    has_accounts = settings.LOCAL_ACCOUNTS
    if has_accounts and form.is_bound and form.is_valid():
        auth.login(request, form.get_user())
        return redirect(destination or settings.LOGIN_REDIRECT_URL)
    context = {
        "form": form,
        "next": destination,
        "has_accounts": has_accounts,
        "demo_people": demo_people() if has_accounts and settings.SANDBOX else [],
    }
    return render(request, "sign_in.html", context, status=422 if form.is_bound else 200)


@shows("public")
@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; done already is done too."""
    auth.logout(request)
    return redirect(resolve_url(settings.LOGOUT_REDIRECT_URL))


def _safe_next(request: HttpRequest) -> str:
    """Where to go afterwards, if it is an address of this site; "" otherwise."""
    wanted = request.POST.get("next", request.GET.get("next", ""))
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""
