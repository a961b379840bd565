"""Service accounts of a project or a unit, and one of them with its tokens."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.lib.access import shows
from portal.lib.errors import DomainError, Forbidden, Invalid, NotVisible
from projects.actions import service_accounts
from projects.forms import ServiceAccountForm, TokenForm
from projects.models import Project, ServiceAccount, Unit
from projects.queries.service_accounts import (
    live_counts,
    may_keep_in,
    tokens_of,
    visible_accounts,
    visible_tokens,
)
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from projects.views.viewer import viewer_of
from quotas.forms import take_errors

from .envelopes import unit_of
from .once import done_once, leads_to
from .pages import page_of, visible_project
from .tokens import make_from, token_rows


@shows("project")
@require_http_methods(["GET", "HEAD"])
def project_accounts(request: HttpRequest, slug: str) -> HttpResponse:
    """The programs of a project, for all who may see it."""
    viewer = viewer_of(request)
    return _listed(request, viewer, visible_project(viewer, slug), ServiceAccountForm())


@shows("ask")
@require_http_methods(["POST"])
def project_account_new(request: HttpRequest, slug: str) -> HttpResponse:
    viewer = viewer_of(request)
    return _make(request, viewer, visible_project(viewer, slug))


@shows("figures")
@require_http_methods(["GET", "HEAD"])
def unit_accounts(request: HttpRequest, slug: str) -> HttpResponse:
    """The programs of a unit, for those who see its figures."""
    viewer, unit = viewer_of(request), unit_of(slug)
    if not may_see_figures(viewer, unit.path):
        raise Forbidden(_("Who decides, funds or audits in a unit sees its service accounts."))
    return _listed(request, viewer, unit, ServiceAccountForm())


@shows("fund")
@require_http_methods(["POST"])
def unit_account_new(request: HttpRequest, slug: str) -> HttpResponse:
    return _make(request, viewer_of(request), unit_of(slug))


@shows("project")
@never_cache
@require_http_methods(["GET", "HEAD"])
def service_account(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One of them: whose it is, and its tokens for those who keep it."""
    viewer = viewer_of(request)
    return _shown(request, viewer, _account(viewer, public_id), TokenForm())


@shows("its token")
@never_cache
@require_http_methods(["POST"])
@done_once
def service_account_token(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Make a token of it; the page shows it this once."""
    viewer = viewer_of(request)
    account = _account(viewer, public_id)
    form = TokenForm(request.POST)
    made = make_from(form, viewer, account)
    if made is None:
        return _shown(request, viewer, account, form, status=422)
    answer = _shown(request, viewer, account, TokenForm(), made=made)
    return leads_to(answer, "token_detail", made[0].public_id)


@shows("ask")
@require_http_methods(["GET", "HEAD", "POST"])
def service_account_take_over(request: HttpRequest, public_id: UUID) -> HttpResponse:
    viewer = viewer_of(request)
    account = _account(viewer, public_id)
    service_accounts.check_may_keep(viewer, account.place)
    if request.method == "POST":
        service_accounts.take_over(account=account, actor=viewer.user, now=viewer.now)
        messages.success(request, _("It acts in your name now. Make it a token."))
        return redirect("service_account", public_id=public_id)
    context = _about(account) | {"count": live_counts([account], viewer.now)[account.pk]}
    return render(request, "tokens/take_over.html", context)


@shows("close service account")
@require_http_methods(["GET", "HEAD", "POST"])
def service_account_close(request: HttpRequest, public_id: UUID) -> HttpResponse:
    viewer = viewer_of(request)
    account = _account(viewer, public_id)
    if not service_accounts.may_close(account, viewer):
        raise Forbidden(_("Its owner closes it, or whoever keeps the programs there."))
    if request.method == "POST":
        service_accounts.close(account=account, actor=viewer.user, now=viewer.now)
        messages.success(request, _("“%(name)s” is closed.") % {"name": account.name})
        return redirect("service_account", public_id=public_id)
    context = _about(account) | {"count": live_counts([account], viewer.now)[account.pk]}
    return render(request, "tokens/close.html", context)


def _make(request: HttpRequest, viewer: Viewer, place: Project | Unit) -> HttpResponse:
    service_accounts.check_may_keep(viewer, place)
    form = ServiceAccountForm(request.POST)
    if form.is_valid():
        try:
            made = service_accounts.make(
                place=place, **form.cleaned_data, actor=viewer.user, now=viewer.now
            )
        except Invalid as error:
            take_errors(form, error.errors)
        except DomainError as error:
            return _listed(request, viewer, place, form, error=error, status=error.status)
        else:
            return redirect("service_account", public_id=made.public_id)
    return _listed(request, viewer, place, form, status=422)


def _listed(
    request: HttpRequest,
    viewer: Viewer,
    place: Project | Unit,
    form: ServiceAccountForm,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    where = {"project": place} if isinstance(place, Project) else {"unit": place}
    page = page_of(request, visible_accounts(viewer).filter(**where).order_by("closed_at", "-pk"))
    counts = live_counts(page.rows, viewer.now)
    context = _place(place) | {
        "page": page,
        "rows": [(each, counts[each.pk]) for each in page.rows],
        "form": form,
        "may_keep": may_keep_in(viewer, place),
        **more,
    }
    return render(request, "tokens/accounts.html", context, status=status)


def _shown(
    request: HttpRequest,
    viewer: Viewer,
    account: ServiceAccount,
    form: TokenForm,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    may_keep = may_keep_in(viewer, account.place)
    page = page_of(request, tokens_of(account) & visible_tokens(viewer))
    context = _about(account) | {
        "form": form,
        "page": page,
        "rows": token_rows(page, viewer),
        "sees_tokens": may_keep or account.owner == viewer.user or viewer.sees_everything,
        "is_owner": may_keep and account.owner == viewer.user and account.closed_at is None,
        "may_take_over": may_keep and account.owner != viewer.user and account.closed_at is None,
        "may_close": account.closed_at is None and service_accounts.may_close(account, viewer),
        **more,
    }
    return render(request, "tokens/account.html", context, status=status)


def _about(account: ServiceAccount) -> dict[str, Any]:
    return _place(account.place) | {"account": account}


def _place(place: Project | Unit) -> dict[str, Any]:
    """What the templates need to lead back to where it is."""
    if isinstance(place, Project):
        return {"here": "projects", "place": place, "project": place, "label": place.name}
    return {"here": "units", "place": place, "unit": place, "label": place.label}


def _account(viewer: Viewer, public_id: UUID) -> ServiceAccount:
    found = visible_accounts(viewer).filter(public_id=public_id).first()
    if found is None:
        raise NotVisible(_("There is no such service account, or it is not for you to see."))
    return found
