"""Others are in a group now: what follows, in the transaction of the change.

One grants to a group as one knows it; whoever joins later holds the same, by others' choice. So
who handed authority on to a group hears of whoever joins it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from projects.models import Delegation
from projects.outgoing.notices import tell_each
from projects.queries.viewers import live_delegations
from projects.states import NoticeKind

from .events import record_many

# Of a group that was filled at once the record names so many of who joined.
MOST_NAMED = 20


def members_changed(
    *, joined: Mapping[int, Collection[int]], left: Collection[int], now: datetime
) -> None:
    """Call this after memberships were written. joined: {group: ids of people}; left: groups."""
    tell_grantors(joined, now)
    changed = {group for group, people in joined.items() if people} | set(left)
    for name in settings.GROUP_STEPS if changed else ():
        import_string(name)(groups=sorted(changed), now=now)


def tell_grantors(joined: Mapping[int, Collection[int]], now: datetime) -> None:
    """Record and tell, for each live delegation of these groups: {group: ids of who joined}.

    Within the transaction of the joining; a few queries for any number of groups and people.
    """
    groups = [group for group, people in joined.items() if people]
    if not groups:
        return
    held = {
        each.pk: each
        for each in live_delegations(now)
        .filter(group__in=groups, grantor__isnull=False)
        .select_related("unit")
        .order_by("pk")
    }
    if not held:
        return
    events = record_many(
        "delegate joined",
        now=now,
        subject_kind="delegation",
        facts={pk: _facts(each, joined) for pk, each in held.items()},
        units={pk: each.unit for pk, each in held.items()},
        actors={pk: who for pk, each in held.items() if (who := _who_alone(each, joined))},
    )
    told = {}
    for event, each in zip(events, held.values(), strict=True):
        # Who joins a group that they trusted themselves knows it.
        if each.grantor_id is not None and event.actor_id != each.grantor_id:
            told[event] = [each.grantor_id]
    tell_each(told, NoticeKind.JOINED)


def _who_alone(delegation: Delegation, joined: Mapping[int, Collection[int]]) -> int | None:
    """Who joined, where one person did."""
    people = list(joined[delegation.group_id or 0])
    return people[0] if len(people) == 1 else None


def _facts(delegation: Delegation, joined: Mapping[int, Collection[int]]) -> dict[str, object]:
    people = joined[delegation.group_id or 0]
    return {
        "group": delegation.group_id,
        "joined": len(people),
        "people": sorted(people)[:MOST_NAMED],
    }
