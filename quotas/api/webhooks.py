"""Webhooks: one's own, what is done with them, and how their calls went."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Invalid, NotVisible
from projects.actions import webhooks
from projects.actions.webhooks import Terms
from projects.models import Unit, Webhook
from projects.outgoing.event_types import TYPES
from projects.outgoing.feeding import may_have_of
from projects.queries.events import Place
from projects.queries.viewers import Viewer
from projects.queries.webhooks import (
    calls_of,
    due_counts,
    others_webhooks,
    own_webhooks,
    seen_in,
)
from projects.states import TokenScope

from .asked import body, filters, one, viewer_in, visible_project
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, YesNoInAddress
from .once import without_secret
from .pages import answer_page, page_of
from .scopes import Needs, needs
from .shapes.requests import NothingInput
from .shapes.webhooks import (
    EXAMPLE,
    CallSerializer,
    NewWebhookSerializer,
    TypesSerializer,
    WebhookChangeInput,
    WebhookInput,
    WebhookReplayInput,
    WebhookSerializer,
    WebhookSwitchInput,
)
from .versions import tagged, version_matched, version_seen

TAG = "webhooks"


class WebhookFilters(Filters):
    others = YesNoInAddress(
        default=False,
        help_text="Those of others instead, of your projects and units: you can take them over.",
    )


@needs(TokenScope.LISTEN)
@shows("own")
@operation(
    "list_webhooks", "List your webhooks", answers=page_of(WebhookSerializer, "-id", "id"),
    refuses=LIST, tag=TAG, filters=[WebhookFilters],
)  # fmt: skip
@operation(
    "make_webhook", "Make a webhook", method="POST", body=WebhookInput,
    answers=NewWebhookSerializer, status=201, refuses=WRITE, tag=TAG, sent=EXAMPLE,
    etag=Etag.GIVES,
    about="It is told of what happens from now on. Its secret is in this answer and nowhere "
    "else. By the token of a service account: of its project or unit alone.",
)  # fmt: skip
@api_view(["GET", "POST"])
def webhook_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if request.method == "POST":
        sent = body(request, WebhookInput)
        made = webhooks.make(terms=_terms(sent), viewer=viewer, **_place_in(viewer, sent))
        return _shown_once(made, viewer, status=201)
    rows = others_webhooks if filters(request, WebhookFilters)["others"] else own_webhooks
    return answer_page(
        request, rows(viewer), WebhookSerializer,
        context=lambda page: _context(page, viewer),
    )  # fmt: skip


@shows("catalogue")
@operation(
    "list_webhook_types", "List the types of events", answers=TypesSerializer, refuses=LIST,
    tag=TAG, about="Their names never change; there may be more of them.",
)  # fmt: skip
@api_view(["GET"])
def type_list(request: Request) -> Response:
    return Response(TypesSerializer({"types": sorted(TYPES)}).data)


@needs(TokenScope.LISTEN)
@shows("webhook")
@operation(
    "get_webhook", "Show a webhook", answers=WebhookSerializer, refuses=READ, tag=TAG,
    etag=Etag.GIVES,
)  # fmt: skip
@operation(
    "change_webhook", "Change a webhook", method="PUT", body=WebhookChangeInput,
    answers=WebhookSerializer, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
)  # fmt: skip
@operation(
    "delete_webhook", "Delete a webhook", method="DELETE", answers=None, status=204,
    refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="What waits is not sent. There is no way back.",
)  # fmt: skip
@api_view(["GET", "PUT", "DELETE"])
def webhook_detail(request: Request, public_id: UUID) -> Response:
    viewer, found = _own(request, public_id)
    if request.method == "PUT":
        sent = body(request, WebhookChangeInput)
        found = webhooks.change(
            webhook=found, terms=_terms(sent), viewer=viewer,
            version=version_seen(request, sent.get("version"), found.version),
        )  # fmt: skip
    elif request.method == "DELETE":
        webhooks.delete(
            webhook=found, version=version_matched(request, found.version), viewer=viewer
        )
        return Response(status=204)
    return _shown(found, viewer)


@needs(TokenScope.LISTEN)
@shows("webhook")
@operation(
    "rotate_webhook_secret", "Give a webhook another secret", method="POST", body=NothingInput,
    answers=NewWebhookSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="It is in this answer and nowhere else. The old one signs too for 24 hours.",
)  # fmt: skip
@api_view(["POST"])
def webhook_rotate(request: Request, public_id: UUID) -> Response:
    viewer, found = _own(request, public_id)
    body(request, NothingInput)
    seen = version_matched(request, found.version)
    return _shown_once(webhooks.rotate(webhook=found, version=seen, viewer=viewer), viewer)


@needs(Needs.A_PERSON)
@shows("take over webhook")
@operation(
    "take_over_webhook", "Become the owner of a webhook", method="POST", body=NothingInput,
    answers=WebhookSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="Of a project or unit for which you could make one. From then on it is told what you "
    "may see. Its secret stays: make a new one, as whoever had it knows it. Not by a token.",
)  # fmt: skip
@api_view(["POST"])
def webhook_take_over(request: Request, public_id: UUID) -> Response:
    viewer = viewer_in(request)
    found = one(others_webhooks(viewer), public_id=public_id)
    body(request, NothingInput)
    seen = version_matched(request, found.version)
    return _shown(webhooks.take_over(webhook=found, version=seen, viewer=viewer), viewer)


@needs(TokenScope.LISTEN)
@shows("webhook")
@operation(
    "ping_webhook", "Send a test", method="POST", body=NothingInput, answers=CallSerializer,
    status=202, refuses=WRITE, tag=TAG,
    about="A worker sends it in a moment; its calls tell what became of it.",
)  # fmt: skip
@api_view(["POST"])
def webhook_ping(request: Request, public_id: UUID) -> Response:
    viewer, found = _own(request, public_id)
    body(request, NothingInput)
    call = webhooks.ping(webhook=found, viewer=viewer)
    return Response(CallSerializer(call, context={"seen": ()}).data, status=202)


@needs(TokenScope.LISTEN)
@shows("webhook")
@operation(
    "replay_webhook", "Tell it again", method="POST", body=WebhookReplayInput,
    answers=WebhookSerializer, refuses=WRITE, tag=TAG, sent={"since": "2026-11-20T08:00:00Z"},
    about="All that happened since then, also what it was told already, under the same ids.",
)  # fmt: skip
@api_view(["POST"])
def webhook_replay(request: Request, public_id: UUID) -> Response:
    viewer, found = _own(request, public_id)
    sent = body(request, WebhookReplayInput)
    done = webhooks.replay(
        webhook=found, since=sent.get("since"), after=_place(sent.get("after")), viewer=viewer
    )
    return _shown(done, viewer)


@needs(TokenScope.LISTEN)
@shows("webhook")
@operation(
    "switch_on_webhook", "Call a webhook again", method="POST", body=WebhookSwitchInput,
    answers=WebhookSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="After you stopped it, or after it was disabled for long failure.",
)  # fmt: skip
@api_view(["POST"])
def webhook_switch_on(request: Request, public_id: UUID) -> Response:
    viewer, found = _own(request, public_id)
    sent = body(request, WebhookSwitchInput)
    done = webhooks.switch_on(
        webhook=found, missed=sent["missed"], viewer=viewer,
        version=version_matched(request, found.version),
    )  # fmt: skip
    return _shown(done, viewer)


@needs(TokenScope.LISTEN)
@shows("webhook")
@operation(
    "switch_off_webhook", "Call a webhook no more", method="POST", body=NothingInput,
    answers=WebhookSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
)  # fmt: skip
@api_view(["POST"])
def webhook_switch_off(request: Request, public_id: UUID) -> Response:
    viewer, found = _own(request, public_id)
    body(request, NothingInput)
    seen = version_matched(request, found.version)
    return _shown(webhooks.switch_off(webhook=found, version=seen, viewer=viewer), viewer)


@shows("webhook")
@operation(
    "list_webhook_calls", "List the calls of a webhook",
    answers=page_of(CallSerializer, "-id", "id"),
    refuses=(*LIST, 404), tag=TAG, about="The newest first, each with its tries; kept for 30 days.",
)  # fmt: skip
@api_view(["GET"])
def webhook_calls(request: Request, public_id: UUID) -> HttpResponseBase:
    viewer, found = _own(request, public_id)
    filters(request)
    return answer_page(
        request,
        calls_of(found),
        CallSerializer,
        context=lambda page: {"seen": seen_in(page, viewer)},
    )


def _own(request: Request, public_id: UUID) -> tuple[Viewer, Webhook]:
    viewer = viewer_in(request)
    return viewer, one(own_webhooks(viewer), public_id=public_id)


def _terms(sent: dict[str, Any]) -> Terms:
    return Terms(sent["name"], sent["url"], sent["types"])


def _place_in(viewer: Viewer, sent: dict[str, Any]) -> dict[str, Any]:
    """The project or unit that a body names; raises NotVisible."""
    project, unit = (sent[each] for each in ("project", "unit"))
    if not (project + unit).isprintable():
        raise NotVisible(_("There is no such thing."))
    return {
        "project": visible_project(viewer, project) if project else None,
        "unit": one(Unit.objects.all(), slug=unit) if unit else None,
    }


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    try:
        return Place.read(text)
    except ValueError:
        raise Invalid({"after": [_("Send the `place` of an event as the feed gave it.")]}) from None


def _context(found: Sequence[Webhook], viewer: Viewer) -> dict[str, Any]:
    return {"had": may_have_of(viewer, found), "due": due_counts(found)}


def _shown(webhook: Webhook, viewer: Viewer) -> Response:
    context = _context([webhook], viewer)
    return tagged(WebhookSerializer(webhook, context=context).data, webhook.version)


def _shown_once(made: tuple[Webhook, str], viewer: Viewer, *, status: int = 200) -> Response:
    webhook, secret = made
    context = _context([webhook], viewer) | {"secret": secret}
    told = NewWebhookSerializer(webhook, context=context).data
    headers = {"Cache-Control": "no-store"}
    return without_secret(tagged(told, webhook.version, status=status, headers=headers), "secret")
