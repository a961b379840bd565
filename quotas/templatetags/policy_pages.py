"""Words of rules for pages: `{% load policy_pages %}`."""

from django import template

from quotas.models import PolicyVersion
from quotas.queries.policy_words import finding_words, version_words
from quotas.queries.replay import Outcome, Replayed

register = template.Library()


@register.filter
def rule_words(version: PolicyVersion) -> str:
    """`{{ version|rule_words }}`: the whole rule as one sentence."""
    return version_words(version)


@register.filter
def against(row: Replayed) -> list[str]:
    """`{% for sentence in row|against %}`: what kept, or might have kept, it from granting."""
    grants = row.outcome in (Outcome.AGREED, Outcome.OTHER)
    return [
        finding_words(each, row.decided.line.offering)
        for each in row.verdict.findings
        if not each.holds and each.is_unknown == grants
    ]
