"""Words of the quota pages that need a row to be said: `{% load quota_pages %}`."""

from django import template
from django.template.context import Context
from django.utils.safestring import SafeString

from portal.templatetags.ui import day
from quotas.models import Endpoint, Loan, Target
from quotas.queries.figures import last_day
from quotas.queries.troubles import Trouble
from quotas.queries.troubles import trouble_of as find_trouble

register = template.Library()


@register.simple_tag
def trouble_of(endpoint: Endpoint, target: Target | None) -> Trouble | None:
    """`{% trouble_of service.endpoint service.target as trouble %}`: None where all is well."""
    return find_trouble(endpoint, target)


@register.simple_tag(takes_context=True)
def loan_day(context: Context, loan: Loan) -> SafeString:
    """`{% loan_day loan %}`: the last day of a loan."""
    return day(context, last_day(loan.ends_at))
