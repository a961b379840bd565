"""Words of the quota pages that need a row to be said: `{% load quota_pages %}`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.templatetags.ui import age, day, state_of, warns
from projects.states import Power
from quotas.models import Endpoint, Limit, Loan, Region, Target, Zone
from quotas.queries.figures import last_day
from quotas.queries.preview import Warn
from quotas.queries.troubles import Trouble, held_by, shown_state
from quotas.queries.troubles import left_out_sentence as find_left_out_sentence
from quotas.queries.troubles import trouble_of as find_trouble
from quotas.states import EndpointState

register = template.Library()


@register.filter
def place(zone: Zone, region: Region | None) -> str:
    """`{{ zone|place:sheet.region }}`: with its region, unless that is what the page is about."""
    is_here = region is not None and zone.region_id == region.pk
    return zone.name if is_here else zone.place


@register.simple_tag(takes_context=True)
def trouble_of(context: Context, endpoint: Endpoint, target: Target | None) -> Trouble | None:
    """`{% trouble_of service.endpoint service.target as trouble %}`: None where all is well.

    With the service's own words only for those who may read them of the page's `project`;
    the page gives `repairs`.
    """
    found = find_trouble(endpoint, target)
    if found is None or not found.own_words:
        return found
    may_read = context["repairs"].may_read_words(endpoint, context["project"].unit.path)
    return found if may_read else replace(found, own_words="")


@register.simple_tag
def target_state(endpoint: Endpoint, state: str, plain: bool = False) -> SafeString:
    """`{% target_state endpoint target.state %}`: "waits" where the endpoint stops the work."""
    return state_of("target", shown_state(endpoint, state), plain)


@register.simple_tag(takes_context=True)
def next_try(context: Context, endpoint: Endpoint, target: Target) -> SafeString:
    """`{% next_try endpoint target %}`: when a worker takes it up next."""
    if shown_state(endpoint, target.state) == "held":
        holder = held_by(endpoint)
        is_silent = holder is not None and holder.state == EndpointState.UNREACHABLE
        words = _("once it answers") if is_silent else _("once it is open")
        return format_html('<span class="quiet">{}</span>', words)
    if target.next_try_at is None:
        return format_html('<span class="quiet">{}</span>', _("none"))
    if target.next_try_at <= context["now"]:
        return format_html("{}", _("now"))
    return age(context, target.next_try_at)


@register.simple_tag
def left_out_sentence(limit: Limit) -> str:
    """`{% left_out_sentence limit %}`: that and why it is enforced nowhere."""
    return find_left_out_sentence(limit)


@register.simple_tag(takes_context=True)
def last_day_of(context: Context, end: datetime) -> SafeString:
    """`{% last_day_of drift.ignored_until %}`: the day that ends at this moment."""
    return day(context, last_day(end))


@register.simple_tag(takes_context=True)
def loan_day(context: Context, loan: Loan) -> SafeString:
    """`{% loan_day loan %}`: the last day of a loan."""
    return day(context, last_day(loan.ends_at))


@register.filter
def power_words(powers: Iterable[str]) -> str:
    """`{{ delegation.powers|power_words }}`: "decide quota, manage members"."""
    return ", ".join(str(Power(each).label) for each in powers)


@register.simple_tag
def linked_warns(warnings: Iterable[Warn]) -> SafeString:
    """`{% linked_warns preview.warnings %}`: "#40" in a warning about that request is a link."""
    return warns(_linked(each) for each in warnings)


def _linked(warning: Warn) -> Warn:
    if warning.number is None:
        return warning
    said = f"#{warning.number}"
    url = reverse("request_detail", args=[warning.number])
    link = format_html('<a href="{}">{}</a>', url, said)
    text = conditional_escape(warning.text).replace(said, link)
    return replace(warning, text=SafeString(text))
