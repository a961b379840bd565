"""One's own webhooks: the list, one with its log of calls, and what is done with it."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.lib.access import shows
from portal.lib.errors import DomainError, Invalid, NotVisible
from projects.actions import webhooks
from projects.models import Project, Unit, Webhook, WebhookCall
from projects.outgoing.event_types import PING, type_of
from projects.outgoing.feeding import may_have
from projects.queries.viewers import Viewer
from projects.queries.webhooks import (
    calls_of,
    due_counts,
    others_webhooks,
    own_webhooks,
    seen_in,
)
from projects.states import WebhookState
from projects.views.viewer import viewer_of
from quotas.forms import take_errors

from .envelopes import unit_of
from .once import done_once, leads_to
from .pages import page_of, visible_project
from .webhook_form import ReplayForm, WebhookForm


@shows("own")
@require_safe
def webhook_list(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request)
    page = page_of(request, own_webhooks(viewer))
    waiting = due_counts(page.rows)
    context = {
        "here": "me",
        "page": page,
        "rows": [(each, waiting.get(each.pk, 0)) for each in page.rows],
        "most": webhooks.MOST_WEBHOOKS,
    }
    return render(request, "webhooks/list.html", context)


@shows("own")
@require_safe
def webhook_others(request: HttpRequest) -> HttpResponse:
    """Those of others that one could take over: of one's projects and units."""
    page = page_of(request, others_webhooks(viewer_of(request)))
    return render(request, "webhooks/others.html", {"here": "me", "page": page})


@shows("own")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@done_once
def webhook_new(request: HttpRequest) -> HttpResponse:
    """`?project=` or `?unit=` says of what; without, it is for oneself. Its secret stands here."""
    viewer = viewer_of(request)
    data = request.POST if request.method == "POST" else request.GET
    project, unit = _place(viewer, data.get("project", ""), data.get("unit", ""))
    form = WebhookForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"here": "me", "form": form, "project": project, "unit": unit}
    if form.is_bound:
        form.is_valid()
        try:
            made = webhooks.make(terms=form.terms(), project=project, unit=unit, viewer=viewer)
        except DomainError as error:
            return _again(request, form, context, error)
        return _secret(request, made, is_new=True)
    return render(request, "webhooks/form.html", context)


@shows("webhook")
@require_safe
def webhook_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What it is told, how it stands, and its log, the newest first."""
    viewer, webhook = _own(request, public_id)
    page = page_of(request, calls_of(webhook))
    is_mine, seen = may_have(viewer, webhook), seen_in(page.rows, viewer)
    context = {
        "here": "me",
        "webhook": webhook,
        "may_have": is_mine,
        "is_on": webhook.state == WebhookState.ON,
        "has_old_secret": webhook.old_secret_until and webhook.old_secret_until > viewer.now,
        "is_held": webhook.held_until and webhook.held_until > viewer.now,
        "due": due_counts([webhook]).get(webhook.pk, 0),
        "page": page,
        "calls": [(each, _type_of(each, seen)) for each in page.rows],
        "replay": ReplayForm(initial={"since": webhook.failing_since}),
    }
    return render(request, "webhooks/detail.html", context)


@shows("webhook")
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_change(request: HttpRequest, public_id: UUID) -> HttpResponse:
    viewer, webhook = _own(request, public_id)
    given = {"name": webhook.name, "url": webhook.url, "types": webhook.verbs}
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=given)
    context: dict[str, Any] = {"here": "me", "form": form, "webhook": webhook}
    if form.is_bound:
        form.is_valid()
        try:
            webhooks.change(webhook=webhook, terms=form.terms(), version=form.seen, viewer=viewer)
        except DomainError as error:
            return _again(request, form, context, error)
        messages.success(request, _("It is called like this from now on."))
        return redirect("webhook_detail", public_id=public_id)
    return render(request, "webhooks/form.html", context)


@shows("webhook")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@done_once
def webhook_rotate(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Another secret, shown this once."""
    viewer, webhook = _own(request, public_id)
    if request.method == "POST":
        return _secret(request, webhooks.rotate(webhook=webhook, viewer=viewer), is_new=False)
    return render(request, "webhooks/rotate.html", {"here": "me", "webhook": webhook})


@shows("take over webhook")
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_take_over(request: HttpRequest, public_id: UUID) -> HttpResponse:
    viewer = viewer_of(request)
    found = others_webhooks(viewer).filter(public_id=public_id).first()
    if found is None:
        raise NotVisible(_("There is no such webhook that you could take over."))
    if request.method == "POST":
        webhooks.take_over(webhook=found, viewer=viewer)
        messages.success(request, _("It is yours, and told what you may see from now on."))
        return redirect("webhook_detail", public_id=public_id)
    return render(request, "webhooks/take_over.html", {"here": "me", "webhook": found})


@shows("webhook")
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: HttpRequest, public_id: UUID) -> HttpResponse:
    viewer, webhook = _own(request, public_id)
    if request.method == "POST":
        webhooks.delete(webhook=webhook, viewer=viewer)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": webhook.name})
        return redirect("webhook_list")
    due = due_counts([webhook]).get(webhook.pk, 0)
    context = {"here": "me", "webhook": webhook, "due": due}
    return render(request, "webhooks/delete.html", context)


@shows("webhook")
@require_POST
def webhook_ping(request: HttpRequest, public_id: UUID) -> HttpResponse:
    return _done(
        request,
        public_id,
        webhooks.ping,
        _("A test is on its way. Refresh to see what became of it."),
    )


@shows("webhook")
@require_POST
def webhook_replay(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """From a moment, in the reader's time zone, or after a place of the feed."""
    viewer, webhook = _own(request, public_id)
    form = ReplayForm(request.POST)
    if not form.is_valid():
        raise Invalid({name: [str(each) for each in form.errors[name]] for name in form.errors})
    webhooks.replay(
        webhook=webhook, since=form.cleaned_data["since"], after=form.cleaned_data["after"],
        viewer=viewer,
    )  # fmt: skip
    messages.success(request, _("It is told again of what happened since then."))
    return redirect("webhook_detail", public_id=public_id)


@shows("webhook")
@require_POST
def webhook_switch_on(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """`missed=yes`: with what happened since it stopped."""
    missed = request.POST.get("missed") == "yes"

    def act(**given: Any) -> Webhook:
        return webhooks.switch_on(missed=missed, **given)

    return _done(request, public_id, act, _("It is called again."))


@shows("webhook")
@require_POST
def webhook_switch_off(request: HttpRequest, public_id: UUID) -> HttpResponse:
    return _done(
        request, public_id, webhooks.switch_off, _("It is not called until you switch it on.")
    )


def _done(
    request: HttpRequest, public_id: UUID, act: Callable[..., object], words: str
) -> HttpResponse:
    viewer, webhook = _own(request, public_id)
    act(webhook=webhook, viewer=viewer)
    messages.success(request, words)
    return redirect("webhook_detail", public_id=public_id)


def _type_of(call: WebhookCall, seen: Collection[int]) -> str:
    """The name of its event's type; "" where that may not be seen any more."""
    if call.event is None:
        return PING
    return type_of(call.event) if call.event_id in seen else ""


def _own(request: HttpRequest, public_id: UUID) -> tuple[Viewer, Webhook]:
    viewer = viewer_of(request)
    found = own_webhooks(viewer).filter(public_id=public_id).first()
    if found is None:
        raise NotVisible(_("You have no such webhook."))
    return viewer, found


def _place(viewer: Viewer, project: str, unit: str) -> tuple[Project | None, Unit | None]:
    """Of what a new one is to be told; whether it may is the action's question."""
    return (
        visible_project(viewer, project) if project else None,
        unit_of(unit) if unit and unit.isprintable() else None,
    )


def _secret(request: HttpRequest, made: tuple[Webhook, str], *, is_new: bool) -> HttpResponse:
    context = {"here": "me", "webhook": made[0], "secret": made[1], "is_new": is_new}
    answer = render(request, "webhooks/secret.html", context)
    return leads_to(answer, "webhook_detail", made[0].public_id)


def _again(
    request: HttpRequest, form: WebhookForm, context: dict[str, Any], error: DomainError
) -> HttpResponse:
    """The form as it was typed, with what the domain says of it."""
    if isinstance(error, Invalid):
        rest = take_errors(form, error.errors)
        context["errors"] = [("", sentence) for sentence in rest.values()]
    else:
        context["refused"] = error
    return render(request, "webhooks/form.html", context, status=error.status)
