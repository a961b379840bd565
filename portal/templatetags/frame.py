"""What each page begins and ends with, drawn by the compiled engine: `{% load frame %}`.

As tags and not as includes: these took three times as long, on every page.
"""

from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language, get_language_info

from portal.jinja import draw
from portal.templatetags.ui import capped, moment_of, person

register = template.Library()


@register.simple_tag(takes_context=True)
def frame_nav(context: Context) -> SafeString:
    """Where the person can go from here, what waits for them, and who they are."""
    waiting = _value(context, "queue_count")
    return draw(
        "ui/nav.jinja",
        url=_url, here=context.get("here", ""), waiting=capped(waiting, 99) if waiting else "",
        is_operator=context.get("is_operator", False), find_text=context.get("find_text") or "",
        person=person(context["user"]),
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def frame_foot(context: Context) -> SafeString:
    """How the clouds are, where rules and descriptions stand, other languages, and the way out."""
    user, request = context.get("user"), context.get("request")
    return draw(
        "ui/foot.jinja",
        url=_url, cloud_state=_value(context, "cloud_state"), now=moment_of(context),
        is_known=user is not None and user.is_authenticated,
        address=request.get_full_path() if request else "",
        languages=_other_languages(), csrf_input=_csrf_input(context),
    )  # fmt: skip


def _value(context: Context, name: str) -> Any:
    """As a template has it: what can be asked for is asked."""
    found = context.get(name)
    return found() if callable(found) else found


def _url(name: str) -> str:
    return _reversed(name, get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF)


@lru_cache(maxsize=100)
def _reversed(name: str, _prefix: str, _routes: str) -> str:
    return reverse(name)


def _other_languages() -> list[tuple[str, str]]:
    here = get_language()
    return [
        (code, capfirst(get_language_info(code)["name_local"]))
        for code, _name in settings.LANGUAGES
        if code != here
    ]


def _csrf_input(context: Context) -> SafeString:
    """As `{% csrf_token %}`: nothing where no request gave one."""
    token = context.get("csrf_token")
    if not token or token == "NOTPROVIDED":  # noqa: S105 - what Django says then
        return SafeString("")
    return format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', token)
