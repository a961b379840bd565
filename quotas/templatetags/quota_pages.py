"""Words of the quota pages that need a row to be said: `{% load quota_pages %}`."""

from collections.abc import Iterable
from dataclasses import replace

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from portal.templatetags.ui import day, warns
from quotas.models import Endpoint, Limit, Loan, Target
from quotas.queries.figures import last_day
from quotas.queries.preview import Warn
from quotas.queries.troubles import Trouble
from quotas.queries.troubles import left_out_sentence as find_left_out_sentence
from quotas.queries.troubles import trouble_of as find_trouble

register = template.Library()


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
def left_out_sentence(limit: Limit) -> str:
    """`{% left_out_sentence limit %}`: that and why it is enforced nowhere."""
    return find_left_out_sentence(limit)


@register.simple_tag(takes_context=True)
def loan_day(context: Context, loan: Loan) -> SafeString:
    """`{% loan_day loan %}`: the last day of a loan."""
    return day(context, last_day(loan.ends_at))


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
