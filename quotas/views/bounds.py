"""What a delegation allows, in words."""

from collections import defaultdict
from collections.abc import Iterable

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from quotas.models import DelegationBound


def bound_words(bounds: Iterable[DelegationBound]) -> str:
    """ "128 vCPU, 128 GiB of RAM per decision; 10 TiB of Volume space in storage-a ...".

    Rows without an amount say "any amount of ...".
    """
    rows = list(bounds)
    if not rows:
        return _("Nothing: it has no bounds, so it allows nothing.")
    by_zone: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_zone[_zone(row)].append(_amount(row))
    said = [", ".join(amounts) + zone for zone, amounts in by_zone.items()]
    return _("%(amounts)s per decision") % {"amounts": "; ".join(said)}


def _zone(row: DelegationBound) -> str:
    return _(" in %(zone)s") % {"zone": row.zone.name} if row.zone is not None else ""


def _amount(row: DelegationBound) -> str:
    if row.resource is None:
        return _("any amount of anything") if row.per_decision is None else str(row.per_decision)
    words = {"resource": row.resource.name}
    if row.per_decision is None:
        return _("any amount of %(resource)s") % words
    words["amount"] = format_amount(row.per_decision, row.resource.unit)
    return _("%(amount)s of %(resource)s") % words
