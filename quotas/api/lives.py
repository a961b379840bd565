"""The life of a project: its people, its end, another unit, another owner, suspended and closed.

What somebody does as part of a project asks for the scope `ask`, and for `decide` too where they
do it by their authority alone; what stops or keeps work for the site's sake for `repair`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import DomainError, Invalid, NoRoom
from projects.models import ApiToken, Project, ProjectChange, Unit, User
from projects.queries.viewers import Viewer, roles_by_project
from projects.states import TokenScope
from quotas.actions import lives, members, project_changes, project_holds
from quotas.actions.project_desk import renewable_until
from quotas.queries.lives import acts_of, going_back, hold_on, open_changes, redraws
from quotas.queries.loan_changes import with_loans

from .asked import body, filters, viewer_in, visible_project
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .pages import answer_page, page_of
from .rehearsals import rehearse, wants_plan
from .scopes import needs
from .shapes.lives import (
    ChangeSerializer,
    ExtendInput,
    HoldInput,
    HoldSerializer,
    KeepInput,
    LifeSerializer,
    MovePlan,
    OfferInput,
    OutcomeSerializer,
    ProjectActSerializer,
    ProjectMoveInput,
    WhyInput,
)
from .shapes.people import ProjectSerializer
from .shapes.requests import NothingInput
from .versions import tagged, version_matched

TAG = "projects"


@shows("project")
@operation(
    "get_life", "Show how long a project lasts", answers=LifeSerializer, refuses=READ, tag=TAG,
    about="Its last day, what keeps it from ending, what waits for somebody's yes, and what "
    "would go back today if it closed.",
)  # fmt: skip
@api_view(["GET"])
def project_life(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    shown = {
        "state": project.state, "ends_on": project.ends_on, "closes_on": project.closes_on,
        "renewable_until": renewable_until(viewer.now), "hold": hold_on(project),
        "changes": open_changes(project), "going_back": going_back(project),
    }  # fmt: skip
    return Response(LifeSerializer(shown).data)


@shows("project")
@operation(
    "list_project_acts", "List what was done with a project", tag=TAG,
    answers=page_of(ProjectActSerializer, "-id", "id"), refuses=(*LIST, 404),
)  # fmt: skip
@api_view(["GET"])
def act_list(request: Request, slug: str) -> HttpResponseBase:
    filters(request)
    project = visible_project(viewer_in(request), slug)
    return answer_page(request, acts_of(project), ProjectActSerializer)


@shows("leave")
@needs(TokenScope.ASK)
@operation(
    "leave_project", "Give up your role in a project", method="POST", body=NothingInput,
    answers=None, status=204, refuses=WRITE, tag=TAG,
    about="409 for the last owner: offer it to somebody first.",
)  # fmt: skip
@api_view(["POST"])
def project_leave(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    body(request, NothingInput)
    members.leave(project=project, actor=viewer.user, now=viewer.now)
    return Response(status=204)


@shows("change project")
@needs(TokenScope.ASK)
@operation(
    "extend_project", "Let a project last longer", method="POST", body=ExtendInput,
    answers=OutcomeSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="Done at once until `renewable_until` of get_life for an owner, and for who decides "
    "projects there (whose token has the scope `decide`, too); else `change` waits for their "
    "yes, and the end with it.",
)  # fmt: skip
@api_view(["POST"])
def project_extend(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    sent = body(request, ExtendInput)
    change = project_changes.ask_extension(
        project=project, until_on=sent["until_on"], reason=sent["reason"],
        version=_version(request, sent, project), decides=_decides(request),
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _outcome(viewer, slug, change)


@shows("change project")
@needs(TokenScope.ASK)
@operation(
    "move_project", "Put a project into another unit", method="POST", body=ProjectMoveInput,
    answers=OutcomeSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS, plan=MovePlan,
    about="What it has is drawn from there from then on. It takes the yes of who decides "
    "projects there; who does so in both units has it done at once. 409 `no_room` where an "
    "envelope has too little; `dry_run` tells of each.",
)  # fmt: skip
@api_view(["POST"])
def project_move(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    sent = body(request, ProjectMoveInput)
    unit = Unit.objects.filter(slug=sent["unit"]).first()
    if unit is None:
        raise Invalid({"unit": [_("There is no such unit.")]})

    def act() -> ProjectChange | None:
        return project_changes.ask_move(
            project=project, unit=unit, reason=sent["reason"],
            version=_version(request, sent, project), decides=_decides(request),
            actor=viewer.user, now=viewer.now,
        )  # fmt: skip

    if wants_plan(request):
        return _planned(project, unit, act)
    return _outcome(viewer, slug, act())


def _planned(project: Project, unit: Unit, act: Callable[[], ProjectChange | None]) -> Response:
    """What it would do; a shortfall is told of every offering, not of the first alone."""
    asked, refused = False, None
    try:
        asked = rehearse(act) is not None
    except NoRoom as error:
        refused = error
    plan: dict[str, Any] = {
        "is_asked": asked, "offerings": redraws(project, unit), "refused": refused,
    }  # fmt: skip
    return Response(MovePlan(plan).data)


@shows("offer")
@needs(TokenScope.ASK)
@operation(
    "offer_project", "Offer a project to a new owner", method="POST", body=OfferInput,
    answers=ChangeSerializer, status=201, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="They accept or decline, until `expires_at`.",
)  # fmt: skip
@api_view(["POST"])
def project_offer(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    sent = body(request, OfferInput)
    user = User.objects.filter(public_id=sent["person"]).first()
    if user is None:
        raise Invalid({"person": [_("There is no such person.")]})
    try:
        change = project_changes.offer(
            project=project, user=user, then=sent.get("then") or "", reason=sent["reason"],
            version=_version(request, sent, project), actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    except Invalid as error:
        raise renamed(error, user="person") from None
    return tagged(ChangeSerializer(*with_loans([change])).data, change.version, status=201)


@shows("halt project")
@needs(TokenScope.REPAIR)
@operation(
    "suspend_project", "Stop all work in a project", method="POST", body=WhyInput,
    answers=ProjectSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="It is disabled in the clouds and asks for nothing; its quota and its people stay.",
)  # fmt: skip
@api_view(["POST"])
def project_suspend(request: Request, slug: str) -> Response:
    return _live(request, slug, lives.suspend)


@shows("halt project")
@needs(TokenScope.REPAIR)
@operation(
    "resume_project", "Let a suspended project work on", method="POST", body=WhyInput,
    answers=ProjectSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
)  # fmt: skip
@api_view(["POST"])
def project_resume(request: Request, slug: str) -> Response:
    return _live(request, slug, lives.resume)


@shows("end project")
@needs(TokenScope.ASK)
@operation(
    "close_project", "Begin to close a project", method="POST", body=WhyInput,
    answers=ProjectSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="What it asks for is withdrawn. It works on until `closes_on`; then it is disabled, "
    "and what it has goes back as far as it is not in use.",
)  # fmt: skip
@api_view(["POST"])
def project_close(request: Request, slug: str) -> Response:
    return _live(request, slug, partial(lives.close, decides=_decides(request)))


@shows("end project")
@needs(TokenScope.ASK)
@operation(
    "keep_project", "Keep a closing project after all", method="POST", body=KeepInput,
    answers=ProjectSerializer, refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="Until the end of `closes_on`.",
)  # fmt: skip
@api_view(["POST"])
def project_keep(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    sent = body(request, KeepInput)
    version = _version(request, sent, project)
    lives.keep(
        project=project, ends_on=sent["ends_on"], reason=sent["reason"], version=version,
        decides=_decides(request), actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _answer(viewer, slug)


@shows("hold project")
@needs(TokenScope.REPAIR)
@operation(
    "hold_project", "Keep a project from ending", method="POST", body=HoldInput,
    answers=HoldSerializer, status=201, refuses=WRITE, tag=TAG,
    about="By operators. Nobody is told of its end as long.",
)  # fmt: skip
@api_view(["POST"])
def project_hold(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    sent = body(request, HoldInput)
    held = project_holds.hold(project=project, **sent, actor=viewer.user, now=viewer.now)
    return Response(HoldSerializer(held).data, status=201)


@shows("hold project")
@needs(TokenScope.REPAIR)
@operation(
    "release_project", "Let a project end when its day comes", method="POST", body=NothingInput,
    answers=ProjectSerializer, refuses=WRITE, tag=TAG,
)  # fmt: skip
@api_view(["POST"])
def project_release(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    body(request, NothingInput)
    project_holds.release(project=project, actor=viewer.user, now=viewer.now)
    return _answer(viewer, slug)


def _live(request: Request, slug: str, verb: Callable[..., Project]) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    sent = body(request, WhyInput)
    version = _version(request, sent, project)
    verb(
        project=project, reason=sent["reason"], version=version, actor=viewer.user, now=viewer.now
    )  # fmt: skip
    return _answer(viewer, slug)


def _version(request: Request, sent: dict[str, Any], project: Project) -> int | None:
    """Of the body, or of If-Match; None: neither asks for one."""
    in_body: int | None = sent.get("version")
    return in_body if in_body is not None else version_matched(request, project.version)


def _decides(request: Request) -> bool:
    """Whether the caller uses their authority: a token narrows what its person may do."""
    token = request.auth
    return not isinstance(token, ApiToken) or TokenScope.DECIDE in token.scopes


def renamed(error: Invalid, **names: str) -> DomainError:
    """The same, at the places where the API has what is wrong."""
    return Invalid({names.get(place, place): said for place, said in error.errors.items()})


def _answer(viewer: Viewer, slug: str) -> Response:
    project = visible_project(viewer, slug)
    roles = {"roles": roles_by_project(viewer, [project])}
    return tagged(ProjectSerializer(project, context=roles).data, project.version)


def _outcome(viewer: Viewer, slug: str, change: ProjectChange | None) -> Response:
    project = visible_project(viewer, slug)
    roles = {"roles": roles_by_project(viewer, [project])}
    waits = with_loans([change])[0] if change is not None else None
    shown = OutcomeSerializer({"project": project, "change": waits}, context=roles).data
    return tagged(shown, project.version)
