"""Projects: what they have, who is in them, and why each number is what it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.compiled import compiled
from portal.lib.errors import NotVisible
from portal.lib.lookups import is_among
from portal.lib.together import Part, Rows
from projects.models import Membership, Project, ProjectKind, in_force
from projects.queries.sight import Reach, Sight, reach_of, values_of
from projects.queries.viewers import Viewer, roles_by_project, visible_projects
from projects.states import ProjectState, Role, TokenScope
from quotas.models import Account, Limit, Offering, Target, Transfer
from quotas.queries.changes import (
    changed_accounts,
    changed_members,
    changed_projects,
    changed_transfers,
)
from quotas.queries.figures import open_loans
from quotas.queries.history import AROUND, balances_as_of, transfers_of_quotas
from quotas.queries.limits import limit_states, states_of_limits

from .asked import filters, viewer_in, visible_project
from .cursors import Order
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, PublicId, Slug, YesNoInAddress
from .members import SENT, member_set
from .pages import answer_page, page_of
from .proposals import propose_project
from .scopes import needs
from .shapes.ledger import AccountSerializer, LimitSerializer, TransferSerializer
from .shapes.lives import MemberInput
from .shapes.people import Member, ProjectSerializer
from .shapes.projects import ProjectDetail
from .shapes.proposals import ProjectInput, ProjectPlan, ProposedProject
from .versions import tagged

TAG = "projects"


class ProjectFilters(Filters):
    unit = Slug(required=False, help_text="In this unit itself.")
    state = serializers.ChoiceField(
        choices=ProjectState.values, required=False,
        help_text="Left out: all but those that were asked for and never opened (`dropped`); "
        "with `updated_since` these too.",
    )  # fmt: skip
    kind = serializers.ChoiceField(choices=ProjectKind.values, required=False)
    ends_by = serializers.DateField(
        required=False, help_text="Whose last day is this one or an earlier one."
    )


class MemberFilters(Filters):
    person = PublicId(
        required=False, help_text="Their own role; not what they have through a group."
    )
    group = PublicId(required=False)
    role = serializers.ChoiceField(choices=Role.values, required=False)
    ended = YesNoInAddress(
        default=False, help_text="`true`: also roles that are over; who keeps a copy asks so."
    )


class MomentFilters(Filters):
    as_of = serializers.DateTimeField(
        required=False, help_text="What it was at this moment; now if left out."
    )


class UsageFilters(Filters):
    endpoint = Slug(required=False)
    region = Slug(required=False)


class TransferFilters(MomentFilters):
    offering = serializers.CharField(required=False)


@needs(TokenScope.ASK)
@shows("own")
@operation(
    "list_projects", "List the projects you may see",
    answers=page_of(
        ProjectSerializer, "slug", "-slug", "created_at", "-created_at", changed=changed_projects
    ), refuses=LIST, tag=TAG, filters=[ProjectFilters],
)  # fmt: skip
@operation(
    "propose_project", "Ask for a project with its first quota", method="POST", body=ProjectInput,
    answers=ProposedProject, status=201, refuses=WRITE, tag=TAG, plan=ProjectPlan,
    about="The project is there as `proposed`, with the caller as its owner, and in no cloud. "
    "Who decides projects and quota for its unit decides its request; the first grant opens it, "
    "and if nothing is granted it is `dropped` and its name is free again. 422 for a name that "
    "a project has, in whatever case.",
)  # fmt: skip
@api_view(["GET", "POST"])
def project_list(request: Request) -> HttpResponseBase:
    return propose_project(request) if request.method == "POST" else _list(request)


def _list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, ProjectFilters), viewer_in(request)
    rows = _narrowed(visible_projects(viewer), asked)
    if "state" not in asked and "updated_since" not in request.query_params:
        rows = rows.exclude(state=ProjectState.DROPPED)

    def first(order: Order, count: int) -> list[Project]:
        (found,) = _first(reach_of(viewer), order, count, **values_of(viewer))
        return found

    return answer_page(
        request, rows.select_related("unit"), ProjectSerializer,
        context=lambda page: _roles(viewer, page),
        first=None if asked or viewer.place else first,
    )  # fmt: skip


def _narrowed(rows: QuerySet[Project], asked: Mapping[str, Any]) -> QuerySet[Project]:
    for name, column in (
        ("unit", "unit__slug"), ("state", "state"), ("kind", "kind"), ("ends_by", "ends_on__lte"),
    ):  # fmt: skip
        if name in asked:
            rows = rows.filter(**{column: asked[name]})
    return rows


@compiled
def _first(
    reach: Reach, order: Order, count: int, /, *, user: Any, groups: Any, paths: Any, now: Any
) -> list[Part]:
    """The first of all that are listed where nothing else is asked."""
    rows = Sight(reach, user, groups, paths, now).projects.exclude(state=ProjectState.DROPPED)
    chosen = Project.objects.filter(is_among("pk", order.put(rows)[:count].values("pk")))
    return [Rows(order.put(chosen), ["unit"])]


@shows("project")
@operation(
    "get_project", "Show a project with its figures", answers=ProjectDetail, refuses=READ, tag=TAG,
    etag=Etag.GIVES,
    about="Its quota by the ledger, its limits as last written and seen, how far each service "
    "is, and what it holds on loan.",
)  # fmt: skip
@api_view(["GET"])
def project_detail(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    quota = Account.objects.filter(project=project).order_by("offering__slug")
    services = Target.objects.filter(project=project).select_related(
        "endpoint__state_by", "endpoint__identity__state_by"
    )
    context = {
        "quota": [
            {"offering": offering, "balance": balance}
            for offering, balance in quota.values_list("offering__slug", "balance")
        ],
        "limits": limit_states(project),
        "services": services.order_by("endpoint__slug"),
        "loans": open_loans([project]),
        **_roles(viewer, [project]),
    }
    return tagged(ProjectDetail(project, context=context).data, project.version)


@needs(TokenScope.ASK)
@shows("project")
@operation(
    "list_members", "List who is in a project",
    answers=page_of(Member, "id", "-id", changed=changed_members), refuses=(*LIST, 404),
    tag=TAG, filters=[MemberFilters],
)  # fmt: skip
@operation(
    "set_member", "Give a person or a group a role", method="POST", body=MemberInput,
    answers=Member, refuses=(*WRITE, 412), tag=TAG, sent=SENT,
    about="In place of the one they have. Owners name everybody, managers everybody but owners. "
    "Nobody is made an owner without their yes: offer_project; a group can be.",
)  # fmt: skip
@api_view(["GET", "POST"])
def member_list(request: Request, slug: str) -> HttpResponseBase:
    return member_set(request, slug) if request.method == "POST" else _members(request, slug)


def _members(request: Request, slug: str) -> HttpResponseBase:
    asked, viewer = filters(request, MemberFilters), viewer_in(request)
    rows = Membership.objects.filter(project=visible_project(viewer, slug))
    if not asked["ended"]:
        rows = rows.filter(in_force(viewer.now))
    for name, column in (
        ("person", "user__public_id"), ("group", "group__public_id"), ("role", "role"),
    ):  # fmt: skip
        if name in asked:
            rows = rows.filter(**{column: asked[name]})
    return answer_page(request, rows.select_related("user", "group"), Member)


@shows("project")
@operation(
    "list_accounts", "List what a project has, or had, of each offering",
    answers=page_of(AccountSerializer, "id", "-id", changed=changed_accounts),
    refuses=(*LIST, 404), tag=TAG, filters=[MomentFilters],
    about="One entry for each offering that the project ever had an account of; with `as_of` "
    "added up from the transfers until then.",
)  # fmt: skip
@api_view(["GET"])
def account_list(request: Request, slug: str) -> HttpResponseBase:
    asked, viewer = filters(request, MomentFilters), viewer_in(request)
    rows = Account.objects.filter(project=visible_project(viewer, slug))

    def at_the_moment(page: Sequence[Account]) -> list[dict[str, Any]]:
        then = balances_as_of(page, asked["as_of"]) if "as_of" in asked else None
        return [
            {
                "offering": each.offering.slug,
                "balance": each.balance if then is None else then[each.pk],
                "as_of": asked.get("as_of", viewer.now),
            }
            for each in page
        ]

    return answer_page(
        request, rows.select_related("offering"), AccountSerializer, made=at_the_moment
    )


@shows("project")
@operation(
    "list_transfers", "List why a project has what it has",
    answers=page_of(TransferSerializer, "-id", "id", changed=changed_transfers),
    refuses=(*LIST, 404), tag=TAG, filters=[TransferFilters],
    about="Every movement of its quota, the newest first, with the request, the decision and "
    "the delegation behind it; with `as_of` only those until then.",
)  # fmt: skip
@api_view(["GET"])
def transfer_list(request: Request, slug: str) -> HttpResponseBase:
    asked, viewer = filters(request, TransferFilters), viewer_in(request)
    project = visible_project(viewer, slug)
    rows = transfers_of_quotas(project.pk)
    if "offering" in asked:
        rows = rows.filter(offering=_offering(asked["offering"]))
    if "as_of" in asked:
        rows = rows.filter(at__lte=asked["as_of"])

    def first(order: Order, count: int) -> list[Transfer]:
        (found,) = _transfers(order, count, project=project.pk)
        return found

    return answer_page(request, rows, TransferSerializer, first=None if asked else first)


@compiled
def _transfers(order: Order, count: int, /, *, project: Any) -> list[Part]:
    return [Rows(order.put(transfers_of_quotas(project))[:count], AROUND)]


@shows("project")
@operation(
    "list_usage", "List what a project uses, and when that was read",
    answers=page_of(LimitSerializer, "id", "-id"), refuses=(*LIST, 404), tag=TAG,
    filters=[UsageFilters],
    about="One entry for each limit of each service: promised, written, in force and used are "
    "four values. `read_at` is how old the last three are; null: never read.",
)  # fmt: skip
@api_view(["GET"])
def usage_list(request: Request, slug: str) -> HttpResponseBase:
    asked, viewer = filters(request, UsageFilters), viewer_in(request)
    project = visible_project(viewer, slug)
    rows = Limit.objects.select_related("endpoint")
    for name, column in (("endpoint", "endpoint__slug"), ("region", "endpoint__region__slug")):
        if name in asked:
            rows = rows.filter(**{column: asked[name]})
    return answer_page(
        request, rows, LimitSerializer, made=lambda page: states_of_limits(project, page)
    )


def _offering(slug: str) -> Offering:
    found = Offering.objects.filter(slug=slug).first()
    if found is None:
        raise NotVisible(_("There is no such offering."))
    return found


def _roles(viewer: Viewer, projects: Sequence[Project]) -> dict[str, Any]:
    return {"roles": roles_by_project(viewer, projects)}
