"""Who reads an announcement, whom one would reach, and how far one is that is being sent.

Whom it reaches is one statement (`_FOUND`), so that who is counted beforehand and who is told
are found by the same words.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL

from portal.lib.together import Values
from projects.models import GroupMembership, Membership, Notice, Project, User
from projects.queries.viewers import Viewer
from projects.states import STANDING, NoticeKind, Role
from quotas.models import (
    Account,
    Announcement,
    Contribution,
    Offering,
    Reading,
    Target,
    Zone,
)
from quotas.states import ANNOUNCED, AnnouncedTo

# Names that a preview shows, and banners that a page does.
NAMES_SHOWN = 12
BANNERS_SHOWN = 3


@dataclass(frozen=True)
class Audience:
    """To whom: the people with one of `roles` in a project that has something in `zone_ids`."""

    zone_ids: frozenset[int]
    who: str
    roles: frozenset[str]

    @classmethod
    def of(cls, announcement: Announcement) -> "Audience":
        zones = frozenset(each.pk for each in announcement.zones.all())
        return cls(zones, announcement.who, frozenset(announcement.roles))


@dataclass(frozen=True)
class Reach:
    """Whom an audience is, as counted: somebody with two roles, or zones, counts in each.

    by_role: {role: people}, by_zone: {zone id: people}; names: of the first people, by name.
    """

    count: int = 0
    by_role: Mapping[str, int] = field(default_factory=dict)
    by_zone: Mapping[int, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def more_count(self) -> int:
        """How many are not named."""
        return self.count - len(self.names)


@dataclass(frozen=True)
class Banner:
    """An announcement on top of a page; `notice` is what its reader marks as seen."""

    pk: int
    subject: str
    text: str
    notice: int


def visible_announcements(viewer: Viewer) -> QuerySet[Announcement]:
    """What was announced is for everybody; what was not, or is withdrawn, for operators."""
    rows = Announcement.objects.select_related("made_by", "sender", "event").prefetch_related(
        "zones__region"
    )
    return rows if viewer.sees_everything else rows.filter(state__in=ANNOUNCED)


def zones_called(names: Iterable[str]) -> dict[str, Zone]:
    """{"geneva.compute-a": zone} of those of the names that there are; one query."""
    wanted = set(names)
    regions = {each.partition(".")[0] for each in wanted if each.isascii() and each.isprintable()}
    rows = Zone.objects.filter(region__slug__in=regions).select_related("region")
    return {name: each for each in rows if (name := called(each)) in wanted}


def called(zone: Zone) -> str:
    """Return "geneva.compute-a"."""
    return f"{zone.region.slug}.{zone.slug}"


def reach_of(audience: Audience, now: datetime, sender: User) -> Reach:
    """Whom it would reach now if the sender sent it, who is not told; two queries."""
    sql, parameters = _found(audience, now, sender.pk, 0, None)
    by_role: dict[str, int] = {}
    by_zone: dict[int, int] = {}
    count = 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"{sql} SELECT role, zone, count(DISTINCT person) FROM found"  # noqa: S608 - our own words
            " GROUP BY GROUPING SETS ((), (role), (zone))",
            parameters,
        )
        for role, zone, people in cursor.fetchall():
            if role is not None:
                by_role[role] = people
            elif zone is not None:
                by_zone[zone] = people
            else:
                count = people
    people = recipients(audience, now, sender.pk).order_by("name", "subject", "pk")
    names = tuple(str(each) for each in people[:NAMES_SHOWN]) if count else ()
    roles = {role.value: by_role[role] for role in Role if role in by_role}
    return Reach(count, roles, by_zone, names)


def recipients(
    audience: Audience, now: datetime, sender_id: int, *, low: int = 0, high: int | None = None
) -> QuerySet[User]:
    """The people, each once; low ≤ id < high bounds a slice of them."""
    found, parameters = _found(audience, now, sender_id, low, high)
    sql = f"{found} SELECT person FROM found"  # noqa: S608 - our own words
    return User.objects.filter(pk__in=RawSQL(sql, parameters))  # noqa: S611 - our own words


def told_count(announcement: Announcement) -> int:
    """How many were told so far."""
    if announcement.event_id is None:
        return 0
    return Notice.objects.filter(event=announcement.event_id).count()


def live_banners(*, user: Any, now: Any) -> Values:
    """What stands on top of the reader's pages, as a part of a statement; see `banners_of`.

    It begins with the few announcements whose banner stands, found by an index of their own,
    so on most days it reads nothing else.
    """
    rows = Announcement.objects.filter(
        state__in=ANNOUNCED, banner_until__gt=now, event__notices__person=user,
        event__notices__read_at__isnull=True, event__notices__kind=NoticeKind.ANNOUNCED,
    )  # fmt: skip
    rows = rows.annotate(notice=F("event__notices"))
    return Values(rows.order_by("-pk")[:BANNERS_SHOWN], ("pk", "subject", "text", "notice"))


def banners_of(rows: Collection[tuple[Any, ...]]) -> list[Banner]:
    """What `live_banners` found."""
    return [Banner(*each) for each in rows]


# Somebody's project has something there: quota, or use. Of a limit that several zones share,
# use counts for those in which the project has quota, and for all where it has none.
_QUOTA = """
    SELECT account.project_id, offering.zone_id
    FROM {account} account JOIN {offering} offering ON offering.id = account.offering_id
    WHERE account.project_id IS NOT NULL AND account.balance > 0
      AND offering.zone_id = ANY(%(zones)s)
"""
_USAGE = """
    SELECT target.project_id, offering.zone_id
    FROM {reading} reading JOIN {target} target ON target.id = reading.target_id
    JOIN {contribution} fed ON fed.limit_id = reading.limit_id
    JOIN {offering} offering ON offering.id = fed.offering_id
    WHERE (reading.used > 0 OR reading.reserved > 0) AND offering.zone_id = ANY(%(zones)s)
      AND (NOT EXISTS (SELECT 1 FROM {account} account
                       JOIN {contribution} other ON other.offering_id = account.offering_id
                       WHERE other.limit_id = reading.limit_id AND account.balance > 0
                         AND account.project_id = target.project_id)
           OR EXISTS (SELECT 1 FROM {account} account
                      JOIN {contribution} other ON other.offering_id = account.offering_id
                      JOIN {offering} there ON there.id = other.offering_id
                      WHERE other.limit_id = reading.limit_id AND account.balance > 0
                        AND account.project_id = target.project_id
                        AND there.zone_id = offering.zone_id))
"""
_HOLDING = {
    AnnouncedTo.QUOTA: _QUOTA,
    AnnouncedTo.USAGE: _USAGE,
    AnnouncedTo.EITHER: f"{_QUOTA} UNION {_USAGE}",
}
_FOUND = """
WITH holding(project, zone) AS ({holding}),
held(person, role, project) AS (
    SELECT user_id, role, project_id FROM {membership}
    WHERE user_id IS NOT NULL AND role = ANY(%(roles)s)
      AND starts_at <= %(now)s AND (ends_at IS NULL OR ends_at > %(now)s)
    UNION ALL
    SELECT inside.user_id, member.role, member.project_id
    FROM {membership} member JOIN {group_membership} inside ON inside.group_id = member.group_id
    WHERE member.role = ANY(%(roles)s)
      AND member.starts_at <= %(now)s AND (member.ends_at IS NULL OR member.ends_at > %(now)s)
      AND inside.starts_at <= %(now)s AND (inside.ends_at IS NULL OR inside.ends_at > %(now)s)
),
found AS (
    SELECT DISTINCT held.person, held.role, holding.zone
    FROM holding JOIN held ON held.project = holding.project
    JOIN {project} project ON project.id = held.project AND project.state = ANY(%(states)s)
    JOIN {person} people ON people.id = held.person AND people.is_active
    WHERE held.person <> %(sender)s AND held.person >= %(low)s
      AND (%(high)s::bigint IS NULL OR held.person < %(high)s::bigint)
)
"""


_NAMED = re.compile(r"%\((\w+)\)s")


def _found(
    audience: Audience, now: datetime, sender_id: int, low: int, high: int | None
) -> tuple[str, list[Any]]:
    """The beginning of a statement that reads from `found` (person, role, zone)."""
    models = {
        "account": Account, "offering": Offering, "reading": Reading, "target": Target,
        "contribution": Contribution, "membership": Membership, "project": Project,
        "group_membership": GroupMembership, "person": User,
    }  # fmt: skip
    tables = {
        name: connection.ops.quote_name(model._meta.db_table) for name, model in models.items()
    }
    holding = _HOLDING[AnnouncedTo(audience.who)].format(**tables)
    given = {
        "zones": sorted(audience.zone_ids), "roles": sorted(audience.roles), "now": now,
        "states": [state.value for state in STANDING], "sender": sender_id, "low": low,
        "high": high,
    }  # fmt: skip
    text = _FOUND.format(holding=holding, **tables)
    # Parts of a statement of Django's have their parameters by place.
    return _NAMED.sub("%s", text), [given[name] for name in _NAMED.findall(text)]
