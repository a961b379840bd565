"""Who follows a request: watching it by choice, and being told of what happens to it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled_sql
from portal.lib.errors import Conflict, NotVisible
from portal.lib.lookups import IsAnyOf
from portal.lib.together import Written, together
from projects.models import Event, User
from projects.outgoing.notices import telling_each
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
    together(telling_followers([(event, quota_request)], kind, with_deciders=with_deciders))


def telling_followers(
    told: Collection[tuple[Event, QuotaRequest]], kind: NoticeKind, *, with_deciders: bool = False
) -> Written:
    """`tell_followers` of many as a part of a larger statement; all by one actor at one moment."""
    events = {quota_request.pk: event for event, quota_request in told}
    sql, parameters = _followers(with_deciders, requests=[*events])
    return telling_each(events, sql, parameters, kind)


@compiled_sql
def _followers(with_deciders: bool, /, *, requests: Any) -> QuerySet[Any, Any]:
    """(request, person) of all who follow these."""
    asked = QuotaRequest.objects.filter(IsAnyOf(F("pk"), requests)).order_by()
    comments = Comment.objects.filter(IsAnyOf(F("request"), requests)).order_by()
    groups: list[QuerySet[Any, Any]] = [
        asked.values_list("pk", "requester"),
        asked.filter(asked_by__isnull=False).values_list("pk", "asked_by"),
        comments.values_list("request", "author"),
    ]
    if with_deciders:
        decisions = Decision.objects.filter(IsAnyOf(F("request"), requests), actor__isnull=False)
        groups.append(decisions.order_by().values_list("request", "actor"))
    watching = Watcher.objects.filter(IsAnyOf(F("request"), requests)).order_by()
    return watching.values_list("request", "person").union(*groups)
