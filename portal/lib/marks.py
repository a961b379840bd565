"""The smallest marks on a page as HTML: an icon, an amount, a moment. Made for both engines.

Amounts are integers in base units with their unit ("" or "B"); words come translated.
"""

import html
from datetime import date, datetime
from functools import cache

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from portal.lib import moments
from portal.lib.amounts import (
    format_amount,
    format_change,
    format_exact,
    format_pair,
    is_said_exactly,
)
from portal.lib.bars import Bar

_HATCHED = ' fill="url(#hatch)"'


@cache
def icon(name: str) -> SafeString:
    """A drawing of the sprite that pages begin with; never alone, the word stands beside it."""
    return _html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)


def amount(value: int, unit: str = "", noun: str = "", *, beside: int | None = None) -> SafeString:
    """1.5 TiB, the exact value in the title; `beside`: the amount whose unit it is said in."""
    text = format_amount(value, unit) if beside is None else format_pair(value, beside, unit)[0]
    return _data(text, value, unit, noun)


def change(value: int, unit: str = "", noun: str = "") -> SafeString:
    """+64, −2 TiB, the exact value in the title."""
    return _data(format_change(value, unit), value, unit, noun)


def brief_change(value: int, unit: str = "", noun: str = "") -> SafeString:
    """`change` for tables of hundreds: without marks where the text says it exactly."""
    text = format_change(value, unit)
    said = f"{text}\N{NO-BREAK SPACE}{noun}" if noun else text
    if is_said_exactly(value, unit):
        return _html("{}", said)
    return _html('<span title="{}">{}</span>', format_exact(value, unit), said)


def when(moment: datetime, now: datetime) -> SafeString:
    """Today 08:02, the exact moment in the title."""
    return _time(moment, moments.short_words(moment, now))


def age(moment: datetime, now: datetime) -> SafeString:
    """2 min ago, in 4 h, the exact moment in the title."""
    return _time(moment, moments.age_words(moment, now))


def brief_age(moment: datetime, now: datetime, reader: moments.Reader) -> SafeString:
    """`age` for tables of hundreds: the moment to the minute, for people alone."""
    words = moments.age_words(moment, now, reader)
    return _html('<span title="{}">{}</span>', moments.minute_words(moment, reader), words)


def day(value: date, now: datetime) -> SafeString:
    """30 Nov, 31 Mar 2027; a moment is taken in the reader's zone."""
    plain = timezone.localtime(value).date() if isinstance(value, datetime) else value
    words = moments.day_words(plain, now)
    return _html('<time datetime="{}">{}</time>', plain.isoformat(), words)


def colon() -> str:
    """Between who and what: some languages put a space before it."""
    return pgettext("between who or what it is about and what is said", ":")


def bare_bar(shape: Bar) -> SafeString:
    """As ui/bar.jinja draws it, for tables of hundreds where the figures stand beside it."""
    # Kinds and shares are texts of our own.
    pieces = "".join(
        [
            f'<rect class="bar-{each.kind}" x="{each.x}" width="{each.width}"'
            f"{_HATCHED if each.kind == 'pending' else ''}/>"
            for each in shape.pieces
        ]
    )
    limit = f'<rect class="bar-limit" x="{shape.limit_x}"/>'
    return SafeString(f'<svg class="bar" aria-hidden="true">{pieces}{limit}</svg>')


def _data(text: str, value: int, unit: str, noun: str) -> SafeString:
    return _html(
        '<data class="amount" value="{}" title="{}">{}</data>',
        str(value),
        format_exact(value, unit),
        f"{text}\N{NO-BREAK SPACE}{noun}" if noun else text,
    )


def _time(moment: datetime, words: str) -> SafeString:
    return _html(
        '<time datetime="{}" title="{}">{}</time>',
        timezone.localtime(moment).isoformat(timespec="seconds"),
        moments.exact_words(moment),
        words,
    )


def _html(pattern: str, *texts: str) -> SafeString:
    """`format_html` for plain texts alone: a page has hundreds of these."""
    # Not by `mark_safe`, which looks for lazy ones first.
    return SafeString(pattern.format(*map(html.escape, texts)))
