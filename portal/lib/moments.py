"""How a moment or a day is said: as an age, short, or exact; in the reader's zone.

The zone is the one Django has active, the language too; `now` is always given.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.dateformat import DateFormat, re_escaped, re_formatchars
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.lib.words import words_key

MINUTE, HOUR, DAY = 60, 3600, 86400
_A_WHILE = 100 * DAY
# Moments that are said again and again: a queue is looked at all day, by many, row by row.
_KEPT = 2048


class Reader(NamedTuple):
    """Whom moments are said to: what words are kept for, and the zone. Asked for once where
    hundreds are said, as Django looks long for either.
    """

    key: Any
    zone: tzinfo

    @classmethod
    def of_now(cls) -> "Reader":
        """The one for whom language and zone are active."""
        return cls(words_key(), timezone.get_current_timezone())


def _written(value: date, form: str) -> str:
    """As Django's `date_format`, by a form that is taken apart once: a page has hundreds."""
    said = DateFormat(value)
    return "".join(
        [str(getattr(said, each)()) if is_mark else each for is_mark, each in _marks(form)]
    )


@cache
def _marks(form: str) -> tuple[tuple[bool, str], ...]:
    """The form's letters that stand for something, and what stands between them."""
    parts = enumerate(re_formatchars.split(form))
    return tuple(
        (bool(at % 2), each if at % 2 else re_escaped.sub(r"\1", each))
        for at, each in parts
        if each
    )


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of that name; None, the site's own, where this machine does not know it."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, OSError, ValueError):
        return None


def age_words(moment: datetime, now: datetime, reader: Reader | None = None) -> str:
    """Return "just now", "2 min ago", "in a moment", "in 4 h"; after a hundred days the date."""
    seconds = round((now - moment).total_seconds())
    distance = abs(seconds)
    if distance >= _A_WHILE:
        return short_words(moment, now)
    if distance < 5:
        return _("just now") if seconds >= 0 else _("in a moment")
    key = words_key() if reader is None else reader.key
    return _away(key, _in_whole(distance), seconds > 0)


@lru_cache(maxsize=_KEPT)
def _away(_key: Any, distance: int, is_past: bool) -> str:
    """Kept for each language; distances come in whole units, so there are few."""
    span = _span(distance)
    return _("%(span)s ago") % {"span": span} if is_past else _("in %(span)s") % {"span": span}


def short_words(moment: datetime, now: datetime) -> str:
    """Return "today 08:02", "12 Nov 03:10" in this year, "3 Mar 2021" in others."""
    local, today = timezone.localtime(moment), timezone.localtime(now)
    if local.date() == today.date():
        return _("today %(time)s") % {"time": _written(local, "H:i")}
    if local.year != today.year:
        return full_day_words(local.date())
    return _short_said(words_key(), timezone.get_current_timezone(), moment.astimezone(UTC))


@lru_cache(maxsize=_KEPT)
def _short_said(_key: Any, zone: tzinfo, moment: datetime) -> str:
    form = pgettext("format of a date", "j M H:i")
    return _written(timezone.localtime(moment, zone), form)


def exact_words(moment: datetime) -> str:
    """Return "Tue 17 Nov 2026, 08:02:11 CET"."""
    form = pgettext("format of a date", "D j M Y, H:i:s T")
    return _written(timezone.localtime(moment), form)


def minute_words(moment: datetime, reader: Reader | None = None) -> str:
    """Return "Tue 17 Nov 2026, 08:02 CET": exact enough for a sentence."""
    # As UTC: of one zone the two moments of an hour that comes twice would be equal.
    key, zone = reader or Reader.of_now()
    return _minute_said(key, zone, moment.astimezone(UTC))


@lru_cache(maxsize=_KEPT)
def _minute_said(_key: Any, zone: tzinfo, moment: datetime) -> str:
    """Kept for each language and zone of readers."""
    form = pgettext("format of a date", "D j M Y, H:i T")
    return _written(timezone.localtime(moment, zone), form)


def day_words(day: date, now: datetime) -> str:
    """Return "30 Nov" in this year, "31 Mar 2027" in others."""
    if day.year == timezone.localtime(now).year:
        return short_day_words(day)
    return full_day_words(day)


def short_day_words(day: date) -> str:
    """Return "30 Nov"."""
    return _short_day_said(words_key(), day)


@lru_cache(maxsize=_KEPT)
def _short_day_said(_key: Any, day: date) -> str:
    return _written(day, pgettext("format of a date", "j M"))


def full_day_words(day: date) -> str:
    """Return "30 Nov 2026"."""
    return _full_day_said(words_key(), day)


@lru_cache(maxsize=_KEPT)
def _full_day_said(_key: Any, day: date) -> str:
    return _written(day, pgettext("format of a date", "j M Y"))


def last_day(ends_at: datetime) -> date:
    """The last day on which something holds that ends at a moment."""
    return timezone.localtime(ends_at - timedelta(microseconds=1)).date()


def span_words(span: timedelta) -> str:
    """Return "40 s", "3 min", "2 h": how long something took or will take."""
    return _span(max(0, round(span.total_seconds())))


def _span(seconds: int) -> str:
    count = {"count": seconds // _unit_of(seconds)}
    if seconds < MINUTE:
        return _("%(count)d s") % count
    if seconds < HOUR:
        return _("%(count)d min") % count
    if seconds < 2 * DAY:
        return _("%(count)d h") % count
    return _("%(count)d d") % count


def _in_whole(seconds: int) -> int:
    """As much of it as `_span` says."""
    return seconds - seconds % _unit_of(seconds)


def _unit_of(seconds: int) -> int:
    """The seconds of the unit that so many seconds are said in."""
    if seconds < MINUTE:
        return 1
    if seconds < HOUR:
        return MINUTE
    return HOUR if seconds < 2 * DAY else DAY
