"""How the directory is: when it was last read as a whole, and what it was not believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from prometheus_client.metrics_core import Metric

from portal.lib.metrics import gauge
from projects.models import DirectoryRun


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
