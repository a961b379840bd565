"""Reading what a caller sent: the body or the filters, checked by a shape; rows by slug."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import Forbidden, Invalid, NotVisible
from projects.models import Project, User
from projects.queries.people import askers_of
from projects.queries.seen_project import seen_project
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask, may_ask_for_others
from projects.views.viewer import viewer_of
from quotas.actions.asking import check_for_others
from quotas.actions.authority import barred
from quotas.models import QuotaRequest
from quotas.queries.authority import own_mandates
from quotas.queries.requests import visible_requests
from quotas.rules import may_change

from .fields import Filters, Input
from .listing import listing_in

# What every GET takes beside its filters.
ALWAYS = frozenset({"format", "fields"})

Row = TypeVar("Row", bound=Model)


def viewer_in(request: Request) -> Viewer:
    """Who asks, at the request's one moment."""
    return viewer_of(request._request)


def body(request: Request, shape: type[Input]) -> dict[str, Any]:
    """The checked values of the body; raises the framework's ValidationError (422)."""
    # Without a body the framework has an empty object, of a form perhaps: the shape says what
    # is missing. What is there and no object, `false` too, is refused as that.
    read = shape(data={} if request.data == {} else request.data)
    read.is_valid(raise_exception=True)
    values: Mapping[str, Any] = read.validated_data
    return dict(values)


def filters(request: Request, shape: type[Filters] = Filters) -> dict[str, Any]:
    """The declared filters that were given; raises Invalid for one that is there twice."""
    for name, values in request.query_params.lists():
        if len(values) > 1:
            raise Invalid({name[:60]: [_("Say this once: which of them would count?")]})
    listing = listing_in(request)
    also = ALWAYS if listing is None else ALWAYS | listing.names
    read = shape(data=request.query_params.dict(), context={"also": also})
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)


def askable_project(request: Request, viewer: Viewer) -> Project | None:
    """The project that a body names, once the person may ask for it; None: the body names none.

    Asked before the rest of the body is judged, as everywhere: who may not do a thing is
    told so, not how to write it.
    """
    slug = request.data.get("project") if isinstance(request.data, dict) else None
    if not isinstance(slug, str) or not slug.isprintable():
        return None
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)) and not may_ask_for_others(viewer, project):
        raise Forbidden(_("Only an owner or a manager of the project can ask for quota."))
    return project


def named_requester(public_id: UUID | None, project: Project, viewer: Viewer) -> User | None:
    """The person in whose name a body asks.

    Raises Forbidden for a caller who asks for nobody else, Invalid for one who may not ask.
    """
    if public_id is None:
        return None
    check_for_others(viewer, project)
    found = next((x for x in askers_of(project, viewer.now) if x.public_id == public_id), None)
    if found is None:
        words = {"project": project.name}
        sentence = _("That is no owner or manager of %(project)s.") % words
        raise Invalid({"requester": [sentence]})
    return found


def visible_request(viewer: Viewer, number: int) -> QuotaRequest:
    """A request that the person may see."""
    found = visible_requests(viewer).filter(pk=number).first()
    if found is None:
        raise NotVisible(_("There is no such request."))
    return found


def own_draft(viewer: Viewer, number: int) -> QuotaRequest:
    """A request that the person wrote; whether it is still a draft is the action's question."""
    found = visible_request(viewer, number)
    if found.requester_id != viewer.user.pk:
        raise NotVisible(_("There is no such draft."))
    return found


def changeable_request(viewer: Viewer, number: int) -> QuotaRequest:
    """A request that the person may amend, answer and withdraw."""
    found = visible_request(viewer, number)
    if not may_change(viewer, found, roles_in(viewer, found.project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))
    return found


def decidable_request(viewer: Viewer, number: int) -> QuotaRequest:
    """A request that the person may decide, as far as that does not depend on its lines."""
    found = visible_request(viewer, number)
    barred(viewer, found, own_mandates(viewer, found.project))
    return found


def one(rows: QuerySet[Row], **by: Any) -> Row:
    """The row, or NotVisible: whether it exists for others is not told."""
    found = rows.filter(**by).first()
    if found is None:
        raise NotVisible(_("There is no such thing."))
    return found


def visible_project(viewer: Viewer, slug: str) -> Project:
    """A project that the person may see."""
    found = seen_project(viewer, slug)
    if found is None:
        raise NotVisible(_("There is no such project."))
    project, _roles = found
    return project
