"""Telling people in time that an authority ends: once for each delegation."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from projects.actions.events import record
from projects.models import Delegation, Event, GroupMembership, User, in_force
from projects.outgoing.notices import tell
from projects.queries.viewers import live_delegations
from projects.states import NoticeKind
from quotas.queries.coverage import ROOT_SOON, SOON, ending_delegations

VERB = "ends soon"
BATCH = 200


def warn_of_ends(now: datetime, most: int = BATCH) -> int:
    """Tell of roots that run out within 60 days and of others that end within 30; how many.

    Of a root all who hold one and the operators are told; of another its holder and its
    grantor. What was made for no longer than that is told of by nobody. May run twice.
    """
    told = 0
    for is_root, soon in ((True, ROOT_SOON), (False, SOON)):
        with transaction.atomic():
            rows = _untold(now, soon, most, is_root=is_root)
            people = _root_people(now) if is_root and rows else set()
            members = _members({each.group_id for each in rows if each.group_id}, now)
            for each in rows:
                event = record(
                    VERB, actor=None, now=now, unit=each.unit, subject_kind="delegation",
                    subject_id=each.pk,
                )  # fmt: skip
                tell(event, people if is_root else _concerned(each, members), NoticeKind.ENDS_SOON)
        told += len(rows)
    return told


def _untold(now: datetime, soon: timedelta, most: int, *, is_root: bool) -> list[Delegation]:
    """Under lock, so that two sweeps at once tell nobody twice."""
    said = Event.objects.filter(verb=VERB, subject_kind="delegation")
    due = ending_delegations(now, soon, is_root=is_root)
    # What was never to last longer surprises nobody.
    due = due.exclude(ends_at__lte=F("starts_at") + soon)
    due = due.exclude(Exists(said.filter(subject_id=OuterRef("pk"))))
    rows = list(due.select_for_update(no_key=True, skip_locked=True, of=("self",))[:most])
    # Whoever held them before us may have told of them after our query had begun.
    before = set(
        said.filter(subject_id__in=[each.pk for each in rows]).values_list("subject_id", flat=True)
    )
    return [each for each in rows if each.pk not in before]


def _root_people(now: datetime) -> set[int]:
    roots = live_delegations(now).filter(parent__isnull=True, user__isnull=False)
    operators = User.objects.filter(is_operator=True, is_active=True)
    return {
        *roots.values_list("user", flat=True),
        *operators.values_list("pk", flat=True),
    }


def _members(groups: Collection[int], now: datetime) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    rows = GroupMembership.objects.filter(in_force(now), group__in=groups, user__is_active=True)
    for group_id, user_id in rows.values_list("group", "user"):
        found[group_id].add(user_id)
    return found


def _concerned(delegation: Delegation, members: dict[int, set[int]]) -> Iterable[int]:
    people = {delegation.user_id, delegation.grantor_id} | members.get(
        delegation.group_id or 0, set()
    )
    return {each for each in people if each is not None}
