"""By which way a person gets notices of a kind by mail: at once, in the day's digest, or not."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from portal.lib.moments import zone_of
from projects.models import DigestHour, MailChoice, User

from .mail_kinds import usual


@dataclass(frozen=True)
class Wanted:
    """What one person wants by mail: {kind: way} of what they chose; None: the site's hour."""

    chosen: Mapping[str, str]
    own_hour: int | None

    @property
    def hour(self) -> int:
        """The hour of their digest, in their own day."""
        return int(settings.MAIL_DIGEST_HOUR) if self.own_hour is None else self.own_hour

    @property
    def own_hour_text(self) -> str:
        return "" if self.own_hour is None else str(self.own_hour)

    def way(self, kind: str) -> str:
        """Their own choice, or what is usual."""
        return self.chosen.get(kind) or usual(kind).way


def wanted_by(people: Collection[int]) -> dict[int, Wanted]:
    """{id of the person: what they want}; two queries for any number of people."""
    chosen: dict[int, dict[str, str]] = defaultdict(dict)
    rows = MailChoice.objects.filter(person__in=people)
    for person, kind, way in rows.values_list("person", "kind", "way"):
        chosen[person][kind] = way
    hours = dict(DigestHour.objects.filter(person__in=people).values_list("person", "hour"))
    return {each: Wanted(chosen[each], hours.get(each)) for each in people}


def next_digest(person: User, hour: int, now: datetime) -> datetime:
    """When the person's day next has that hour; on a day that skips it, as the clock goes on."""
    zone = zone_of(person.time_zone) or timezone.get_default_timezone()
    local = now.astimezone(zone)
    at = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    if at.timestamp() <= now.timestamp():
        at = (at + timedelta(days=1)).replace(fold=0)
    return at
