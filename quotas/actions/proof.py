"""The immutable snapshot that a decision stores: why it was allowed at that moment.

It holds ids, terms and figures only; names are looked up by whoever reads it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Greatest

from projects.models import Delegation, Project
from projects.queries.viewers import Viewer
from quotas.models import DecisionLine, DelegationBound, RequestLine
from quotas.queries.authority import Mandate

# Raised with every change of the rules of authority, so that an old proof is checked by
# the rules of its day.
RULE_VERSION = 1


def snapshot(
    *,
    viewer: Viewer,
    project: Project,
    lines: Collection[RequestLine],
    mandates: Mapping[int, Mandate],
    balances: Mapping[int, int],
) -> dict[str, Any]:
    """The proof of a decision as JSON values.

    mandates: {line id: the mandate used}; balances: {line id: the quota seen}, empty
    where nothing is granted.
    """
    used = {mandate.delegation.pk: mandate for mandate in mandates.values()}
    consumed = _consumed([link.pk for each in used.values() for link in each.chain], lines)
    return {
        "rule_version": RULE_VERSION,
        "person": viewer.user.pk,
        "groups": sorted(viewer.group_ids),
        "project": project.pk,
        "unit_path": project.unit.path,
        "chains": {
            str(pk): [_link(link, mandate) for link in mandate.chain]
            for pk, mandate in used.items()
        },
        "lines": [
            {
                "line": line.pk,
                "offering": line.offering.slug,
                "wanted": line.wanted,
                "balance": balances.get(line.pk),
                "delegation": mandates[line.pk].delegation.pk,
                "consumed": {
                    str(link.pk): consumed.get((link.pk, line.offering_id), 0)
                    for link in mandates[line.pk].chain
                },
            }
            for line in lines
        ],
    }


def _link(link: Delegation, mandate: Mandate) -> dict[str, Any]:
    return {
        "delegation": link.pk,
        "grantor": link.grantor_id,
        "user": link.user_id,
        "group": link.group_id,
        "powers": sorted(link.powers),
        "unit_path": link.unit.path,
        "depth": link.depth,
        "starts_at": link.starts_at.isoformat(),
        "ends_at": link.ends_at.isoformat() if link.ends_at else None,
        "bounds": [_bound(row) for row in mandate.bounds[link.pk]],
    }


def _bound(row: DelegationBound) -> dict[str, Any]:
    return {
        "resource": row.resource_id,
        "zone": row.zone_id,
        "per_decision": row.per_decision,
        "window_days": row.window_days,
        "total": row.total,
        "period_days": row.period_days,
    }


def _consumed(
    link_ids: Collection[int], lines: Collection[RequestLine]
) -> dict[tuple[int, int], int]:
    """{(delegation id, offering id): what was granted through it before}; only increases count."""
    links = set(link_ids)
    through = Q(delegation__in=links) | Q(delegation__ancestors__overlap=list(links))
    rows = (
        DecisionLine.objects.filter(
            through, line__offering__in=[line.offering_id for line in lines], granted__isnull=False
        )
        .values_list("delegation", "delegation__ancestors", "line__offering")
        .annotate(total=Coalesce(Sum(Greatest(F("granted") - F("before"), 0)), 0))
    )
    found: dict[tuple[int, int], int] = defaultdict(int)
    for delegation_id, ancestors, offering_id, total in rows:
        for link_id in links & {delegation_id, *ancestors}:
            found[link_id, offering_id] += total
    return found
