"""Finding people and groups in an identity service by the endpoint's rule.

The id that is found stays. Who is not there, or is there twice, waits and is looked for again,
less and less often, a few at a time; nothing else waits for them.
"""

import logging
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal.lib.locks import lock
from projects.models import Group, Membership, User, in_force
from projects.states import STANDING
from quotas.actions.targets import wake_targets
from quotas.backends.base import FindBy, HolderKind, HolderRule
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.models import Endpoint, HolderHandle, Target
from quotas.queries.holders import WantedRoles
from quotas.queries.identity_rules import LookRule, rule_for
from quotas.states import Missing

from .calling import calling
from .clouds import identity_driver
from .leases import READABLE, Lease, in_seconds, may_call
from .permits import Busy

logger = logging.getLogger(__name__)

# Of one attempt at a project, and of one sweep at an endpoint.
LOOKS_AT_ONCE = 50
SWEPT_AT_ONCE = 20
# Until somebody who was not found is looked for again: doubling, up to a day.
AGAIN_SECONDS = 300
LONGEST_SECONDS = 86_400


def find_missing(lease: Lease, wanted: Collection[WantedRoles]) -> bool:
    """Look for those of a project whose time has come; True where some are left for later.

    Who came into the project since is looked for at once. Raises BackendError.
    """
    identity = lease.target.endpoint
    due = [
        (each, rule)
        for each in wanted
        if not each.is_known
        and (each.row is None or _is_due(each, each.row))
        and (rule := rule_for(identity, each.holder)) is not None
    ]
    for each, rule in due[:LOOKS_AT_ONCE]:
        value = rule.value_of(each.holder)
        found: frozenset[str] = frozenset()
        if value:
            with calling(identity):
                found = identity_driver(identity).find_holders(
                    _kind(each.holder), _driver_rule(rule), value, timeout=lease.timeout()
                )
        if store(identity, each.holder, value, found):
            wake_others(identity, each.holder, but=lease.target)
    return len(due) > LOOKS_AT_ONCE


def _is_due(each: WantedRoles, row: HolderHandle) -> bool:
    if row.next_at is None or row.looked_at is None:
        return True
    return row.next_at <= timezone.now() or each.membership.starts_at > row.looked_at


def look_again() -> None:
    """Look again for those who were not found, a few at each endpoint: the longest due first."""
    for identity in Endpoint.objects.filter(identity__isnull=True).order_by("pk"):
        rows = list(_due(identity)[:SWEPT_AT_ONCE])
        if rows and may_call(identity, *READABLE):
            _look_again(identity, rows)


def _due(identity: Endpoint) -> QuerySet[HolderHandle]:
    """Who waits there to be found, and still works in a project."""
    holder = Q(user=OuterRef("user")) | Q(group=OuterRef("group"))
    works = Membership.objects.filter(holder, in_force(timezone.now()), project__state__in=STANDING)
    rows = HolderHandle.objects.filter(Exists(works), identity=identity, next_at__lte=Now())
    return rows.select_related("user", "group").order_by("next_at", "pk")


def _look_again(identity: Endpoint, rows: Collection[HolderHandle]) -> None:
    for row in rows:
        holder = row.user or row.group
        rule = rule_for(identity, holder) if holder else None
        # Whoever comes first looks; and what fails is not tried again at once.
        own = HolderHandle.objects.filter(pk=row.pk, next_at=row.next_at)
        if not own.update(next_at=in_seconds(AGAIN_SECONDS)) or holder is None or rule is None:
            continue
        value = rule.value_of(holder)
        found: frozenset[str] = frozenset()
        try:
            if value:
                with calling(identity, observing=True):
                    found = identity_driver(identity).find_holders(
                        _kind(holder), _driver_rule(rule), value,
                        timeout=settings.CALL_TIMEOUT_SECONDS,
                    )  # fmt: skip
        except Busy:
            return
        except (BackendError, UnknownDriver) as error:
            logger.warning("nobody was looked for", extra={"error": str(error)})
            return
        if store(identity, holder, value, found):
            wake_others(identity, holder)


def store(identity: Endpoint, holder: User | Group, value: str, found: Collection[str]) -> bool:
    """Keep what was found, or why nobody was; True where they are known now.

    An id is kept for one person only: else the roles of one would be another's.
    """
    is_user = isinstance(holder, User)
    whose = {"user": holder} if is_user else {"group": holder}
    with transaction.atomic():
        # One after the other at an endpoint, so that no id is kept for two.
        lock(Endpoint.objects.filter(pk=identity.pk))
        row = HolderHandle.objects.filter(identity=identity, **whose).first()
        if row is not None and row.external_id:
            return True  # given by the site's file meanwhile, or found by another worker
        others = HolderHandle.objects.filter(
            identity=identity, external_id__in=found, user__isnull=not is_user
        )
        is_shared = bool(found) and others.exists()
        row = row or HolderHandle(identity=identity, **whose)
        row.looked_at = timezone.now()
        if len(found) == 1 and not is_shared:
            row.external_id, row.missing, row.words, row.next_at = next(iter(found)), "", "", None
            row.miss_count = 0
        else:
            row.missing, row.words = _why(value, found, is_shared=is_shared)
            seconds = min(AGAIN_SECONDS * 2 ** min(row.miss_count, 20), LONGEST_SECONDS)
            row.miss_count = min(row.miss_count + 1, 1000)
            row.next_at = row.looked_at + timedelta(seconds=seconds)
        row.save()
    return row.external_id != ""


def lose(row: HolderHandle) -> bool:
    """Forget an id that Keystone says is nobody's; False where it is not for a rule to find."""
    if row.looked_at is None:
        return False
    return bool(
        HolderHandle.objects.filter(pk=row.pk, external_id=row.external_id).update(
            external_id="", missing=Missing.ABSENT, words="", miss_count=0,
            looked_at=Now(), next_at=in_seconds(AGAIN_SECONDS),
        )
    )  # fmt: skip


def wake_others(identity: Endpoint, holder: User | Group, but: Target | None = None) -> None:
    """Have the roles given of somebody who is known now, in all projects that they work in."""
    whose = Q(user=holder) if isinstance(holder, User) else Q(group=holder)
    projects = Membership.objects.filter(whose, in_force(timezone.now())).values("project")
    targets = Target.objects.filter(endpoint=identity, project__in=projects)
    wake_targets(list(targets.exclude(pk=but.pk) if but else targets))


def _why(value: str, found: Collection[str], *, is_shared: bool) -> tuple[Missing, str]:
    if not value:
        return Missing.NAMELESS, ""
    if len(found) > 1:
        listed = sorted(found)
        return Missing.TWICE, f"{value}: {len(listed)}, {', '.join(listed[:5])}"[:500]
    return (Missing.SHARED, value[:500]) if is_shared else (Missing.ABSENT, "")


def _kind(holder: User | Group) -> HolderKind:
    return HolderKind.USER if isinstance(holder, User) else HolderKind.GROUP


def _driver_rule(rule: LookRule) -> HolderRule:
    return HolderRule(FindBy(rule.by), rule.domain_id or None, rule.provider, rule.protocol)
