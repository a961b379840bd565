"""What a webhook is sent: the event as the API shows it, in the envelope of Standard Webhooks."""

import json
from datetime import datetime
from typing import Any

from projects.models import Event, WebhookCall

from .event_types import PING, type_of


def body_of(call: WebhookCall) -> bytes:
    """{"type", "timestamp", "data"} as JSON; the same bytes at each try."""
    if call.event is None:
        told: dict[str, Any] = {
            "type": PING,
            "timestamp": _moment(call.created_at),
            "data": {"webhook": str(call.webhook.public_id)},
        }
    else:
        told = {
            "type": type_of(call.event),
            "timestamp": _moment(call.event.at),
            "data": event_data(call.event),
        }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def event_data(event: Event) -> dict[str, Any]:
    """The event as `GET /api/v1/events/` shows it: ids, slugs and figures, no names."""
    return {
        "id": event.pk,
        "place": f"{event.xid}.{event.pk}",
        "at": _moment(event.at),
        "actor": str(event.actor.public_id) if event.actor else None,
        "verb": event.verb,
        "project": event.project.slug if event.project else None,
        "unit": event.unit.slug if event.unit else None,
        "subject_kind": event.subject_kind,
        "subject_id": event.subject_id,
        "data": event.data,
    }


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
