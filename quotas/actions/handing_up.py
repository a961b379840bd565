"""After a refusal for what is used up: the request goes to those who still may decide it."""

import logging
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
    sentence = refusal.sentence
    if names:
        words = {"names": ", ".join(names)}
        sentence += " " + _("Nothing was booked. It waits for %(names)s now.") % words
    return UsedUp(sentence, **refusal.facts, waits_for=names)
