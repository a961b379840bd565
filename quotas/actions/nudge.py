"""The polite nudge: who asked reminds those who decide, at most once a working day."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.moments import minute_words
from projects.actions.events import record
from projects.models import User
from projects.outgoing.notices import tell
from projects.queries.patience import site_calendar
from projects.states import NoticeKind
from quotas.models import QuotaRequest
from quotas.queries.deciders import deciders_of
from quotas.queries.waiting_for import nudge_at
from quotas.states import LineState

from .asking import lines_of, lock_own


class TooSoon(Conflict):
    """Not yet; facts: at, the moment from which on it is possible."""

    code = "too_soon"


def nudge(*, quota_request: QuotaRequest, actor: User, now: datetime) -> int:
    """Ask everybody for whom open lines wait to look at them; how many people were told.

    Raises what the verbs of those who ask raise; Conflict where nothing is open, TooSoon.
    """
    with transaction.atomic():
        locked, _viewer = lock_own(quota_request, actor, now)
        lines = [line for line in lines_of(locked) if line.state == LineState.OPEN]
        at = nudge_at(locked, lines, site_calendar())
        if at is None:
            raise Conflict(_("Nothing in this request waits for a decision."))
        if now < at:
            words = {"at": minute_words(at)}
            raise TooSoon(
                _("Give them some time: you can remind them from %(at)s on.") % words,
                at=at.isoformat(),
            )
        as_seen = QuotaRequest.objects.filter(pk=locked.pk, nudged_at=locked.nudged_at)
        if not as_seen.update(nudged_at=now):
            raise Conflict(_("Somebody else was first. Look again."))
        event = record(
            "nudged", actor=actor, now=now, project=locked.project, subject_kind="request",
            subject_id=locked.pk, lines=[line.pk for line in lines],
        )  # fmt: skip
        for line in lines:
            line.request, line.project = locked, locked.project
        people: set[int] = set()
        for line_id, deciders in deciders_of(lines, now).items():
            level = next(line.level for line in lines if line.pk == line_id)
            people |= deciders.people_of(deciders.turns(level))
        tell(event, people, NoticeKind.NUDGED)
    return len(people)
