"""Whose balances a person may see: the same as on the pages of projects, units and zones."""

from django.db.models import Q, QuerySet

from projects.queries.viewers import Viewer, below, of_visible_projects
from projects.states import Power
from quotas.models import Account, Holder

SEE_FIGURES = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.AUDIT)


def visible_accounts(viewer: Viewer) -> QuerySet[Account]:
    """Quota of visible projects, envelopes below what one decides for, funds or audits, the pool.

    What was issued, the site's own account, is for operators and auditors.
    """
    if viewer.sees_everything:
        return Account.objects.all()
    seen = Q(holder=Holder.PROJECT) & of_visible_projects(viewer)
    if paths := viewer.paths(*SEE_FIGURES):
        seen |= Q(holder=Holder.POOL) | Q(holder=Holder.UNIT) & below(paths, "unit__path")
    return Account.objects.filter(seen)
