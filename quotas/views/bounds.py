"""What a delegation allows, in words."""

from collections import defaultdict
from collections.abc import Iterable

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from quotas.models import DelegationBound


def bound_words(bounds: Iterable[DelegationBound]) -> str:
    """Return "128 vCPU, 512 GiB of RAM, any amount of Volume space a decision."."""
    rows = list(bounds)
    if not rows:
        return _("Nothing: it has no bounds, so it allows nothing.")
    by_zone: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_zone[_zone(row)].append(_amount(row))
    said = [", ".join(amounts) + zone for zone, amounts in by_zone.items()]
    sentence = _("%(amounts)s a decision.") % {"amounts": "; ".join(said)}
    return sentence[:1].upper() + sentence[1:]


def _zone(row: DelegationBound) -> str:
    return _(" in %(zone)s") % {"zone": row.zone.name} if row.zone is not None else ""


def _amount(row: DelegationBound) -> str:
    if row.resource is None:
        return _("any amount of anything") if row.per_decision is None else str(row.per_decision)
    words = {"resource": row.resource.name}
    if row.per_decision is None:
        return _("any amount of %(resource)s") % words
    words["amount"] = format_amount(row.per_decision, row.resource.unit)
    if row.resource.unit:
        return _("%(amount)s of %(resource)s") % words
    return _("%(amount)s %(resource)s") % words
