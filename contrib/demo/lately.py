"""What became of authority in the demo's last days: a deputy, envelopes, and what time did."""

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from projects.models import Notice, Unit
from quotas.actions import envelopes
from quotas.actions.assigning import assign
from quotas.actions.delegations import name_deputy
from quotas.actions.escalation import escalate_due, remind_due
from quotas.actions.funding import Seen
from quotas.actions.requests import comment
from quotas.models import (
    Decision,
    DecisionKind,
    Offering,
    QuotaRequest,
    RequestLine,
    Resource,
    RouteMark,
)
from quotas.queries.envelopes import standings
from quotas.states import LineState

from .authority import base_units, local

AWAY_DAYS = 13
# What is older than this was seen by whom it was told.
NEWS_DAYS = 3
CHANGES = {"geneva.compute-a.vcpu": "+64", "geneva.storage-c.space": "-20TiB"}


def name_a_deputy(today: datetime) -> None:
    """Dana is away from yesterday on."""
    last = timezone.localtime(today + timedelta(days=AWAY_DAYS))
    name_deputy(
        holder=local("dana"),
        user=local("marco"),
        starts_at=today - timedelta(days=1),
        ends_at=last.replace(hour=0, minute=0, second=0, microsecond=0),
        purpose="At a conference until then.",
        now=today - timedelta(days=1),
    )


def change_envelopes(now: datetime) -> None:
    """Erin gives ATLAS what it needs, and takes back what it does not."""
    unit = Unit.objects.get(slug="atlas")
    offerings = list(Offering.objects.filter(slug__in=CHANGES).select_related("resource", "zone"))
    envelopes.change(
        unit=unit,
        changes={each.slug: _change(CHANGES[each.slug], each.resource) for each in offerings},
        seen={each.offering.slug: Seen.of(each) for each in standings(unit, offerings).values()},
        reason="Compute is short until the conferences; the space in storage-c lay idle.",
        actor=local("erin"),
        now=now,
    )


def _change(text: str, resource: Resource) -> int:
    """ "+64" or "-20TiB", in base units."""
    amount = base_units(text[1:], resource)
    return -amount if text.startswith("-") else amount


def let_time_pass(today: datetime) -> None:
    """What sweeps and workers would have done until today, at the moments when it was due."""
    lines = RequestLine.objects.filter(state=LineState.OPEN)
    due = {each for row in lines.values_list("remind_at", "escalate_at") for each in row if each}
    for moment in sorted(each for each in due if each <= today):
        remind_due(moment)
        escalate_due(moment)
    # Routed after the commit they would be routed as of the past in which they were made.
    RouteMark.objects.filter(due_at__lte=today).delete()
    waiting = QuotaRequest.objects.filter(lines__state=LineState.OPEN).distinct()
    assign(list(waiting.select_related("project__unit")), today)


def write_to_dana(today: datetime) -> None:
    """Somebody wrote on the last request that she granted: news, on whatever day of the week."""
    granted = Decision.objects.filter(kind=DecisionKind.APPROVE, actor=local("dana"))
    asked = granted.select_related("request__requester").latest("at").request
    comment(
        quota_request=asked,
        text="Thank you: the first half is in use already.",
        actor=asked.requester,
        now=today - timedelta(hours=2),
    )


def see_what_is_old(today: datetime) -> None:
    """Notices that were read within half a day of their time."""
    old = Notice.objects.filter(at__lte=today - timedelta(days=NEWS_DAYS))
    old.update(read_at=F("at") + timedelta(hours=5))
