"""Asking for a project, and giving it another name while no cloud knows it by this one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.models import Group, Project, Unit, User
from projects.queries.viewers import Viewer, roles_by_project, roles_in
from projects.rules import may_ask
from projects.states import Role
from quotas.actions import opening
from quotas.actions.proposing import Proposal, propose
from quotas.actions.wishes import Wish
from quotas.models import Preset, QuotaRequest
from quotas.queries.delegates import delegate_of_key
from quotas.queries.lines import Lines
from quotas.queries.preview import preview
from quotas.queries.proposals import NOTHING_BEFORE, project_to_be, workers_of
from quotas.queries.rehearsed import rehearsed

from .asked import body, viewer_in, visible_project, visible_request
from .describe import WRITE, Etag, operation
from .doors import api_view
from .dry_run import NOT_FOR_ASKERS
from .rehearsals import rehearse, wants_plan
from .shapes.people import ProjectSerializer
from .shapes.proposals import ProjectInput, ProjectPlan, ProposedProject, RenameInput
from .versions import tagged, version_seen

TAG = "projects"


def propose_project(request: Request) -> Response:
    """Ask for a project, or tell what that would do."""
    viewer = viewer_in(request)
    proposal, wish = _read(body(request, ProjectInput), viewer)

    def act() -> QuotaRequest:
        return propose(proposal=proposal, wish=wish, actor=viewer.user, now=viewer.now)

    if wants_plan(request):
        return _planned(viewer, proposal, act)
    made = visible_request(viewer, act().pk)
    roles = {"roles": roles_by_project(viewer, [made.project])}
    context = {**roles, "request": made, "lines": Lines([made], viewer.now)}
    shape = ProposedProject(made.project, context=context)
    where = reverse("api_project", [made.project.slug], request=request)
    return tagged(shape.data, made.project.version, status=201, headers={"Location": where})


@shows("ask")
@operation(
    "rename_project", "Give a project another name", method="POST", body=RenameInput,
    answers=ProjectSerializer, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
    about="By its owners and managers, while it is proposed or a cloud refuses the name as taken; "
    "409 `conflict` once the clouds know it by this one. What was refused is tried again.",
)  # fmt: skip
@api_view(["POST"])
def project_rename(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))
    sent = body(request, RenameInput)
    opening.rename(
        project=project, name=sent["name"], actor=viewer.user, now=viewer.now,
        version=version_seen(request, sent.get("version"), project.version),
    )  # fmt: skip
    return answer_project(viewer, project)


def answer_project(viewer: Viewer, project: Project) -> Response:
    """A project as it is now, after whatever was done with it."""
    shape = ProjectSerializer(project, context={"roles": roles_by_project(viewer, [project])})
    return tagged(shape.data, project.version)


def _read(sent: dict[str, Any], viewer: Viewer) -> tuple[Proposal, Wish]:
    """What a body asks for; raises Invalid for each name of something that is not there."""
    errors: dict[str, list[str]] = {}
    unit = Unit.objects.filter(slug=sent["unit"]).first()
    if unit is None:
        errors["unit"] = [_("There is no such unit.")]
    users, groups, unknown = _holders(sent["members"], viewer)
    wanted = _presets(sent["presets"], errors) | sent["lines"]
    errors |= unknown
    if errors or unit is None:
        raise Invalid(errors)
    proposal = Proposal(
        name=sent["name"], purpose=sent["purpose"], unit=unit, description=sent["description"],
        ends_on=sent["ends_on"], users=users, groups=groups,
    )  # fmt: skip
    return proposal, Wish(wanted, sent["reason"], sent["until_on"], sent["all_or_nothing"])


def _holders(
    members: Sequence[dict[str, Any]], viewer: Viewer
) -> tuple[dict[User, Role], dict[Group, Role], dict[str, list[str]]]:
    users: dict[User, Role] = {}
    groups: dict[Group, Role] = {}
    errors: dict[str, list[str]] = {}
    for number, each in enumerate(members):
        named = each["holder"]
        found = delegate_of_key(f"{named['kind']}:{named['id']}", viewer.now)
        holder, role = found.holder if found else None, Role(each["role"])
        if holder is None:
            errors[f"members.{number}"] = [_("There is no such person or group.")]
        elif holder in users or holder in groups:
            errors[f"members.{number}"] = [_("Name each person and group once.")]
        elif isinstance(holder, User):
            users[holder] = role
        else:
            groups[holder] = role
    return users, groups, errors


def _presets(slugs: Sequence[str], errors: dict[str, list[str]]) -> dict[str, int]:
    """{offering slug: what these presets add up to}."""
    known = {
        each.slug: each
        for each in Preset.objects.filter(slug__in=slugs).prefetch_related("lines__offering")
    }
    if strange := [each for each in slugs if each not in known]:
        errors["presets"] = [_("There is no preset “%(name)s”.") % {"name": strange[0]}]
    wanted: Counter[str] = Counter()
    for each in known.values():
        wanted.update({line.offering.slug: line.increase for line in each.lines.all()})
    return dict(wanted)


def _planned(viewer: Viewer, proposal: Proposal, act: Any) -> Response:
    def run() -> dict[str, Any]:
        made = QuotaRequest.objects.select_related("project__unit").get(pk=act().pk)
        found = rehearsed(made, NOTHING_BEFORE, viewer)
        return {
            "project": made.project, "state": found.state.value, "lines": found.lines,
            "is_automatic": found.is_automatic, "limits": found.limits,
        }  # fmt: skip

    plan = rehearse(run)
    wanted = {each.line.offering: each.line.wanted for each in plan["lines"]}
    foreseen = preview(
        viewer, project_to_be(proposal.unit), wanted,
        involved=workers_of(proposal.users, proposal.groups, viewer.now),
    )  # fmt: skip
    plan["warnings"] = [each for each in foreseen.warnings if each.code not in NOT_FOR_ASKERS]
    return Response(ProjectPlan(plan, context={"is_new": True}).data)
