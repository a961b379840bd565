"""Projects that nobody owns any more, and offering one to somebody."""

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.models import User
from projects.rules import may_see_orphans
from projects.states import TokenScope
from quotas.actions.orphans import check_offers, offer_orphan
from quotas.queries.orphans import offered, orphan_rows, orphans_of, with_last_owner

from .asked import body, filters, viewer_in, visible_project
from .describe import LIST, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, YesNoInAddress
from .lives import renamed
from .pages import answer_page, page_of
from .scopes import needs
from .shapes.lives import ChangeSerializer
from .shapes.persons import OrphanOfferInput, OrphanSerializer
from .versions import tagged, version_matched

TAG = "projects"


class OrphanFilters(Filters):
    offered = YesNoInAddress(required=False, help_text="Whether somebody is asked to take it.")


@shows("orphans")
@operation(
    "list_orphans", "List projects that nobody owns any more",
    answers=page_of(OrphanSerializer, "name", "-name"), refuses=(*LIST, 403), tag=TAG,
    filters=[OrphanFilters],
    about="Of the units for which you decide projects; all for operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def orphan_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if not may_see_orphans(viewer):
        raise Forbidden(_("Projects without an owner are for operators and who decides projects."))
    asked, rows = filters(request, OrphanFilters), orphans_of(viewer)
    if "offered" in asked:
        rows = offered(rows, is_offered=asked["offered"])
    found = with_last_owner(rows, viewer.now).select_related("unit")
    return answer_page(request, found, OrphanSerializer, made=orphan_rows)


@shows("offer orphan")
@needs(TokenScope.REPAIR)
@operation(
    "offer_orphan", "Offer a project that nobody owns to somebody", method="POST",
    body=OrphanOfferInput, answers=ChangeSerializer, status=201, refuses=WRITE, tag=TAG,
    etag=Etag.CHECKS,
    about="In place of whom it is offered to now. They accept or decline, until `expires_at`. "
    "By operators and who decides projects for its unit; 409 where it has an owner.",
)  # fmt: skip
@api_view(["POST"])
def orphan_offer(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    check_offers(viewer, project)
    sent = body(request, OrphanOfferInput)
    user = User.objects.filter(public_id=sent["person"]).first()
    if user is None:
        raise Invalid({"person": [_("There is no such person.")]})
    version = sent.get("version")
    try:
        change = offer_orphan(
            project=project, user=user, reason=sent["reason"],
            version=version if version is not None else version_matched(request, project.version),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except Invalid as error:
        raise renamed(error, user="person") from None
    return tagged(ChangeSerializer(change).data, change.version, status=201)
