"""Giving people and groups a role in a project, another one, or none."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Invalid, NotVisible
from projects.models import Group, Membership, User
from projects.states import Role
from quotas.actions.members import check_names_people, set_member
from quotas.queries.holders import missing_holders
from quotas.queries.repairers import Repairs

from .asked import body, viewer_in, visible_project
from .describe import READ, WRITE, operation
from .doors import api_view
from .shapes.lives import MemberInput
from .shapes.missing import MissingMembers
from .shapes.people import Member

TAG = "projects"
SENT = {"person": "5b0f8e0e-54a5-4a39-9a0c-1f7f0c2a7d11", "role": "member", "seen": None}


def member_set(request: Request, slug: str) -> Response:
    """Give the role that the body says; answers with the membership."""
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    check_names_people(viewer, project)
    sent = body(request, MemberInput)
    holder = _holder(sent)
    seen = (sent["seen"] or "") if "seen" in sent else None
    set_member(
        project=project, role=Role(sent["role"]), **holder, seen=seen,
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    rows = Membership.objects.filter(project=project, ends_at__isnull=True, **holder)
    return Response(Member(rows.select_related("user", "group").get()).data)


@shows("ask")
@operation(
    "remove_member", "Take a role away", method="DELETE", answers=None, status=204,
    refuses=WRITE, tag=TAG,
    about="By the id of the role: whoever has another one by now keeps it (404). 409 for the "
    "last owner.",
)  # fmt: skip
@api_view(["DELETE"])
def member_detail(request: Request, slug: str, pk: int) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    check_names_people(viewer, project)
    rows = Membership.objects.filter(project=project, ends_at__isnull=True, pk=pk)
    held = rows.select_related("user", "group").first()
    if held is None:
        raise NotVisible(_("There is no such role, or it has ended."))
    set_member(
        project=project, role=None, user=held.user, group=held.group, seen=held.role,
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return Response(status=204)


@shows("project")
@operation(
    "list_missing_members", "Tell who of a project waits for a role in a cloud",
    answers=MissingMembers, refuses=READ, tag=TAG,
    about="No failure: all else goes on, and most get the role as soon as they are found.",
)  # fmt: skip
@api_view(["GET"])
def missing_members(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    repairs = Repairs(viewer)
    shown = {
        "waiting": missing_holders(project, viewer.now),
        "may_read": lambda identity: repairs.may_read_words(identity, project.unit.path),
    }
    return Response(MissingMembers(shown, context=shown).data)


def _holder(sent: dict[str, Any]) -> dict[str, Any]:
    """The person or the group that a body names."""
    if (sent["person"] is None) == (sent["group"] is None):
        raise Invalid({"person": [_("Name a person or a group, one of the two.")]})
    if sent["person"] is not None:
        user = User.objects.filter(public_id=sent["person"]).first()
        if user is None:
            raise Invalid({"person": [_("There is no such person.")]})
        return {"user": user, "group": None}
    group = Group.objects.filter(public_id=sent["group"]).first()
    if group is None:
        raise Invalid({"group": [_("There is no such group.")]})
    return {"user": None, "group": group}
