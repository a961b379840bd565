"""Who follows a request: watching it by choice, and being told of what happens to it."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled_sql
from portal.lib.errors import Conflict, NotVisible
from portal.lib.together import Written, together
from projects.models import Event, User
from projects.outgoing.notices import telling
from projects.queries.viewers import Viewer
from projects.states import NoticeKind
from quotas.models import Comment, Decision, QuotaRequest, Watcher
from quotas.queries.requests import visible_requests


def watch(*, quota_request: QuotaRequest, actor: User, now: datetime) -> None:
    """Be told of what happens to a request; a second time changes nothing.

    Raises NotVisible, and Conflict for a draft, to which nothing happens.
    """
    seen = visible_requests(Viewer.of(actor, now)).filter(pk=quota_request.pk).first()
    if seen is None:
        raise NotVisible(_("There is no such request."))
    if seen.submitted_at is None:
        raise Conflict(_("Nothing happens to a draft; send it first."))
    Watcher.objects.bulk_create(
        [Watcher(request=seen, person=actor, since=now)], ignore_conflicts=True
    )


def unwatch(*, quota_request: QuotaRequest, actor: User) -> None:
    """Be told no more, unless one asked for it or wrote on it. Needs no right to see it."""
    Watcher.objects.filter(request=quota_request, person=actor).delete()


def tell_followers(
    event: Event, quota_request: QuotaRequest, kind: NoticeKind, *, with_deciders: bool = False
) -> None:
    """Tell whoever asked for it, watches it or wrote on it; one query.

    with_deciders: also who decided anything of it before, such as who asked the question
    that is answered now.
    """
    together(telling_followers(event, quota_request, kind, with_deciders=with_deciders))


def telling_followers(
    event: Event, quota_request: QuotaRequest, kind: NoticeKind, *, with_deciders: bool = False
) -> Written:
    """`tell_followers` as a part of a larger statement."""
    sql, parameters = _followers(with_deciders, request=quota_request.pk)
    return telling(event, sql, parameters, kind)


@compiled_sql
def _followers(with_deciders: bool, /, *, request: Any) -> QuerySet[Any, Any]:
    asked = QuotaRequest.objects.filter(pk=request)
    groups: list[QuerySet[Any, Any]] = [
        asked.values("requester"),
        asked.filter(asked_by__isnull=False).values("asked_by"),
        Comment.objects.filter(request=request).order_by().values("author"),
    ]
    if with_deciders:
        deciders = Decision.objects.filter(request=request, actor__isnull=False)
        groups.append(deciders.order_by().values("actor"))
    watching = Watcher.objects.filter(request=request).values("person")
    return watching.union(*groups)
