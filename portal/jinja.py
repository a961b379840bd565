"""The compiled engine: what is drawn again and again on a page, as components and rows of tables.

Pages are Django templates; a `.jinja` file is drawn by one of their tags, or by a view. Both have
the same words, icons and amounts, as those are the same functions.
"""

from functools import cache
from typing import Any, cast

from django.conf import settings
from django.template import engines
from django.template.backends.jinja2 import Jinja2
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import ngettext, pgettext
from jinja2 import Environment, StrictUndefined, Template

from portal.lib import marks
from portal.lib.words import gettext

NAME = "jinja"
MARKS = (
    marks.icon, marks.amount, marks.change, marks.brief_change, marks.when, marks.age,
    marks.brief_age, marks.day, marks.colon, marks.bare_bar,
)  # fmt: skip


def environment(**options: Any) -> Environment:
    """What Django's backend is made with: no white space of tags, and no name that is not given."""
    wanted = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    made = Environment(**options | wanted)  # noqa: S701 - Django itself says autoescape
    made.globals |= {"_": gettext, "ngettext": ngettext, "pgettext": pgettext}
    named = {each.__name__: each for each in MARKS}
    made.globals |= named
    # `value|icon` is `icon(value)` without what the engine asks of whatever is called by name.
    made.filters |= named
    return made


def draw(name: str, /, **context: Any) -> SafeString:
    """A `.jinja` file without the white space around it, as it may stand within a sentence."""
    return mark_safe(_template(name).render(context).strip())  # noqa: S308 - Jinja escaped it


def _template(name: str) -> Template:
    """Looked up once for a process, past what Django does for each use of a template; while
    developing each time, as files change then."""
    return _found(name) if settings.DEBUG else _kept(name)


def _found(name: str) -> Template:
    return cast(Jinja2, engines[NAME]).env.get_template(name)


_kept = cache(_found)
