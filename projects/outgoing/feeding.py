"""Which events a webhook is told of, and the calls that tell it, which workers write.

Nothing of it is in the transaction of an act: each webhook reads the record as any reader of
the feed does, in (xid, id) order below the horizon, and keeps the place up to which it has read.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from projects.models import Event, Notice, Unit, Webhook, WebhookCall
from projects.queries.events import Place, feed, visible_events
from projects.queries.viewers import Viewer, roles_by_project
from projects.rules import may_ask, may_listen_to_unit
from projects.states import CallState, WebhookState

from .event_types import of_types

logger = logging.getLogger(__name__)

BATCH = 200
# A receiver that is away for long has so many calls before it; the record keeps all others.
MOST_DUE = 1000


def may_have(viewer: Viewer, webhook: Webhook) -> bool:
    """Whether its owner may have it now: for oneself always, else by their place there."""
    return bool(may_have_of(viewer, [webhook]))


def may_have_of(viewer: Viewer, webhooks: Collection[Webhook]) -> list[Webhook]:
    """Those of these that their owner may have now; at most one query."""
    if not viewer.user.is_active:
        return []
    projects = [each.project for each in webhooks if each.project is not None]
    roles = roles_by_project(viewer, projects) if projects else {}
    return [each for each in webhooks if _may_have(viewer, each, roles)]


def _may_have(viewer: Viewer, webhook: Webhook, roles: Mapping[int, Collection[str]]) -> bool:
    if webhook.project_id is not None:
        return may_ask(roles.get(webhook.project_id, ()))
    return webhook.unit is None or may_listen_to_unit(viewer, webhook.unit.path)


def told_events(webhook: Webhook, viewer: Viewer) -> QuerySet[Event]:
    """What a webhook is told of: of its place, of the chosen types, and its owner's to see."""
    rows = visible_events(viewer).filter(of_types(webhook.verbs))
    if webhook.project is not None:
        return rows.filter(project=webhook.project)
    if webhook.unit is not None:
        there = Unit.objects.filter(path__startswith=webhook.unit.path).values("pk")
        return rows.filter(Q(project__unit__in=there) | Q(unit__in=there))
    mine = Notice.objects.filter(person=webhook.owner).values("event")
    return rows.filter(pk__in=mine)


def write_all(now: datetime) -> int:
    """Write the calls of all webhooks that have something to read; how many were written.

    One that cannot be read for is logged each time, and keeps no other from being told.
    """
    tip = _tip()
    if tip is None:
        return 0
    behind = Webhook.objects.filter(
        Q(after_xid__lt=tip.xid) | Q(after_xid=tip.xid, after_id__lt=tip.id),
        state=WebhookState.ON, deleted_at__isnull=True,
    )  # fmt: skip
    ids = behind.order_by("pk").values_list("pk", flat=True)
    return sum(_written(webhook_id, tip, now) for webhook_id in list(ids))


def _written(webhook_id: int, tip: Place, now: datetime) -> int:
    try:
        return write_calls(webhook_id, tip, now)
    except Exception:
        if not connection.is_usable():
            raise
        logger.exception("a webhook cannot be fed", extra={"webhook": webhook_id})
        return 0


def write_calls(webhook_id: int, tip: Place, now: datetime) -> int:
    """Read on for one webhook and write its calls; how many. tip: of an older snapshot."""
    with transaction.atomic():
        webhook = (
            Webhook.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
            .select_related("owner", "project__unit", "unit")
            .filter(pk=webhook_id, state=WebhookState.ON, deleted_at__isnull=True)
            .first()
        )
        if webhook is None:
            return 0
        due = WebhookCall.objects.filter(webhook=webhook, state=CallState.DUE)
        count = min(BATCH, MOST_DUE - due[:MOST_DUE].count())
        if count <= 0:
            return 0
        viewer = Viewer.of(webhook.owner, now)
        after = Place(webhook.after_xid, webhook.after_id)
        found: list[Event] = []
        if may_have(viewer, webhook):
            found = feed(told_events(webhook, viewer), after, count)
        _write(webhook, found, now)
        # All that was below the older horizon was read, unless the batch is full.
        last = [Place(each.xid, each.pk) for each in found[-1:]]
        reached = last[0] if len(found) == count else max([tip, after, *last])
        Webhook.objects.filter(pk=webhook.pk).update(after_xid=reached.xid, after_id=reached.id)
    return len(found)


def _write(webhook: Webhook, events: list[Event], now: datetime) -> None:
    """A call for each; one that there was already, as in a replay, is due again, under its id."""
    calls = [
        WebhookCall(webhook=webhook, event=each, due_at=now, created_at=now) for each in events
    ]
    WebhookCall.objects.bulk_create(
        calls,
        update_conflicts=True,
        unique_fields=["webhook", "event"],
        update_fields=["state", "attempts", "due_at", "created_at", "ended_at"],
    )


def _tip() -> Place | None:
    """The last event that every reader may have read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xid::text::bigint, id FROM projects_event "
            "WHERE xid < (SELECT remit_horizon()) "
            # The column itself, along its index: by its bare name it would be what is selected.
            "ORDER BY projects_event.xid DESC, id DESC LIMIT 1"
        )
        found = cursor.fetchone()
    return Place(*found) if found else None
