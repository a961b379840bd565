"""Bars and gauges of the visual kit: `{% load gauges %}`. Markup lives in templates/ui/.

Amounts are integers in base units with their unit ("" or "B"); labels come translated.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.lib import bar_words, bars
from portal.lib.amounts import format_amount

from .ui import render

register = template.Library()


@register.simple_tag
def bar(
    used: int,
    limit: int | None,
    *,
    unit: str = "",
    label: str = "",
    reserved: int = 0,
    pending: int = 0,
    scale: int | None = None,
    tone: str | None = None,
    words: str = "",
) -> SafeString:
    """`{% bar 288 384 unit="" label="vCPU in geneva" reserved=8 pending=64 %}`.

    It warns by itself from 90 %; tone="" keeps it calm. `words` replaces the sentence.
    """
    warns = bar_words.is_nearly_full(used, limit, reserved)
    said = words or bar_words.quota_words(
        label, used, limit, unit=unit, reserved=reserved, pending=pending
    )
    shape = bars.quota_bar(used, limit, reserved=reserved, pending=pending, scale=scale)
    return render(
        "bar", shape=shape, words=said, tone=("warn" if warns else "") if tone is None else tone
    )


@register.simple_tag
def fillbar(
    now: int, add: int, limit: int, *, unit: str = "", label: str = "", words: str = ""
) -> SafeString:
    """`{% fillbar 380 64 500 label="Envelope EP/ATLAS" %}`: now, and what a decision adds."""
    said = words or bar_words.fill_words(label, now, add, limit, unit=unit)
    return render("bar", shape=bars.fill_bar(now, add, limit), words=said, tone="")


@register.simple_tag
def parts(
    items: Iterable[Sequence[Any]], *, scale: int | None = None, unit: str = "", label: str = ""
) -> SafeString:
    """`{% parts zones unit="" label="Parts of vCPU" scale=row.scale %}`; zones: [(name, amount)].

    Without a scale the parts fill the width. Only parts that are wide enough are labelled.
    """
    pairs = [(str(name), int(value)) for name, value in items]
    whole = sum(value for _name, value in pairs) if scale is None else scale
    names = bars.short_names([name for name, _value in pairs])
    shown = [
        (f"{name} {format_amount(value, unit)}", value)
        for name, (_long, value) in zip(names, pairs, strict=True)
    ]
    return render(
        "parts",
        parts=bars.parts_bar(shown, whole),
        words=bar_words.parts_words(label, pairs, unit=unit),
    )


@register.filter
def bar_scale(row: Any) -> int:
    """`{{ row|bar_scale }}` of an object with used, limit, reserved, pending: for `parts`."""
    return bars.scale_of(row.used, row.limit, reserved=row.reserved, pending=row.pending)


@register.simple_tag
def gauge(
    label: str, figures: str, bar: str, note: str = "", tone: str = "", wide: bool = False
) -> SafeString:
    """`{% fillbar … as b %}{% gauge "Envelope" "380 → 444 of 500" b note="56 left after" %}`.

    wide=True sets label and figures on one line above the bar, for lists.
    """
    return render("gauge", label=label, figures=figures, bar=bar, note=note, tone=tone, wide=wide)


@register.simple_tag
def use_gauge(
    label: str,
    used: int,
    limit: int,
    *,
    unit: str = "",
    reserved: int = 0,
    pending: int = 0,
    note: str = "",
    wide: bool = False,
) -> SafeString:
    """`{% use_gauge "vCPU" 205 256 pending=64 wide=True %}`: bar, "205 of 256", the percentage."""
    drawn = bar(used, limit, unit=unit, label=label, reserved=reserved, pending=pending)
    figures = bar_words.fill_figures(used, 0, limit, unit=unit)
    said = note or (_("%(share)d %%") % {"share": used * 100 // limit} if limit else "")
    return gauge(label, figures, drawn, note=said, wide=wide)


@register.simple_tag
def fill_gauge(
    label: str,
    now: int,
    add: int,
    limit: int,
    *,
    unit: str = "",
    note: str = "",
    figures: str = "",
) -> SafeString:
    """`{% fill_gauge "Your remit this year" 80 64 200 note="120 → 56 left" %}`."""
    said = figures or bar_words.fill_figures(now, add, limit, unit=unit)
    return gauge(label, said, fillbar(now, add, limit, unit=unit, label=label), note=note)


@register.simple_tag
def progress(done: int, total: int, label: str) -> SafeString:
    """`{% progress 2 3 label="Delivery: 2 of 3 limits applied" %}`."""
    return render("progress", done=done, total=total, label=label)
