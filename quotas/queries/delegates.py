"""Whom one may hand something to: people and groups found by what is typed of their names."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.search import SearchQuery
from django.db.models import Count

from projects.models import Group, GroupMembership, User
from quotas.queries.search import USER_VECTOR, prefix_query

MOST = 8
PERSON, GROUP = "person", "group"


@dataclass(frozen=True)
class Delegate:
    """A person or a group that can be chosen; `size`: how many are in the group."""

    holder: User | Group
    size: int | None = None

    @property
    def kind(self) -> str:
        return PERSON if isinstance(self.holder, User) else GROUP

    @property
    def key(self) -> str:
        """Return "person:<uuid>"."""
        return f"{self.kind}:{self.holder.public_id}"

    @property
    def detail(self) -> str:
        """What tells two of the same name apart: the name that they sign in with."""
        holder = self.holder
        return holder.subject if isinstance(holder, User) else holder.external_id


def find_delegates(
    text: str, now: datetime, *, with_groups: bool = True, without: Collection[int] = ()
) -> list[Delegate]:
    """The first active people, then groups, of that name; without: ids of people."""
    query = prefix_query(text)
    if not query:
        return []
    wanted = SearchQuery(query, config="simple", search_type="raw")
    people = (
        User.objects.filter(is_active=True).exclude(pk__in=without)
        .annotate(words=USER_VECTOR).filter(words=wanted).order_by("name", "pk")
    )  # fmt: skip
    found = [Delegate(each) for each in people[:MOST]]
    if with_groups:
        groups = list(Group.objects.filter(name__icontains=text.strip()).order_by("name")[:MOST])
        sizes = group_sizes([each.pk for each in groups], now)
        found += [Delegate(each, sizes.get(each.pk, 0)) for each in groups]
    return found


def delegate_of_key(key: str, now: datetime) -> Delegate | None:
    """The person or group of "person:<uuid>" or "group:<uuid>"; None: there is none."""
    kind, __, text = key.partition(":")
    try:
        public_id = uuid.UUID(text)
    except ValueError:
        return None
    if kind == PERSON:
        person = User.objects.filter(public_id=public_id).first()
        return Delegate(person) if person else None
    group = Group.objects.filter(public_id=public_id).first() if kind == GROUP else None
    if group is None:
        return None
    return Delegate(group, group_sizes([group.pk], now).get(group.pk, 0))


def group_sizes(ids: Collection[int], now: datetime) -> dict[int, int]:
    """{group id: how many people are in it}; one query."""
    members = GroupMembership.objects.live(now).filter(group__in=ids).order_by()
    return dict(members.values_list("group").annotate(count=Count("pk")))
