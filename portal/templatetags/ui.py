"""The visual kit in templates: `{% load ui %}`. Markup lives in templates/ui/ and
portal.lib.marks, logic in portal.lib.

Amounts are integers in base units with their unit ("" or "B"); labels and words come translated.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django import forms, template
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.jinja import draw
from portal.lib import marks, moments
from portal.lib.amounts import format_amount, input_text
from portal.lib.facts import known_facts
from portal.lib.folding import fold
from portal.lib.looks import look_of

register = template.Library()
WARNING = ("text", "tone", "icon", "code", "hint", "url", "id")
VAL_KINDS = ("requested", "granted", "applied", "observed")


def render(name: str, /, **context: Any) -> SafeString:
    """A component: templates/ui/<name>.jinja."""
    return draw(f"ui/{name}.jinja", **context)


def render_form(name: str, /, **context: Any) -> SafeString:
    """A part of a form, whose controls Django draws: templates/ui/<name>.html."""
    return mark_safe(render_to_string(f"ui/{name}.html", context).strip())  # noqa: S308 - Django rendered and escaped it


@register.simple_tag
def once_key() -> SafeString:
    """`{% once_key %}` in a form that is done once, however often it is sent (views/once.py)."""
    return format_html('<input type="hidden" name="once" value="{}">', secrets.token_urlsafe(16))


# Figures


@register.simple_tag
def icon(name: str) -> SafeString:
    """`{% icon "check" %}`: never alone, the word stands beside it."""
    return marks.icon(name)


@register.simple_tag
def amount(value: int, unit: str = "", noun: str = "", *, beside: int | None = None) -> SafeString:
    """`{% amount line.quota resource.unit %}`: 1.5 TiB, the exact value in the title.

    `beside` is the amount next to it: `{% amount used unit beside=limit %} of …` in its unit.
    """
    return marks.amount(value, unit, noun, beside=beside)


@register.simple_tag
def change(value: int, unit: str = "", noun: str = "") -> SafeString:
    """`{% change line.change resource.unit %}`: +64, −2 TiB."""
    return marks.change(value, unit, noun)


@register.filter
def as_input(value: int, unit: str = "") -> str:
    """`value="{{ line.quota|as_input:resource.unit }}"`: parses back to exactly the value."""
    return input_text(value, unit)


@register.filter
def plain_amount(value: int, unit: str = "") -> str:
    """`{{ value|plain_amount:unit }}`: the text alone, for attributes and titles."""
    return format_amount(value, unit)


@register.filter
def capped(count: int, most: int = 99) -> str:
    """`{{ queue_count|capped:99 }}`: "7", "99+"."""
    return str(count) if count <= most else f"{most}+"


@register.simple_tag(takes_context=True)
def val(
    context: Context,
    kind: str,
    value: int | None = None,
    unit: str = "",
    at: datetime | None = None,
) -> SafeString:
    """`{% val "requested" 192 unit %}`, `{% val "applied" at=moment %}`; observed takes both.

    Without a moment *applied* says "not yet": no check for what was not read back.
    """
    if kind not in VAL_KINDS:
        raise template.TemplateSyntaxError(f"val: {kind!r} is none of {', '.join(VAL_KINDS)}")
    return render("val", kind=kind, value=value, unit=unit, at=at, now=moment_of(context))


# Words: states, people, moments


@register.simple_tag
def state(word: str, icon: str = "info", tone: str = "", plain: bool = False) -> SafeString:
    """`{% state "escalates in 4 h" "clock" "warn" %}`; plain=True is without ground."""
    return render("state", word=word, icon_name=icon, tone=tone, plain=plain)


@register.simple_tag
def state_of(kind: str, code: str, plain: bool = False) -> SafeString:
    """`{% state_of "request" request.state %}`.

    Kinds: line, request, project, target, endpoint, room.
    """
    look = look_of(kind, str(code))
    return state(str(look.word), look.icon, look.tone, plain)


@register.simple_tag
def colon() -> str:
    """`{% person who %}{% colon %} {{ what }}`: some languages put a space before it."""
    return marks.colon()


@register.simple_tag
def person(who: Any, plain: bool = False) -> SafeString:
    """`{% person user %}`: initial and name; plain=True (prose) is the name alone."""
    return render("person", name=str(who).strip() or _("somebody (erased)"), plain=plain)


def moment_of(context: Context) -> datetime:
    """The moment of the page."""
    now = context.get("now")
    return now if isinstance(now, datetime) else timezone.now()


@register.simple_tag(takes_context=True)
def when(context: Context, moment: datetime) -> SafeString:
    """`{% when event.at %}`: "today 08:02", the exact moment in the title."""
    return marks.when(moment, moment_of(context))


@register.simple_tag(takes_context=True)
def age(context: Context, moment: datetime) -> SafeString:
    """`{% age reading.at %}`: "2 min ago", "in 4 h"."""
    return marks.age(moment, moment_of(context))


@register.filter
def span_words(span: timedelta) -> str:
    """`{{ row.elapsed|span_words }}`: "40 s", "3 min"."""
    return moments.span_words(span)


@register.simple_tag(takes_context=True)
def day(context: Context, value: date) -> SafeString:
    """`{% day line.until %}`: "30 Nov", "31 Mar 2027"; a moment is taken in the reader's zone."""
    return marks.day(value, moment_of(context))


@register.filter
def plain_day(value: date) -> str:
    """`{{ tick|plain_day }}`: "30 Nov", where there is no place for an element."""
    return moments.short_day_words(value)


@register.simple_tag(takes_context=True)
def until_day(context: Context, ends_at: datetime) -> SafeString:
    """`{% until_day delegation.ends_at %}`: the last day on which it holds; the title is exact."""
    words = moments.day_words(moments.last_day(ends_at), moment_of(context))
    exact = moments.exact_words(ends_at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', ends_at.isoformat(), exact, words
    )


# Blocks and lists


@register.simple_block_tag
def foldtable(content: str, kind: str = "", caption: str = "", id: str = "") -> SafeString:
    """`{% foldtable "quota" caption="…" %}<thead>…<tbody>…{% endfoldtable %}`.

    Adds every ARIA role and the `data-label` of each cell; nobody writes them by hand.
    """
    return render("table", rows=mark_safe(fold(content)), kind=kind, caption=caption, id=id)  # noqa: S308 - Django rendered and escaped it


@register.simple_block_tag
def notice(
    content: str, tone: str, icon: str, heading: str, level: int = 2, live: bool = False
) -> SafeString:
    """`{% notice "bad" "stop" "No room for 4 TiB" level=3 %}<p>…</p>{% endnotice %}`."""
    return render(
        "notice", body=content, tone=tone, icon_name=icon, heading=heading, level=level, live=live
    )


@register.simple_block_tag
def more(content: str, summary: str, open: bool = False, key: str = "") -> SafeString:
    """`{% more "The same as a table" %}…{% endmore %}`: a details element; `key` opens it."""
    return render("more", body=content, summary=summary, open=open, key=key)


@register.simple_tag
def step(icon: str, tone: str = "") -> SafeString:
    """`<li>{% step "stamp" "busy" %}<div class="what">…<small>…</small></div></li>`."""
    return render("step", icon_name=icon, tone=tone)


@register.simple_tag
def message_notice(message: Any) -> SafeString:
    """One of Django's messages as a notice."""
    look = look_of("message", message.level_tag)
    return render("message", message=message, look=look)


@register.simple_tag
def warns(items: Iterable[Any]) -> SafeString:
    """`{% warns warnings %}`: each with text, and maybe tone, icon, code, hint, url, id."""
    return render("warns", items=[_warning(each) for each in items])


def _warning(item: Any) -> dict[str, Any]:
    """All that is drawn of it, with nothing for what it lacks."""
    if isinstance(item, Mapping):
        return {name: item.get(name, "") for name in WARNING}
    return {name: getattr(item, name, "") for name in WARNING}


@register.simple_tag
def facts(values: Mapping[str, Any]) -> SafeString:
    """`{% facts error.facts %}`: the figures of a refusal that have a name for people."""
    return render("facts", rows=known_facts(values))


@register.simple_tag
def empty_note(
    icon: str, title: str, text: str = "", url: str = "", action: str = "", level: int = 3
) -> SafeString:
    """`{% empty_note "tray" title text url=url action=words %}`: says what to do first."""
    return render(
        "empty", icon_name=icon, title=title, text=text, url=url, action=action, level=level
    )


@register.simple_tag
def options(choices: Iterable[tuple[Any, str]], chosen: Any) -> SafeString:
    """`{% options choices chart.limit.pk %}`: of a select; choices: [(value, words)]."""
    return render("options", choices=choices, chosen=chosen)


@register.simple_tag
def pager(words: str, previous: str = "", next: str = "", label: str = "") -> SafeString:
    """`{% pager "1–50 of 213" previous=url next=url %}`; an empty url means there is none."""
    return render("pager", words=words, previous=previous, next=next, label=label or _("Pages"))


# Forms


@register.simple_tag
def field(bound: forms.BoundField, hint: str = "") -> SafeString:
    """`{% field form.reason hint="…" %}`: label, hint, control, error, tied together for ARIA."""
    if hint:
        bound.help_text = hint
    kind = bound.widget_type
    return render_form("field", field=bound, is_tick=kind == "checkbox")


@register.simple_tag
def error_summary(
    form: forms.BaseForm | None = None, extra: Iterable[Sequence[str]] = ()
) -> SafeString:
    """`{% error_summary form extra=line_errors %}`; extra: [(id of the input or "", sentence)]."""
    rows: list[tuple[str, str]] = []
    if form is not None and form.is_bound:
        rows += [("", str(error)) for error in form.non_field_errors()]
        for bound in form:
            target = bound.id_for_label or bound.auto_id or ""
            rows += [(target, _said_of(bound, str(error))) for error in bound.errors]
    rows += [(str(target), str(sentence)) for target, sentence in extra]
    return render_form("errors", rows=rows) if rows else SafeString("")


def _said_of(bound: forms.BoundField, error: str) -> str:
    return _("%(label)s: %(words)s") % {"label": bound.label, "words": error}
