"""Taking back all that a project asks for, as it goes where nothing can be granted to it."""

from datetime import datetime

from django.db.models import F

from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Project, User
from projects.outgoing.notices import tell
from projects.queries.patience import STOPPED
from projects.states import NoticeKind
from quotas.models import QuotaRequest, RequestLine
from quotas.states import PENDING, LineState


def withdraw_all(project: Project, *, actor: User | None, now: datetime) -> int:
    """Withdraw every line that waits, and tell who asked; how many requests that were.

    project: locked; actor: None, the calendar.
    """
    waiting = RequestLine.objects.filter(project=project, state__in=PENDING)
    requests = lock(QuotaRequest.objects.filter(pk__in=waiting.values("request")))
    for each in requests:
        lines = RequestLine.objects.filter(request=each, state__in=PENDING)
        lines.update(state=LineState.WITHDRAWN, **STOPPED)
        QuotaRequest.objects.filter(pk=each.pk).update(version=F("version") + 1, updated_at=now)
        event = record(
            "withdrew", actor=actor, now=now, project=project,
            subject_kind="request", subject_id=each.pk,
        )  # fmt: skip
        tell(event, [each.requester_id], NoticeKind.WITHDRAWN)
    return len(requests)
