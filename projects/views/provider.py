"""Signing in at the identity provider: sending people there, and their return.

What is begun is kept in the session for some minutes, each for one return. Whatever goes wrong
ends on one page with a code; nobody is signed in then and nothing is written.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal.lib import request_id
from portal.lib.access import shows
from portal.lib.openid.claims import person_in
from portal.lib.openid.failures import Failed, Failure
from portal.lib.openid.provider import Answer, Begun, Provider
from projects.actions.arrivals import arrive, arrived
from projects.views.heading import next_of, ours

logger = logging.getLogger(__name__)

BACKEND = "projects.auth.ProviderBackend"
# Keys of the session.
BEGUN, ID_TOKEN = "sign_in", "id_token"
# Some sign in at their provider with a device that they fetch first.
AWAY_SECONDS = 900
# Windows that one may be signing in from at once.
MOST_BEGUN = 5


@dataclass(frozen=True)
class Words:
    """What a failure says: what happened and what helps. status: of the answer."""

    heading: Promise
    text: Promise
    status: int = 403


_AGAIN = _("Sign in once more. If it happens again, tell the operators the code below.")
_OPERATORS = _(
    "Trying again will not help. Tell the operators the code below: the provider or its "
    "connection to Remit is not set up right."
)
WORDS: dict[Failure, Words] = {
    Failure.CANCELLED: Words(
        _("You did not sign in"),
        _("You, or the provider, ended the sign-in before it was done. You can begin again."),
        200,
    ),
    Failure.STATE: Words(
        _("This sign-in is over"),
        _(
            "It was begun too long ago, in another browser, or has been used already; or your "
            "browser keeps no cookies for Remit. Begin it again."
        ),
        400,
    ),
    Failure.REFUSED: Words(_("The provider refused the sign-in"), _AGAIN),
    Failure.UNREACHABLE: Words(
        _("The provider does not answer"),
        _(
            "Nobody can sign in with it at the moment. Whoever is signed in stays so. Wait some "
            "minutes and try again."
        ),
        503,
    ),
    Failure.CONFIGURATION: Words(_("The provider does not know Remit"), _OPERATORS, 503),
    Failure.CODE: Words(
        _("This sign-in is over"),
        _("The provider’s answer was used already or came too late. Begin again."),
        400,
    ),
    Failure.EXPIRED: Words(_("The provider’s answer was too old"), _AGAIN),
    Failure.CLOCK: Words(_("The clocks of Remit and the provider differ"), _OPERATORS),
    Failure.NONCE: Words(_("The answer belongs to another sign-in"), _AGAIN),
    Failure.AUDIENCE: Words(_("The answer is meant for another service"), _OPERATORS),
    Failure.ISSUER: Words(_("The answer is from another provider"), _OPERATORS),
    Failure.SIGNATURE: Words(_("The answer is not signed by the provider"), _OPERATORS),
    Failure.TOKEN: Words(_("The provider’s answer cannot be used"), _OPERATORS),
    Failure.SUBJECT: Words(_("The provider did not say who you are"), _OPERATORS),
    Failure.CLOSED: Words(
        _("Your account is closed"),
        _(
            "The provider knows you, but your account in Remit is closed, as for people who "
            "left. If that is a mistake, tell the operators."
        ),
    ),
}


@shows("public")
@login_not_required
@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Send the person to the provider; a link, as it changes nothing but their own session."""
    destination = next_of(request)
    if request.user.is_authenticated or settings.OIDC is None:
        return redirect(destination or settings.LOGIN_REDIRECT_URL)
    try:
        url, begun = Provider(settings.OIDC).begin(
            request.build_absolute_uri(reverse("sign_in_return")), language=get_language() or ""
        )
    except Failed as failed:
        return _failed(request, failed, destination)
    others = sorted(request.session.get(BEGUN, {}).items(), key=lambda each: each[1]["at"])
    kept = dict(others[-(MOST_BEGUN - 1) :])
    request.session[BEGUN] = kept | {begun.state: begun.as_dict() | {"next": destination}}
    request.session.set_expiry(AWAY_SECONDS)
    return redirect(url)


@shows("public")
@login_not_required
@never_cache
@require_safe
def come_back(request: HttpRequest) -> HttpResponse:
    """Sign in whoever the provider sends back, and go to where they were heading."""
    params = request.GET.dict()
    kept = _take(request, params.get("state", ""))
    if settings.OIDC is None or (kept is None and request.user.is_authenticated):
        # Somebody went back to this address, or sent it off twice.
        return redirect(settings.LOGIN_REDIRECT_URL)
    provider = Provider(settings.OIDC)
    destination = ours(request, str((kept or {}).pop("next", "")))
    try:
        if kept is None or time.time() - kept["at"] > AWAY_SECONDS:
            raise Failed(Failure.STATE, "not begun here, or too long ago")
        _sign_in(request, provider, provider.finish(params, Begun(**kept), wanted=_wanted()))
    except Failed as failed:
        return _failed(request, failed, destination)
    return redirect(destination or settings.LOGIN_REDIRECT_URL)


def end_url_of(request: HttpRequest) -> str:
    """Where to sign out of the provider too, for a session that it vouched for; else ""."""
    is_theirs = request.session.get(auth.BACKEND_SESSION_KEY) == BACKEND
    if settings.OIDC is None or not is_theirs:
        return ""
    return Provider(settings.OIDC).end_url(
        id_token=request.session.get(ID_TOKEN, ""),
        return_to=request.build_absolute_uri(reverse("sign_in")),
    )


def _sign_in(request: HttpRequest, provider: Provider, answer: Answer) -> None:
    now = timezone.now()
    claims = person_in(
        answer.claims,
        issuer=provider.registration.issuer,
        groups_claim=settings.OIDC_GROUPS_CLAIM,
    )
    if claims.groups is None and settings.OIDC_GROUPS_CLAIM:
        logger.warning("the provider said nothing of groups that can be read; they stay")
    arrival = arrive(claims=claims, now=now)
    auth.login(request, arrival.user, backend=BACKEND)
    request.session.pop(BEGUN, None)
    request.session[ID_TOKEN] = answer.id_token
    arrived(user=arrival.user, first_time=arrival.is_first, now=now)


def _wanted() -> list[str]:
    """Claims for which the provider is asked once more where its token lacks one."""
    return [each for each in ("name", "email", settings.OIDC_GROUPS_CLAIM) if each]


def _take(request: HttpRequest, state: str) -> dict[str, Any] | None:
    """What was kept under a state, which serves for one return only."""
    begun = request.session.get(BEGUN, {})
    kept: dict[str, Any] | None = begun.pop(state, None)
    if kept is not None:
        request.session.modified = True
    return kept


def _failed(request: HttpRequest, failed: Failed, destination: str) -> HttpResponse:
    logger.warning(
        "nobody was signed in", extra={"code": str(failed.failure), "detail": failed.detail}
    )
    words = WORDS[failed.failure]
    context = {
        "words": words,
        "code": str(failed.failure),
        "request_id": request_id.current.get(),
        "next": destination,
        "provider_name": settings.OIDC_NAME,
        "can_repeat": failed.failure != Failure.CLOSED,
    }
    return render(request, "sign_in_failed.html", context, status=words.status)
