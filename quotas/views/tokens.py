"""Tokens: one's own, how one is made and shown once, and how it ends."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid, NotVisible
from projects.actions import tokens
from projects.forms import RotateForm, TokenForm
from projects.models import ApiToken, ServiceAccount
from projects.queries.service_accounts import tokens_of, visible_tokens
from projects.queries.tokens import is_live, standing
from projects.queries.viewers import Viewer
from projects.views.viewer import viewer_of
from quotas.forms import take_errors

from .once import done_once, leads_to
from .pages import Page, page_of


@shows("own")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@done_once
def token_list(request: HttpRequest) -> HttpResponse:
    """One's own tokens; a POST makes one and shows it this once."""
    viewer = viewer_of(request)
    form = TokenForm(request.POST if request.method == "POST" else None)
    made = make_from(form, viewer, None) if form.is_bound else None
    page = page_of(request, tokens_of(viewer.user))
    context = {
        "here": "me",
        "form": TokenForm() if made else form,
        "made": made,
        "page": page,
        "rows": token_rows(page, viewer),
    }
    status = 422 if form.is_bound and made is None else 200
    answer = render(request, "tokens/list.html", context, status=status)
    return leads_to(answer, "token_detail", made[0].public_id) if made else answer


@shows("token")
@require_safe
def token_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One token: for who holds or keeps it, and for operators who were told of one."""
    viewer = viewer_of(request)
    token = _token(viewer, public_id)
    context = {
        "here": "me",
        "token": token,
        "row": (token, standing(token, viewer.now)),
        "may_end": is_live(token, viewer.now) and tokens.may_revoke(token, viewer),
        "may_rotate": is_live(token, viewer.now) and token.person == viewer.user,
    }
    return render(request, "tokens/detail.html", context)


@shows("end token")
@require_http_methods(["GET", "HEAD", "POST"])
def token_revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    viewer = viewer_of(request)
    token = _token(viewer, public_id)
    if not tokens.may_revoke(token, viewer):
        raise Forbidden(_("Its holder ends a token, or whoever keeps the programs there."))
    if request.method == "POST":
        tokens.revoke(token=token, actor=viewer.user, now=viewer.now)
        messages.success(request, _("“%(name)s” opens nothing any more.") % {"name": token.name})
        return redirect(_back(token, viewer))
    return render(request, "tokens/revoke.html", {"here": "me", "token": token})


@shows("rotate token")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@done_once
def token_rotate(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another secret for the same; shown this once."""
    viewer = viewer_of(request)
    token = _token(viewer, public_id)
    if token.person != viewer.user:
        raise Forbidden(_("Only whoever it acts for makes a new secret for a token."))
    form = RotateForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"here": "me", "token": token, "form": form}
    if form.is_bound and form.is_valid():
        overlap = timedelta(hours=int(form.cleaned_data["overlap"]))
        made = tokens.rotate(token=token, overlap=overlap, actor=viewer.user, now=viewer.now)
        answer = render(request, "tokens/rotate.html", context | {"made": made})
        return leads_to(answer, "token_detail", made[0].public_id)
    status = 422 if form.is_bound else 200
    return render(request, "tokens/rotate.html", context, status=status)


def make_from(
    form: TokenForm, viewer: Viewer, account: ServiceAccount | None
) -> tuple[ApiToken, str] | None:
    """The new token and its text; None: the form says what is wrong."""
    if not form.is_valid():
        return None
    try:
        return tokens.make(**form.terms(), account=account, actor=viewer.user, now=viewer.now)
    except Invalid as error:
        names = {"ends_at": "ends_on"}
        take_errors(form, {names.get(name, name): each for name, each in error.errors.items()})
        return None


def token_rows(page: Page[ApiToken], viewer: Viewer) -> list[tuple[ApiToken, str]]:
    """Each with one word: "live", "ended" or "revoked"."""
    return [(each, standing(each, viewer.now)) for each in page.rows]


def _token(viewer: Viewer, public_id: str) -> ApiToken:
    rows: QuerySet[ApiToken] = visible_tokens(viewer).filter(public_id=public_id)
    found = rows.first()
    if found is None:
        raise NotVisible(_("There is no such token, or it is not for you to see."))
    return found


def _back(token: ApiToken, viewer: Viewer) -> Any:
    if token.service_account is not None:
        return reverse("service_account", args=[token.service_account.public_id])
    return "token_list" if token.user_id == viewer.user.pk else "endpoint_list"
