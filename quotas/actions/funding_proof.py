"""The immutable snapshot that an act on an envelope stores: why it was allowed at that moment.

Ids, terms and figures only, in the words of a decision's proof (quotas.actions.proof).
"""

from typing import Any

from quotas.queries.authority import Mandate
from quotas.queries.bounds import period_of
from quotas.queries.envelopes import Standing

from .funding import POWER, Purse, Seen
from .proof import RULE_VERSION, link_terms, memberships


def proof(purse: Purse, standing: Standing, amount: int, mandate: Mandate) -> dict[str, Any]:
    """The proof of changing one envelope by `amount` (0: declared) as JSON values."""
    viewer = purse.viewer
    return {
        "rule_version": RULE_VERSION,
        "power": POWER.value,
        "person": viewer.user.pk,
        "actor": viewer.user.pk,
        "effective_people": sorted({viewer.user.pk, *mandate.deputised}),
        "memberships": memberships(viewer, [mandate]),
        "unit": purse.unit.pk,
        "unit_path": purse.unit.path,
        "source": standing.source.pk if standing.source is not None else None,
        "source_path": standing.source_path,
        "offering": standing.offering.slug,
        "amount": amount,
        "seen": Seen.of(standing).figures,
        "delegation": mandate.delegation.pk,
        "chain": [link_terms(link, mandate.bounds[link.pk]) for link in mandate.chain],
        "bounds": _consumption(purse, standing, amount, mandate),
    }


def _consumption(
    purse: Purse, standing: Standing, amount: int, mandate: Mandate
) -> list[dict[str, Any]]:
    """What an increase adds to each bound that is about it, with what was consumed before."""
    if amount <= 0:
        return []
    offering, used = standing.offering, purse.used
    about = mandate.bounds_on(offering)
    return [
        {
            "bound": row.pk,
            "delegation": link.pk,
            "per_decision": row.per_decision,
            "window_used": used.in_window(row, offering),
            "total": row.total,
            "period": None if row.total is None else period_of(link, row, used.now),
            "total_used": None if row.total is None else used.of_total(row),
            "increase": amount,
        }
        for link in mandate.chain
        for row in mandate.bounds[link.pk]
        if row in about
    ]
