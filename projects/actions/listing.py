"""Writing down whom and which groups a directory lists; nothing here takes anything away.

In slices, one transaction each, of rows locked by id: people go on signing in meanwhile.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from django.contrib.auth.hashers import make_password
from django.db import transaction

from portal.lib.locks import lock, lock_ids
from projects.directory.base import GroupEntry, PersonEntry
from projects.models import Group, GroupMembership, User

from .events import record_many
from .joining import members_changed
from .people import end_memberships, rename_groups

SLICE = 500
T = TypeVar("T")


def list_people(
    *, issuer: str, people: Mapping[str, PersonEntry], now: datetime
) -> tuple[dict[str, int], dict[str, int]]:
    """Make these people known, with their names and supervisors of today: {subject: entry}.

    Answers {subject: id} of all, and figures. What an entry leaves empty is kept.
    """
    made = _make_people(issuer, people)
    ids = dict(User.objects.filter(issuer=issuer).values_list("subject", "pk"))
    by_key = {each.key: ids[each.subject] for each in people.values()}
    changed = 0
    for some in slices(sorted(people)):
        with transaction.atomic():
            held = lock(User.objects.filter(issuer=issuer, subject__in=some))
            changed += _bring_up_to_date(held, people, by_key, now)
            User.objects.filter(pk__in=[each.pk for each in held]).update(listed_at=now)
    listed = {subject: ids[subject] for subject in people}
    return listed, {"people": len(people), "made": made, "changed": changed}


def list_groups(
    *, issuer: str, groups: Mapping[str, GroupEntry], now: datetime
) -> dict[str, Group]:
    """Make these groups known, by their names of today: {external id: entry}; the rows by it."""
    rows = Group.objects.filter(issuer=issuer)
    missing = sorted(groups.keys() - set(rows.values_list("external_id", flat=True)))
    for some in slices(missing):
        with transaction.atomic():
            Group.objects.bulk_create(
                [Group(issuer=issuer, external_id=x, name=groups[x].name or x) for x in some],
                ignore_conflicts=True,
            )
            made = rows.filter(external_id__in=some).values_list("pk", flat=True)
            record_many("group made", now=now, subject_kind="group", facts={pk: {} for pk in made})
    found: dict[str, Group] = {}
    for some in slices(sorted(groups)):
        with transaction.atomic():
            held = lock(rows.filter(external_id__in=some))
            rename_groups(held, {key: each.name for key, each in groups.items()}, now)
            Group.objects.filter(pk__in=[each.pk for each in held]).update(
                listed_at=now, gone_at=None
            )
        found |= {each.external_id: each for each in held}
    return found


def change_members(
    *, group: Group, joined: Collection[int], left: Collection[int], now: datetime
) -> tuple[int, int]:
    """Put people into a group, and take others out, by their ids; how many it were of each."""
    with transaction.atomic():
        lock_ids(Group.objects.filter(pk=group.pk))
        live = GroupMembership.objects.filter(group=group, ends_at__isnull=True)
        held = set(live.values_list("user", flat=True))
        comes, goes = set(joined) - held, set(left) & held
        if not comes and not goes:
            return 0, 0
        end_memberships(live.filter(user__in=goes), now)
        GroupMembership.objects.bulk_create(
            GroupMembership(group=group, user_id=pk, starts_at=now) for pk in sorted(comes)
        )
        facts = {"joined": len(comes), "left": len(goes)}
        record_many("group changed", now=now, subject_kind="group", facts={group.pk: facts})
        members_changed(joined={group.pk: comes}, left=[group.pk] if goes else [], now=now)
    return len(comes), len(goes)


def _make_people(issuer: str, people: Mapping[str, PersonEntry]) -> int:
    known = set(User.objects.filter(issuer=issuer).values_list("subject", flat=True))
    missing = sorted(people.keys() - known)
    # One that no password matches; of nobody's choice, so the same may stand in all new rows.
    password = make_password(None)
    for some in slices(missing):
        User.objects.bulk_create(
            [
                User(issuer=issuer, subject=x, name=people[x].name, mail=people[x].mail,
                     password=password)
                for x in some
            ],
            ignore_conflicts=True,
        )  # fmt: skip
    return len(missing)


def _bring_up_to_date(
    held: Sequence[User], people: Mapping[str, PersonEntry], by_key: Mapping[str, int],
    now: datetime,
) -> int:  # fmt: skip
    """Names, mail and supervisors that are others; the supervisor of who has none is taken off."""
    changed: dict[int, list[str]] = {}
    for each in held:
        entry = people[each.subject]
        said = {"name": entry.name, "mail": entry.mail}
        fields = [key for key, text in said.items() if text and text != getattr(each, key)]
        for key in fields:
            setattr(each, key, said[key])
        above = by_key.get(entry.supervisor)
        supervisor = None if above == each.pk else above
        if supervisor != each.supervisor_id:
            each.supervisor_id = supervisor
            fields.append("supervisor")
        if fields:
            changed[each.pk] = fields
    rows = [each for each in held if each.pk in changed]
    if rows:
        User.objects.bulk_update(rows, ["name", "mail", "supervisor"])
    named = {pk: [x for x in fields if x != "supervisor"] for pk, fields in changed.items()}
    told = {pk: {"fields": fields} for pk, fields in named.items() if fields}
    record_many("person changed", now=now, subject_kind="user", facts=told)
    return len(rows)


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """What is written, or asked for, in one statement each."""
    for start in range(0, len(items), SLICE):
        yield items[start : start + SLICE]
