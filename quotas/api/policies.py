"""Rules that grant at once: who reads them, and every verb of those who make them."""

from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.models import Delegation, Unit
from projects.queries.viewers import Viewer
from projects.rules import may_decide_somewhere, may_see_figures
from projects.states import TokenScope
from quotas.actions import policies
from quotas.actions.policies import Terms
from quotas.models import Policy, Resource, Zone
from quotas.queries.changes import changed_policies
from quotas.queries.policies import all_policies, newest_versions, rules
from quotas.queries.replay import replay
from quotas.states import PolicyState

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .scopes import needs
from .shapes.policies import (
    PolicyDetail,
    PolicyInput,
    PolicySerializer,
    ReplaySerializer,
    ReviseInput,
    SwitchOnInput,
)
from .shapes.requests import NothingInput
from .versions import tagged, version_matched, version_seen

TAG = "policies"


class PolicyFilters(Filters):
    unit = Slug(required=False)
    under = Slug(required=False, help_text="That unit and all below it.")
    state = serializers.ChoiceField(choices=PolicyState.values, required=False)


@needs(TokenScope.DELEGATE)
@shows("catalogue")
@operation(
    "list_policies", "List the rules that grant at once",
    answers=page_of(PolicySerializer, "id", "-id", changed=changed_policies),
    refuses=LIST, tag=TAG, filters=[PolicyFilters],
    about="Everybody may read them: who asks is told beforehand what they would do.",
)  # fmt: skip
@operation(
    "make_policy", "Write a rule", method="POST", body=PolicyInput, answers=PolicyDetail,
    status=201, refuses=WRITE, tag=TAG,
    about="For who decides quota for the unit; a draft at first. What goes beyond the delegation "
    "is refused; `facts` say the dimension and how far one may go.",
)  # fmt: skip
@api_view(["GET", "POST"])
def policy_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if request.method == "POST":
        return _make(request, viewer)
    asked = filters(request, PolicyFilters)
    rows = all_policies()
    if "unit" in asked:
        rows = rows.filter(unit__slug=asked["unit"])
    if "under" in asked:
        top = Unit.objects.filter(slug=asked["under"]).first()
        rows = rows.filter(unit__path__startswith=top.path) if top else rows.none()
    if "state" in asked:
        rows = rows.filter(state=asked["state"])
    return answer_page(request, rows, PolicySerializer, made=lambda page: rules(page, viewer.now))


@shows("catalogue")
@operation(
    "get_policy", "Show a rule with all its versions", answers=PolicyDetail, refuses=READ, tag=TAG,
    etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def policy_detail(request: Request, pk: int) -> Response:
    return _told(one(all_policies(), pk=pk), viewer_in(request))


@shows("figures")
@operation(
    "replay_policy", "See what a rule would have done", answers=ReplaySerializer,
    refuses=(*READ, 403), tag=TAG,
    about="Its newest version over what people decided in the last 90 days, at most 10,000 "
    "lines, on the figures of then. For who sees the unit's figures.",
)  # fmt: skip
@api_view(["GET"])
def policy_replay(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    policy = one(all_policies(), pk=pk)
    if not may_see_figures(viewer, policy.unit.path):
        raise Forbidden(_("Only who decides there sees what others decided."))
    version = newest_versions([policy])[policy.pk]
    found = replay(version, policy.unit, policy.delegation, viewer.now)
    return Response(ReplaySerializer(found, context={"version": str(version)}).data)


@needs(TokenScope.DELEGATE)
@shows("decides")
@operation(
    "revise_policy", "Let a rule say something else", method="POST", body=ReviseInput,
    answers=PolicyDetail, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
    about="For its person, who holds the delegation that it stands on. A rule that is on stays on.",
)  # fmt: skip
@api_view(["POST"])
def policy_revise(request: Request, pk: int) -> Response:
    viewer, policy = _changeable(request, pk)
    sent = body(request, ReviseInput)
    done = policies.revise(
        policy=policy, name=sent["name"], terms=_terms(sent["terms"]),
        version=version_seen(request, sent.get("version"), policy.version),
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _told(done, viewer)


@needs(TokenScope.DELEGATE)
@shows("decides")
@operation(
    "switch_on_policy", "Let a rule grant", method="POST", body=SwitchOnInput,
    answers=PolicyDetail, refuses=WRITE, tag=TAG, etag=Etag.NEEDS,
    about="For its person. What waits already is not looked at.",
)  # fmt: skip
@api_view(["POST"])
def policy_switch_on(request: Request, pk: int) -> Response:
    viewer, policy = _changeable(request, pk)
    sent = body(request, SwitchOnInput)
    done = policies.switch_on(
        policy=policy, version=version_seen(request, sent.get("version"), policy.version),
        actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _told(done, viewer)


@needs(TokenScope.DELEGATE)
@shows("decides")
@operation(
    "switch_off_policy", "Stop a rule", method="POST", body=NothingInput, answers=PolicyDetail,
    refuses=WRITE, tag=TAG, etag=Etag.CHECKS,
    about="For its person, who holds its delegation, and who holds one above that.",
)  # fmt: skip
@api_view(["POST"])
def policy_switch_off(request: Request, pk: int) -> Response:
    viewer, policy = _changeable(request, pk)
    body(request, NothingInput)
    seen = version_matched(request, policy.version)
    done = policies.switch_off(policy=policy, version=seen, actor=viewer.user, now=viewer.now)
    return _told(done, viewer)


def _make(request: Request, viewer: Viewer) -> Response:
    _must_decide(viewer)
    sent = body(request, PolicyInput)
    unit = Unit.objects.filter(slug=sent["unit"]).first()
    if unit is None:
        raise Invalid({"unit": [_("There is no such unit.")]})
    made = policies.make(
        unit=unit, name=sent["name"], terms=_terms(sent["terms"]),
        delegation=_delegation(sent["delegation"]), actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return _told(made, viewer, status=201)


def _delegation(pk: int | None) -> Delegation | None:
    if pk is None:
        return None
    found = Delegation.objects.filter(pk=pk).first() if 0 < pk < 2**63 else None
    if found is None:
        raise Invalid({"delegation": [_("You hold no such delegation.")]})
    return found


def _changeable(request: Request, pk: int) -> tuple[Viewer, Policy]:
    """Who asks, and the rule; whether it is theirs is asked inside the lock."""
    viewer = viewer_in(request)
    _must_decide(viewer)
    return viewer, one(all_policies(), pk=pk)


def _must_decide(viewer: Viewer) -> None:
    if not may_decide_somewhere(viewer):
        raise Forbidden(_("Rules are made by those who decide."))


def _terms(sent: dict[str, Any]) -> Terms:
    """The terms with their rows; raises Invalid for what there is not."""
    resource, zone = sent.pop("resource"), sent.pop("zone")
    kind = sent.pop("project_kind")
    return Terms(
        resource=_row(Resource, "resource", {"slug": resource}) if resource else None,
        zone=_zone(zone) if zone else None,
        project_kind=kind or "",
        **sent,
    )


def _zone(name: str) -> Zone:
    region, _dot, slug = name.partition(".")
    found: Zone = _row(Zone, "zone", {"region__slug": region, "slug": slug})
    return found


def _row(model: Any, field: str, by: dict[str, str]) -> Any:
    is_text = all(each.isascii() and each.isprintable() for each in by.values())
    found = model.objects.filter(**by).first() if is_text else None
    if found is None:
        raise Invalid({f"terms.{field}": [_("There is no such thing in the catalogue.")]})
    return found


def _told(policy: Policy, viewer: Viewer, *, status: int = 200) -> Response:
    rule = rules([policy], viewer.now)[0]
    versions = policy.versions.select_related("resource", "zone__region", "made_by")
    shown = PolicyDetail(rule, context={"versions": list(versions.order_by("-number"))})
    return tagged(shown.data, policy.version, status=status)
