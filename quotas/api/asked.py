"""Reading what a caller sent: the body or the filters, checked by a shape; rows by slug."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import NotVisible
from projects.models import Project
from projects.queries.viewers import Viewer, visible_projects
from projects.views.viewer import viewer_of

from .fields import Filters, Input

Row = TypeVar("Row", bound=Model)


def viewer_in(request: Request) -> Viewer:
    """Who asks, at the request's one moment."""
    return viewer_of(request._request)


def body(request: Request, shape: type[Input]) -> dict[str, Any]:
    """The checked values of the body; raises the framework's ValidationError (422)."""
    # Without a body there is no JSON either; the shape says what is missing.
    read = shape(data=request.data if request.data or isinstance(request.data, list) else {})
    read.is_valid(raise_exception=True)
    values: Mapping[str, Any] = read.validated_data
    return dict(values)


def filters(request: Request, shape: type[Filters] = Filters) -> dict[str, Any]:
    """The declared filters that were given."""
    read = shape(data=request.query_params.dict())
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)


def one(rows: QuerySet[Row], **by: Any) -> Row:
    """The row, or NotVisible: whether it exists for others is not told."""
    found = rows.filter(**by).first()
    if found is None:
        raise NotVisible(_("There is no such thing."))
    return found


def visible_project(viewer: Viewer, slug: str) -> Project:
    """A project that the person may see."""
    found = visible_projects(viewer).select_related("unit").filter(slug=slug).first()
    if found is None:
        raise NotVisible(_("There is no such project."))
    return found
