"""Service accounts: programs of a project or a unit. Kept by people, never by a token."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from projects.actions import service_accounts
from projects.models import Project, ServiceAccount, Unit
from projects.queries.service_accounts import live_counts, visible_accounts
from projects.queries.viewers import Viewer, visible_projects

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, Slug, YesNoInAddress
from .pages import answer_page, page_of
from .scopes import Needs, needs
from .shapes.requests import NothingInput
from .shapes.tokens import ServiceAccountInput, ServiceAccountSerializer
from .versions import tagged, text_matched

TAG = "tokens"


class ServiceAccountFilters(Filters):
    project = Slug(required=False)
    unit = Slug(required=False)
    closed = YesNoInAddress(default=False, help_text="Those that are closed, instead.")


@needs(Needs.A_PERSON)
@shows("own")
@operation(
    "list_service_accounts", "List the service accounts you may see",
    answers=page_of(ServiceAccountSerializer, "id", "-id"), refuses=LIST, tag=TAG,
    filters=[ServiceAccountFilters],
    about="Of projects that you see, of units that you decide, fund or audit in, and your own.",
)  # fmt: skip
@operation(
    "make_service_account", "Make a service account", method="POST", body=ServiceAccountInput,
    answers=ServiceAccountSerializer, status=201, refuses=WRITE, tag=TAG,
    about="For owners and managers of the project; in a unit for who decides or funds there. Its "
    "owner is who makes it. Not by a token.",
)  # fmt: skip
@api_view(["GET", "POST"])
def account_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if request.method == "POST":
        sent = body(request, ServiceAccountInput)
        place = _place(viewer, sent)
        made = service_accounts.make(
            place=place, name=sent["name"], purpose=sent["purpose"], actor=viewer.user,
            now=viewer.now,
        )  # fmt: skip
        return _told(made, viewer, status=201)
    asked = filters(request, ServiceAccountFilters)
    rows = visible_accounts(viewer).filter(closed_at__isnull=not asked["closed"])
    if "project" in asked:
        rows = rows.filter(project__slug=asked["project"])
    if "unit" in asked:
        rows = rows.filter(unit__slug=asked["unit"])
    return answer_page(
        request, rows, ServiceAccountSerializer,
        context=lambda page: {"live": live_counts(list(page), viewer.now)},
    )  # fmt: skip


@shows("project")
@operation(
    "get_service_account", "Show a service account", answers=ServiceAccountSerializer,
    refuses=READ, tag=TAG, etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def account_detail(request: Request, public_id: UUID) -> Response:
    viewer = viewer_in(request)
    return _told(one(visible_accounts(viewer), public_id=public_id), viewer)


@needs(Needs.A_PERSON)
@shows("ask")
@operation(
    "take_over_service_account", "Become the owner of a service account", method="POST",
    body=NothingInput, answers=ServiceAccountSerializer, refuses=WRITE, tag=TAG,
    etag=Etag.CHECKS,
    about="From then on it acts in your name; its tokens end, as others know their secrets. For "
    "those who may make one there. Not by a token.",
)  # fmt: skip
@api_view(["POST"])
def account_take_over(request: Request, public_id: UUID) -> Response:
    viewer, found, seen = _changed(request, public_id)
    done = service_accounts.take_over(
        account=found, version=seen, actor=viewer.user, now=viewer.now
    )
    return _told(done, viewer)


@needs(Needs.A_PERSON)
@shows("close service account")
@operation(
    "close_service_account", "Close a service account for good", method="POST",
    body=NothingInput, answers=ServiceAccountSerializer, refuses=WRITE, tag=TAG,
    etag=Etag.CHECKS,
    about="Its tokens end at once. For its owner, those who may make one there, and operators. "
    "Not by a token.",
)  # fmt: skip
@api_view(["POST"])
def account_close(request: Request, public_id: UUID) -> Response:
    viewer, found, seen = _changed(request, public_id)
    done = service_accounts.close(account=found, version=seen, actor=viewer.user, now=viewer.now)
    return _told(done, viewer)


def _changed(request: Request, public_id: UUID) -> tuple[Viewer, ServiceAccount, str | None]:
    """Who changes which account, and the version of it that If-Match says they saw."""
    viewer = viewer_in(request)
    found = one(visible_accounts(viewer), public_id=public_id)
    body(request, NothingInput)
    return viewer, found, text_matched(request, found.version)


def _place(viewer: Viewer, sent: dict[str, Any]) -> Project | Unit:
    """The project that the person may see, or the unit, whose names are everybody's."""
    if "project" in sent:
        seen = visible_projects(viewer).select_related("unit")
        project = seen.filter(slug=sent["project"]).first()
        if project is None:
            raise NotVisible(_("There is no such project."))
        return project
    return one(Unit.objects.all(), slug=sent["unit"])


def _told(account: ServiceAccount, viewer: Viewer, *, status: int = 200) -> Response:
    context = {"live": live_counts([account], viewer.now)}
    told = ServiceAccountSerializer(account, context=context).data
    return tagged(told, account.version, status=status)
