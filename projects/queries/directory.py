"""How the directory is: when it was last read as a whole, and what it was not believed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from prometheus_client.metrics_core import Metric

from portal.lib.metrics import gauge
from projects.models import DirectoryRun, Group

# The figures of `DirectoryRun.counts`, in the order in which they are told.
COUNTED = {
    "people": _("people listed"),
    "made": _("new people"),
    "changed": _("changed people"),
    "missing": _("missing people"),
    "left": _("people who left"),
    "returned": _("people who are back"),
    "failed": _("people left for the next reading"),
    "unreadable": _("entries that cannot be read"),
    "groups": _("groups listed"),
    "groups_gone": _("groups gone"),
    "group_joined": _("joined a group"),
    "group_left": _("left a group"),
}


@dataclass(frozen=True)
class DirectoryStanding:
    """What the readings say. `last`: the newest, however it ended; None: never read."""

    last: DirectoryRun | None
    people_read_at: datetime | None
    groups_read_at: datetime | None

    @property
    def is_on(self) -> bool:
        return settings.DIRECTORY is not None


def directory_standing() -> DirectoryStanding:
    """Three looks into an index."""
    runs = DirectoryRun.objects.order_by("-started_at")
    at = runs.values_list("started_at", flat=True)
    return DirectoryStanding(
        last=runs.first(),
        people_read_at=at.filter(has_all_people=True).first(),
        groups_read_at=at.filter(has_all_groups=True).first(),
    )


@dataclass(frozen=True)
class RefusedPart:
    """What a reading left as it was: `gone` of `known` would have gone at once.

    part: "people", "groups", "group", whose members they are, or "members", those of all groups.
    """

    part: str
    group: Group | None
    gone: int
    known: int


@dataclass(frozen=True)
class RunRow:
    """A reading with the names of now beside what it refused."""

    run: DirectoryRun
    refused: Sequence[RefusedPart]

    @property
    def said(self) -> list[str]:
        """What it changed, figure by figure; nothing of what is 0."""
        counts = self.run.counts
        return [f"{words}: {counts[name]}" for name, words in COUNTED.items() if counts.get(name)]


def runs() -> QuerySet[DirectoryRun]:
    """All readings, the newest first."""
    return DirectoryRun.objects.order_by("-pk")


def run_rows(found: Sequence[DirectoryRun]) -> list[RunRow]:
    """One query for any number of them."""
    ids = {part["id"] for each in found for part in each.refused if part["id"] is not None}
    groups = Group.objects.in_bulk(ids) if ids else {}
    return [
        RunRow(
            each,
            [
                RefusedPart(part["part"], groups.get(part["id"]), part["gone"], part["known"])
                for part in each.refused
            ],
        )
        for each in found
    ]


def collect_directory() -> Iterable[Metric]:
    """How old what the directory said is, whether it answers, and what waits for a yes."""
    standing, now = directory_standing(), timezone.now()
    read = {"people": standing.people_read_at, "groups": standing.groups_read_at}
    yield gauge(
        "remit_directory_age_seconds",
        "Since when the directory was read to its end; none: it never was",
        {(part,): (now - at).total_seconds() for part, at in read.items() if at is not None},
        "part",
    )
    last = standing.last
    values: dict[tuple[str, ...], float] = {}
    if standing.is_on and last is not None:
        values = {(): float(not last.error)}
    yield gauge("remit_directory_up", "0: it was not read to its end last time", values)
    yield gauge(
        "remit_directory_refused",
        "Parts of the last reading by which too many would have gone at once",
        {(): float(len(last.refused))} if last is not None else {},
    )
