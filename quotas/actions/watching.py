"""Who follows a request: watching it by choice, and being told of what happens to it."""

from datetime import datetime

from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, NotVisible
from projects.models import Event, User
from projects.outgoing.notices import tell
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
    """Tell whoever asked for it, watches it or wrote on it; two queries.

    with_deciders: also who decided anything of it before, such as who asked the question
    that is answered now.
    """
    talking = Comment.objects.filter(request=quota_request).order_by().values_list("author")
    following = Watcher.objects.filter(request=quota_request).values_list("person").union(talking)
    if with_deciders:
        deciders = Decision.objects.filter(request=quota_request, actor__isnull=False)
        following = following.union(deciders.order_by().values_list("actor"))
    people = {person for (person,) in following} | {quota_request.requester_id}
    if quota_request.asked_by_id is not None:
        people.add(quota_request.asked_by_id)
    tell(event, people, kind)
