"""What several pages share: looking things up as the reader may see them, and paging."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from portal.lib.errors import NotVisible
from projects.models import Project
from projects.queries.seen_project import seen_project
from projects.queries.viewers import Viewer
from quotas.models import Offering, QuotaRequest
from quotas.queries.requests import visible_requests

PAGE_SIZE = 25
MAX_PAGE = 10_000
_SLUG = re.compile(r"[A-Za-z0-9._-]{1,125}", re.ASCII)
Row = TypeVar("Row", bound=Model)


def is_slug(text: str) -> bool:
    """Whether a text could be a slug at all; others must not reach the database (NUL)."""
    return _SLUG.fullmatch(text) is not None


def visible_project(viewer: Viewer, slug: str) -> Project:
    """The project, or NotVisible."""
    return seen_with_roles(viewer, slug)[0]


def seen_with_roles(viewer: Viewer, slug: str) -> tuple[Project, frozenset[str]]:
    """The project and the person's roles in it, or NotVisible; one query."""
    found = seen_project(viewer, slug) if is_slug(slug) else None
    if found is None:
        raise NotVisible(_("There is no such project, or it is not for you to see."))
    return found


def visible_request(viewer: Viewer, number: int) -> QuotaRequest:
    """The request, or NotVisible; a draft is its writer's alone."""
    found = visible_requests(viewer).filter(pk=number).first()
    if found is None:
        raise NotVisible(_("There is no such request, or it is not for you to see."))
    return found


def known_offering(slug: str) -> Offering:
    """The offering, retired or not, or NotVisible."""
    rows = Offering.objects.select_related("resource", "zone__region")
    found = rows.filter(slug=slug).first() if is_slug(slug) else None
    if found is None:
        raise NotVisible(_("There is no such offering; the catalogue lists what there is."))
    return found


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and the addresses of those before and after."""

    rows: list[Row]
    words: str
    previous: str
    next: str

    @property
    def has_others(self) -> bool:
        return bool(self.previous or self.next)


def ids_in(data: QueryDict, name: str, most: int) -> list[int]:
    """The ids that a form sent under a name, the first `most`; what can be none is passed over."""
    texts = data.getlist(name)[:most]
    return [int(each) for each in texts if each.isascii() and each.isdigit() and len(each) < 19]


def page_of(request: HttpRequest, rows: QuerySet[Row], size: int = PAGE_SIZE) -> Page[Row]:
    """The page that `?page=` names. It looks one row ahead and never counts them all."""
    text = request.GET.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    number = min(max(number, 1), MAX_PAGE)
    start = (number - 1) * size
    found = list(rows[start : start + size + 1])
    shown = found[:size]
    words = _("%(first)s–%(last)s") % {"first": start + 1, "last": start + len(shown)}
    return Page(
        rows=shown,
        words=words if shown else _("Nothing more here"),
        previous=_address(request, number - 1) if number > 1 else "",
        next=_address(request, number + 1) if len(found) > size else "",
    )


def _address(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"{request.path}?{query.urlencode()}"


def choice_of(data: Mapping[str, Any], name: str, choices: Any, default: Any) -> Any:
    """The choice that a parameter names; what is none of them is the default."""
    value = str(data.get(name, ""))
    return choices(value) if value in choices.values else default
