"""The immutable snapshot that an act on an envelope stores: why it was allowed at that moment.

Ids, terms and figures only, in the words of a decision's proof (quotas.actions.proof).
"""

from typing import Any

from quotas.models import DelegationBound
from quotas.queries.authority import Mandate
from quotas.queries.envelopes import Standing

from .funding import POWER, Purse, Seen, person_of
from .proof import RULE_VERSION


def proof(purse: Purse, standing: Standing, amount: int, mandate: Mandate) -> dict[str, Any]:
    """The proof of changing one envelope by `amount` (0: declared) as JSON values."""
    viewer = purse.viewer
    return {
        "rule_version": RULE_VERSION,
        "power": POWER.value,
        "person": person_of(mandate, viewer.user),
        "actor": viewer.user.pk,
        "groups": sorted(viewer.group_ids),
        "unit": purse.unit.pk,
        "unit_path": purse.unit.path,
        "source_path": standing.source_path,
        "offering": standing.offering.slug,
        "amount": amount,
        "seen": Seen.of(standing).figures,
        "delegation": mandate.delegation.pk,
        "chain": [
            {
                "delegation": link.pk,
                "grantor": link.grantor_id,
                "user": link.user_id,
                "group": link.group_id,
                "powers": sorted(link.powers),
                "unit_path": link.unit.path,
                "depth": link.depth,
                "is_deputy": link.is_deputy,
                "starts_at": link.starts_at.isoformat(),
                "ends_at": link.ends_at.isoformat() if link.ends_at else None,
                "bounds": [_bound(row, purse, standing) for row in mandate.bounds[link.pk]],
            }
            for link in mandate.chain
        ],
    }


def _bound(row: DelegationBound, purse: Purse, standing: Standing) -> dict[str, Any]:
    """The terms of a bound, and what was consumed of it before this act."""
    return {
        "bound": row.pk,
        "resource": row.resource_id,
        "zone": row.zone_id,
        "per_decision": row.per_decision,
        "window_days": row.window_days,
        "total": row.total,
        "period_days": row.period_days,
        "in_window": purse.used.in_window(row, standing.offering),
        "of_total": purse.used.of_total(row),
    }
