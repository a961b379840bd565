"""Who may do a verb on quota requests: pure one-liners on a Viewer, roles and a project."""

from collections.abc import Collection
from datetime import datetime

from projects.queries.viewers import Viewer
from projects.rules import has_an_interest, may_ask, may_ask_for_others, may_decide_in
from projects.states import Power, Role
from quotas.models import Policy, QuotaRequest


def may_comment(viewer: Viewer, quota_request: QuotaRequest, roles: Collection[str]) -> bool:
    """Members of the project, and those who decide for its unit."""
    return any(role != Role.READER for role in roles) or may_decide_in(
        viewer, quota_request.project
    )


def may_change(viewer: Viewer, quota_request: QuotaRequest, roles: Collection[str]) -> bool:
    """Amend, answer, withdraw: who may ask for the project, and who asked in their name."""
    return may_ask(roles) or (
        quota_request.asked_by_id == viewer.user.pk
        and may_ask_for_others(viewer, quota_request.project)
    )


def asked_by(quota_request: QuotaRequest, at: datetime) -> frozenset[int]:
    """The people (ids) behind a wish: in whose name it is, and who wrote it for them.

    None of them decides it, nor through a deputy, even once they have left the project. Who
    adopts a limit is both, and asks and decides at one moment, `at`.
    """
    if quota_request.asked_by_id is not None:
        return frozenset({quota_request.requester_id, quota_request.asked_by_id})
    if quota_request.submitted_at == at:
        return frozenset()
    return frozenset({quota_request.requester_id})


def may_decide(viewer: Viewer, quota_request: QuotaRequest, roles: Collection[str]) -> bool:
    """Holds the power for the project's unit, no role above reader there, and did not ask."""
    return (
        may_decide_in(viewer, quota_request.project)
        and not has_an_interest(roles)
        and viewer.user.pk not in asked_by(quota_request, viewer.now)
    )


def may_see_zone_fill(viewer: Viewer) -> bool:
    """How full a zone is as figures: whoever decides, funds or audits anywhere."""
    return viewer.sees_everything or bool(
        viewer.paths(Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.AUDIT)
    )


def may_switch_off(viewer: Viewer, policy: Policy) -> bool:
    """Stop a rule: its person, and whoever holds what it stands on or a link above that."""
    if viewer.place is not None and not viewer.reaches(policy.unit.path):
        return False
    chain = set(policy.delegation.chain_ids)
    return policy.person_id == viewer.user.pk or any(
        each.pk in chain and Power.DECIDE_QUOTA in each.powers for each in viewer.delegations
    )


def may_change_policy(viewer: Viewer, policy: Policy) -> bool:
    """Revise a rule or switch it on: its person, while they hold what it stands on."""
    if viewer.place is not None and not viewer.reaches(policy.unit.path):
        return False
    return policy.person_id == viewer.user.pk and any(
        each.pk == policy.delegation_id and Power.DECIDE_QUOTA in each.powers
        for each in viewer.delegations
    )
