"""After a refusal for what is used up: the request goes to those who still may decide it."""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from portal.lib.errors import DomainError
from projects.models import in_force
from quotas.models import Assignment
from quotas.states import AssignmentKind

from .authority import UsedUp
from .rerouting import route_again

logger = logging.getLogger(__name__)


def handed_up(refusal: UsedUp, now: datetime) -> UsedUp:
    """Route the request anew, in a transaction of its own; the refusal, which says to whom.

    Whatever goes wrong with the routing is left to the sweep: nothing was booked either way.
    """
    try:
        route_again([refusal.facts["request"]], now)
    except DomainError:
        logger.exception("request %s was not handed up at once", refusal.facts["request"])
        return refusal
    line_id = refusal.facts["line"]
    rows = Assignment.objects.filter(
        in_force(now), line=line_id, kind=AssignmentKind.DECIDE, delegation__revoked_at__isnull=True
    ).select_related("user", "group")
    names = list(dict.fromkeys(str(row.user or row.group) for row in rows.order_by("level", "pk")))
    return HandedUp(refusal, names)


class HandedUp(UsedUp):
    """What is used up, and whom the line waits for now; `waits_for` is among the facts."""

    def __init__(self, refusal: UsedUp, names: Sequence[str]) -> None:
        went = _("Nothing was booked. It waits for %(names)s now.")
        super().__init__(_with(refusal, went, names), **refusal.facts, waits_for=[*names])
        self.refusal, self.names = refusal, names

    def planned(self) -> UsedUp:
        """The same where all of it is undone: nothing went anywhere."""
        would_go = _("Then it would wait for %(names)s.")
        return UsedUp(_with(self.refusal, would_go, self.names), **self.facts)


def _with(refusal: UsedUp, words: str, names: Sequence[str]) -> str:
    return (
        f"{refusal.sentence} {words % {'names': ', '.join(names)}}" if names else refusal.sentence
    )
