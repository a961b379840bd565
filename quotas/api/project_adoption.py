"""A project's place in an identity service: adopt the one that has the name, or have one made."""

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from quotas.actions.project_adoption import adopt_project, recreate_project
from quotas.models import Target
from quotas.queries.repairers import readable_targets

from .asked import body, one, viewer_in
from .describe import operation
from .doors import api_view
from .operations import ACT, TAG, reader_of
from .shapes.operations import AdoptProjectInput, TargetSerializer
from .shapes.requests import NothingInput

ADOPT = {"external_id": "5f1c2ab04d3e4c1f9f1f6f1f4ad6e8aa"}


@shows("operators")
@operation(
    "adopt_project", "Adopt the project that has the name", method="POST",
    body=AdoptProjectInput, answers=TargetSerializer, refuses=(*ACT, 412), tag=TAG,
    sent=ADOPT,
    about="`name_taken_by` of the target says which it is. A worker puts Remit's tag on it; from "
    "then on its limits are what the ledger says. 409 where it is another's, 412 where another "
    "project has the name by now.",
)  # fmt: skip
@api_view(["POST"])
def target_adopt(request: Request, pk: int) -> Response:
    asked = body(request, AdoptProjectInput)
    viewer = viewer_in(request)
    if not may_operate(viewer):
        raise Forbidden(_("Only operators can adopt a project."))
    found = _target(viewer, pk)
    adopt_project(target=found, **asked, actor=viewer.user, now=viewer.now)
    return _answer(viewer, pk)


@shows("operate")
@operation(
    "recreate_project", "Make a deleted project anew", method="POST", body=NothingInput,
    answers=TargetSerializer, refuses=ACT, tag=TAG,
    about="Answers with the target of the identity endpoint. A worker looks once more whether the "
    "project is gone; only then it makes a new one, with a new id and without what it held. 409 "
    "where nothing says that it is gone.",
)  # fmt: skip
@api_view(["POST"])
def target_recreate(request: Request, pk: int) -> Response:
    body(request, NothingInput)
    viewer = viewer_in(request)
    found = recreate_project(target=_target(viewer, pk), actor=viewer.user, now=viewer.now)
    return _answer(viewer, found.pk)


def _target(viewer: Viewer, pk: int) -> Target:
    rows = readable_targets(reader_of(viewer)).select_related("project", "endpoint")
    return one(rows, pk=pk)


def _answer(viewer: Viewer, pk: int) -> Response:
    return Response(TargetSerializer(_target(viewer, pk)).data)
