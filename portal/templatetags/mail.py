"""What mail templates say in words: `{% load mail %}`. They have no page around them."""

from datetime import datetime

from django import template

from portal.lib import moments

register = template.Library()


@register.filter
def minute(moment: datetime) -> str:
    """`{{ part.at|minute }}`: "Tue 17 Nov 2026, 08:02 CET"."""
    return moments.minute_words(moment)
