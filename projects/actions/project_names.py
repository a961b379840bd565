"""What a project may be called: a name is what the clouds call it, so their rules hold."""

import re
import unicodedata

from django.conf import settings
from django.db import IntegrityError
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower
from django.utils.text import slugify
from django.utils.translation import gettext as _

from portal.lib.errors import Invalid
from projects.models import Project
from projects.states import ProjectState

# Keystone's own bound; and that of our column.
MAX_NAME = 64
MAX_SLUG = 63
# Addresses of pages beside those of projects.
RESERVED = frozenset({"new"})


def clean_name(name: str) -> str:
    """The name without blanks around it; raises Invalid for `name` where it cannot be one."""
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not cleaned:
        raise Invalid({"name": [_("Give the project a name.")]})
    if len(cleaned) > MAX_NAME:
        words = {"count": len(cleaned), "most": MAX_NAME}
        raise Invalid(
            {"name": [_("%(count)s characters are too many; %(most)s is the most.") % words]}
        )
    if not re.fullmatch(settings.PROJECT_NAME_PATTERN, cleaned):
        raise Invalid({
            "name": [
                _(
                    "Begin with a letter or a digit, and use letters, digits, blanks, dots, "
                    "hyphens and underscores only."
                )
            ]
        })  # fmt: skip
    return cleaned


def refuse_taken(name: str, *, but: Project | None = None) -> None:
    """Raise Invalid where another project has the name, in whatever case.

    Also where the person may not see that project: the clouds would refuse the name anyway.
    """
    others = _others(name)
    if (others if but is None else others.exclude(pk=but.pk)).exists():
        raise taken(name)


def taken(name: str) -> Invalid:
    """The refusal of a name that a project has."""
    sentence = _("There is a project called %(name)s already; choose another name.")
    return Invalid({"name": [sentence % {"name": name}]})


def taken_meanwhile(name: str, error: IntegrityError) -> Exception:
    """What to raise where the database refused a name, or the address made of it.

    Somebody took it at the same moment; anything else is no matter of names.
    """
    said = getattr(error.__cause__, "diag", None)
    constraint = getattr(said, "constraint_name", None) or ""
    return taken(name) if "name" in constraint or "slug" in constraint else error


def free_name(name: str) -> str:
    """The name, or the first with a number after it that no project has."""
    candidate, number = name, 1
    while _others(candidate).exists():
        number += 1
        candidate = f"{name[: MAX_NAME - len(str(number)) - 1]}-{number}"
    return candidate


def _others(name: str) -> "QuerySet[Project]":
    """The projects of that name, in whatever case."""
    standing = Project.objects.exclude(state=ProjectState.DROPPED)
    return standing.alias(plain=Lower("name")).filter(plain=Lower(Value(name)))


def free_slug(name: str) -> str:
    """A slug for the name that no project has, for the addresses of its pages."""
    wanted = slugify(name)[:MAX_SLUG].strip("-_") or "project"
    begun = set(
        Project.objects.filter(slug__startswith=wanted[: MAX_SLUG - 6]).values_list(
            "slug", flat=True
        )
    )
    candidate, number = wanted, 1
    while candidate in begun | RESERVED:
        number += 1
        candidate = slug_with(wanted, str(number))
    return candidate


def slug_with(slug: str, ending: str) -> str:
    """The slug with an ending, within what a slug can hold."""
    return f"{slug[: MAX_SLUG - len(ending) - 1]}-{ending}"
