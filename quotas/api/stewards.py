"""Who is offered the projects of a unit whose owners have left."""

from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Invalid
from projects.models import Unit, User
from quotas.actions.stewards import check_may_name, set_steward, steward_version

from .asked import body, one, viewer_in
from .describe import READ, WRITE, Etag, operation
from .doors import api_view
from .shapes.lives import StewardInput, StewardSerializer
from .versions import tagged, text_matched

TAG = "units"


@shows("unit settings")
@operation(
    "get_steward", "Tell who gets the projects of leavers", answers=StewardSerializer,
    refuses=READ, tag=TAG, etag=Etag.GIVES,
    about="What the unit itself says; null: the nearest unit above that names somebody counts.",
)  # fmt: skip
@operation(
    "set_steward", "Name who gets the projects of leavers", method="PUT", body=StewardInput,
    answers=StewardSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="They are offered each of them, and accept or decline.",
)  # fmt: skip
@api_view(["GET", "PUT"])
def unit_steward(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    unit = one(Unit.objects.select_related("steward"), slug=slug)
    if request.method == "PUT":
        check_may_name(viewer, unit)
        unit = set_steward(
            unit=unit, person=_person(body(request, StewardInput)["person"]),
            seen=text_matched(request, steward_version(unit)), actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    return tagged(StewardSerializer(unit).data, steward_version(unit))


def _person(public_id: UUID | None) -> User | None:
    if public_id is None:
        return None
    found = User.objects.filter(public_id=public_id).first()
    if found is None:
        raise Invalid({"person": [_("There is no such person.")]})
    return found
