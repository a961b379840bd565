"""Asking for a reading: a target is looked at next, by a worker; nobody waits for it here.

It cannot be used to hammer a service: what was just read is not read again, only so many
are asked for at once, and the workers keep to the endpoint's own pace anyway.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.locks import lock
from portal.lib.wake import wake
from projects.models import User
from quotas.models import Endpoint, Target
from quotas.queries.plan_words import endpoint_warning, no_refresh
from quotas.queries.repairers import repairable_targets
from quotas.states import EndpointState

from .repairs import check_retry, check_retry_at, held_viewer

OBSERVE_TASK = "quotas.tasks.observe_target"
# A reading this young is news enough.
YOUNG = timedelta(seconds=10)
# So many at once; an endpoint has no more than PENDING_MOST readings asked for and not come.
AT_ONCE = 50
PENDING_MOST = 200
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Asked:
    """The targets whose reading was asked for, and when: a newer `observed_at` is the answer."""

    target_ids: tuple[int, ...]
    at: datetime


def refresh_target(*, target: Target, actor: User, now: datetime) -> Asked:
    """Have one target looked at next. target: with its endpoint, its project and its unit.

    Raises Forbidden, and Conflict where it was just read, is in work, or nothing is called.
    """
    with transaction.atomic():
        check_retry(held_viewer(actor, now), target)
        _check_endpoint(target.endpoint)
        held = lock(Target.objects.filter(pk=target.pk))[0]
        if why := no_refresh(held):
            raise Conflict(why, state=held.state)
        if _is_young(held, now):
            raise Conflict(_("It was read a moment ago."))
        return _ask([held])


def refresh_targets(
    *, endpoint: Endpoint, target_ids: Collection[int], actor: User, now: datetime
) -> Asked:
    """Have several targets of an endpoint looked at next, as far as that makes sense.

    Those of others, those that were just read and those in work are passed over. Raises
    Forbidden, and Conflict where none of them can be read now or more than AT_ONCE are sent.
    """
    ids = {each for each in target_ids if 0 < each <= _LARGEST_ID}
    if len(target_ids) > AT_ONCE:
        raise Conflict(
            _("No more than %(most)s at once: refresh them page by page.") % {"most": AT_ONCE},
            most=AT_ONCE,
        )
    with transaction.atomic():
        viewer = held_viewer(actor, now)
        check_retry_at(viewer, endpoint)
        _check_endpoint(endpoint)
        held = lock(repairable_targets(viewer).filter(endpoint=endpoint, pk__in=ids))
        able = [each for each in held if not no_refresh(each) and not _is_young(each, now)]
        if not able:
            raise Conflict(_("Each of these was just read or is in work already."))
        return _ask(able)


def _check_endpoint(endpoint: Endpoint) -> None:
    for each in (endpoint, endpoint.identity):
        if each is not None and each.state in (EndpointState.PAUSED, EndpointState.UNREACHABLE):
            warning = endpoint_warning(endpoint)
            raise Conflict(warning.text if warning else "", state=each.state)
    pending = Target.objects.filter(endpoint=endpoint, looked_at=None, observed_at__isnull=False)
    if pending.count() >= PENDING_MOST:
        raise Conflict(_("Many readings are asked for there already; wait for these."))


def _is_young(target: Target, now: datetime) -> bool:
    """Read, or tried to, a moment ago; one that is asked for already is not."""
    return target.looked_at is not None and target.looked_at > now - YOUNG


def _ask(targets: Collection[Target]) -> Asked:
    ids = tuple(each.pk for each in targets)
    Target.objects.filter(pk__in=ids).update(looked_at=None)
    for target_id in ids:
        transaction.on_commit(partial(wake, OBSERVE_TASK, target_id=target_id), robust=True)
    # The database's clock dates readings, so it dates the asking.
    at = Target.objects.filter(pk=ids[0]).values_list(Now(), flat=True).get()
    return Asked(ids, at)
