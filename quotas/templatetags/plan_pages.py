"""Words of the plan's rows: `{% load plan_pages %}`."""

from dataclasses import replace

from django import template

from quotas.models import Target
from quotas.queries.plan import PlanLimit
from quotas.queries.plan_words import no_reading, project_warnings, warnings_of
from quotas.queries.preview import Warn

register = template.Library()


@register.simple_tag
def limit_warnings(row: PlanLimit, target: Target) -> list[Warn]:
    """`{% limit_warnings limit row.target as found %}`: without codes, which are for programs."""
    return [replace(each, code="") for each in warnings_of(row, target)]


@register.simple_tag
def drift_warnings(kinds: tuple[str, ...]) -> list[Warn]:
    """`{% drift_warnings row.drifts as found %}`: of the whole project."""
    return [replace(each, code="") for each in project_warnings(kinds)]


@register.simple_tag
def why_no_refresh(target: Target) -> str:
    """`{% why_no_refresh target as why %}`: empty where one can be asked for."""
    return no_reading(target)
