"""Who may do a verb on quota requests: pure one-liners on a Viewer, roles and a project."""

from collections.abc import Collection

from projects.queries.viewers import Viewer
from projects.rules import has_an_interest, may_decide_in
from projects.states import Power, Role
from quotas.models import QuotaRequest


def may_comment(viewer: Viewer, quota_request: QuotaRequest, roles: Collection[str]) -> bool:
    """Members of the project, and those who decide for its unit."""
    return any(role != Role.READER for role in roles) or may_decide_in(
        viewer, quota_request.project
    )


def may_decide(viewer: Viewer, quota_request: QuotaRequest, roles: Collection[str]) -> bool:
    """Holds the power for the project's unit, and no role above reader in the project."""
    return may_decide_in(viewer, quota_request.project) and not has_an_interest(roles)


def may_see_zone_fill(viewer: Viewer) -> bool:
    """How full a zone is as figures: whoever decides, funds or audits anywhere."""
    return viewer.sees_everything or bool(
        viewer.paths(Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.AUDIT)
    )
