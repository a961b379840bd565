"""The rows that a request can be made of: what a project has, uses and could get."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf
from portal.lib.together import Part, Rows, Values
from projects.models import GroupMembership, Membership, Project, User, in_force
from projects.queries.viewers import Viewer
from projects.states import ROLES_THAT_ASK, ProjectState
from quotas.models import Account, Offering, Preset, QuotaRequest, Region

from .accounts import balances
from .figure_reading import Seen
from .figures import Figures, LimitRow, PartRow
from .preview import Room, pending_numbers, rooms_of


@dataclass(frozen=True)
class AskRow:
    """One offering as a row of the form. `where` names what the use is of."""

    offering: Offering
    quota: int
    seen: Seen | None
    limit: int
    where: str
    room: Room
    pending_number: int | None

    @property
    def key(self) -> str:
        return self.offering.slug

    @property
    def unit(self) -> str:
        return self.offering.resource.unit

    @property
    def quota_unit(self) -> str:
        """Of what the project has and wants."""
        return self.offering.resource.quota_unit


def askable_projects(viewer: Viewer) -> list[Project]:
    """The active projects that a person may ask for, by name."""
    held = Membership.objects.filter(in_force(viewer.now), viewer.own(), role__in=ROLES_THAT_ASK)
    return list(
        Project.objects.filter(pk__in=held.values("project"), state=ProjectState.ACTIVE)
        .select_related("unit")
        .order_by("name")
    )


EARLIER = 3


def earlier_requests(project: Project) -> list[QuotaRequest]:
    """The last requests of a project that were sent: what a new one may begin from."""
    sent = QuotaRequest.objects.filter(project=project, submitted_at__isnull=False)
    return list(sent.order_by("-pk")[:EARLIER])


def regions() -> list[Region]:
    """The regions with something to ask for, in their order."""
    (found,) = _regions()
    return found


@compiled
def _regions() -> list[Part]:
    offered = Offering.objects.filter(retired_at__isnull=True).values("zone__region")
    return [Rows(Region.objects.filter(pk__in=offered))]


def first_region(project: Project, known: Collection[Region]) -> Region | None:
    """Where the project has quota already, or the first of the catalogue."""
    held = set(
        project.accounts.filter(balance__gt=0).values_list("offering__zone__region", flat=True)
    )
    return next((each for each in known if each.pk in held), next(iter(known), None))


def ask_rows(
    viewer: Viewer, project: Project, region: Region | None, slugs: Collection[str] = ()
) -> list[AskRow]:
    """Everything offered in a region, and the offerings of these slugs wherever they are."""
    offerings = [
        each
        for each in _offerings()[0]
        if each.slug in slugs
        or (region is not None and each.zone.region_id == region.pk and each.retired_at is None)
    ]
    places = _places(project)
    held = balances(project)
    rooms = rooms_of(viewer, project, dict.fromkeys(offerings, 0))
    pending = pending_numbers(project)
    return [
        _row(each, held.get(each.pk, 0), places.get(each.pk), rooms[each.pk], pending.get(each.pk))
        for each in offerings
    ]


@compiled
def _offerings() -> list[Part]:
    return [Rows(Offering.objects.all(), ["resource", "zone", "zone__region"])]


def names_that_can_be(slugs: Collection[str]) -> list[str]:
    """A slug is ASCII; NUL and the like would not even be a legal text for the database."""
    return [slug for slug in slugs if slug.isascii() and slug.isprintable()]


def typed_rows(
    user: User, slug: str, slugs: Collection[str], now: datetime
) -> tuple[Project | None, list[tuple[Offering, int]]]:
    """The project of a form, and each offering that something was typed for with its quota.

    None for who has no role there by which people ask. One query.
    """
    names = names_that_can_be(slugs)
    if not names_that_can_be([slug]):
        return None, []
    projects, offerings, held, roles = _typed(user=user.pk, slug=slug, slugs=names, now=now)
    if not roles:
        return None, []
    quotas = dict(held)
    return next(iter(projects), None), [(each, quotas.get(each.pk, 0)) for each in offerings]


def offerings_named(slugs: Any) -> Rows:
    """What asks for the offerings of these slugs, an array, with what they are called by."""
    rows = Offering.objects.filter(IsAnyOf(F("slug"), slugs))
    return Rows(rows, ["resource", "zone", "zone__region"])


@compiled
def _typed(*, user: Any, slug: Any, slugs: Any, now: Any) -> list[Part]:
    groups = GroupMembership.objects.live(now).filter(user=user).values("group")
    roles = Membership.objects.live(now).filter(
        Q(user=user) | Q(group__in=groups), project__slug=slug, role__in=ROLES_THAT_ASK
    )
    return [
        Rows(Project.objects.filter(slug=slug), ["unit"]),
        offerings_named(slugs),
        Values(Account.objects.filter(project__slug=slug), ["offering", "balance"]),
        Values(roles, ["role"]),
    ]


def _places(project: Project) -> dict[int, tuple[LimitRow, PartRow, Region]]:
    """{offering id: where it counts}; of several limits the one that counts it as it is."""
    found: dict[int, tuple[LimitRow, PartRow, Region]] = {}
    for each in Figures([project]).regions(project):
        for row in each.rows:
            for part in row.parts:
                known = found.get(part.offering.pk)
                if known is None or part.factor < known[1].factor:
                    found[part.offering.pk] = (row, part, each.region)
    return found


def _row(
    offering: Offering,
    quota: int,
    place: tuple[LimitRow, PartRow, Region] | None,
    room: Room,
    pending_number: int | None,
) -> AskRow:
    """Use is the part's own where the service tells it apart, else that of the whole limit."""
    if place is None:
        return AskRow(offering, quota, None, quota, "", room, pending_number)
    row, part, region = place
    if part.seen is not None or not row.shape.is_shared:
        seen = part.seen or row.seen
        return AskRow(offering, quota, seen, part.quota, "", room, pending_number)
    return AskRow(offering, quota, row.seen, row.quota, region.name, room, pending_number)


def presets(region: Region | None) -> list[Preset]:
    """What can fill the lines of a region."""
    if region is None:
        return []
    return list(Preset.objects.filter(region=region).prefetch_related("lines__offering__resource"))
