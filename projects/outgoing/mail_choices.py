"""By which way a person gets notices of a kind by mail: at once, in the day's digest, or not.

A new kind of notice has a line in `DEFAULTS`; the page, the API and a test read it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from portal.lib.moments import zone_of
from projects.models import DigestHour, MailChoice, User
from projects.states import MailWay, NoticeKind

DEFAULTS: dict[NoticeKind, MailWay] = {
    NoticeKind.REMINDED: MailWay.AT_ONCE,
    NoticeKind.NUDGED: MailWay.AT_ONCE,
    NoticeKind.ESCALATED: MailWay.AT_ONCE,
    NoticeKind.RETURNED: MailWay.AT_ONCE,
    NoticeKind.ASKED: MailWay.AT_ONCE,
    NoticeKind.ANSWERED: MailWay.AT_ONCE,
    NoticeKind.COMMENTED: MailWay.AT_ONCE,
    NoticeKind.ENDORSED: MailWay.DIGEST,
    NoticeKind.DECIDED: MailWay.AT_ONCE,
    NoticeKind.WITHDRAWN: MailWay.DIGEST,
    NoticeKind.DEPUTY: MailWay.AT_ONCE,
    NoticeKind.DELEGATED: MailWay.AT_ONCE,
    NoticeKind.REVOKED: MailWay.AT_ONCE,
    NoticeKind.ENDS_SOON: MailWay.AT_ONCE,
    NoticeKind.ROLE: MailWay.AT_ONCE,
    NoticeKind.PROJECT: MailWay.AT_ONCE,
    NoticeKind.NAME_TAKEN: MailWay.AT_ONCE,
    NoticeKind.CHANGE_ASKED: MailWay.AT_ONCE,
    NoticeKind.CHANGE_ANSWERED: MailWay.AT_ONCE,
    NoticeKind.JOINED: MailWay.DIGEST,
    NoticeKind.LEFT: MailWay.AT_ONCE,
    NoticeKind.ANNOUNCED: MailWay.AT_ONCE,
    NoticeKind.WEBHOOK_DISABLED: MailWay.AT_ONCE,
    NoticeKind.WEBHOOK_TAKEN: MailWay.AT_ONCE,
    NoticeKind.TOKEN_ENDS: MailWay.AT_ONCE,
    NoticeKind.COVERAGE: MailWay.DIGEST,
}
# As the page puts them together; every kind is in one of these.
GROUPS: tuple[tuple[Promise, tuple[NoticeKind, ...]], ...] = (
    (
        gettext_lazy("It waits for you"),
        (
            NoticeKind.REMINDED, NoticeKind.NUDGED, NoticeKind.ESCALATED, NoticeKind.RETURNED,
            NoticeKind.NAME_TAKEN, NoticeKind.CHANGE_ASKED,
        ),
    ),
    (
        gettext_lazy("What you asked for or follow"),
        (
            NoticeKind.DECIDED, NoticeKind.ANSWERED, NoticeKind.COMMENTED, NoticeKind.ENDORSED,
            NoticeKind.WITHDRAWN, NoticeKind.ASKED,
        ),
    ),
    (
        gettext_lazy("Your projects"),
        (NoticeKind.PROJECT, NoticeKind.ROLE, NoticeKind.CHANGE_ANSWERED, NoticeKind.ANNOUNCED),
    ),
    (
        gettext_lazy("What you may decide"),
        (
            NoticeKind.DEPUTY, NoticeKind.DELEGATED, NoticeKind.REVOKED, NoticeKind.ENDS_SOON,
            NoticeKind.JOINED, NoticeKind.LEFT, NoticeKind.COVERAGE,
        ),
    ),
    (
        gettext_lazy("Your programs"),
        (NoticeKind.TOKEN_ENDS, NoticeKind.WEBHOOK_DISABLED, NoticeKind.WEBHOOK_TAKEN),
    ),
)  # fmt: skip
# What waits for its reader: such a letter is sent without gathering more.
URGENT = frozenset({
    NoticeKind.REMINDED, NoticeKind.NUDGED, NoticeKind.ESCALATED, NoticeKind.RETURNED,
    NoticeKind.NAME_TAKEN, NoticeKind.CHANGE_ASKED,
})  # fmt: skip


_DEFAULT_WAYS: dict[str, MailWay] = {str(kind): way for kind, way in DEFAULTS.items()}


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
        """Their own choice, or the default; a kind that nobody listed is told at once."""
        return self.chosen.get(kind) or _DEFAULT_WAYS.get(kind, MailWay.AT_ONCE)


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
