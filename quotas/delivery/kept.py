"""Limits that are kept as an import found them: when what is read there ends that."""

from collections.abc import Iterable, Mapping

from quotas.backends.base import Figure
from quotas.models import KeptLimit, Target

from .wanted import Wanted


def settle(target: Target, wanted: Iterable[Wanted], figures: Mapping[str, Figure]) -> None:
    """Manage again what was kept and is read as the ledger says; no query where nothing is kept.

    figures: {key: Figure} in the service's units.
    """
    over = [
        each.limit.pk
        for each in wanted
        if each.was_kept
        and (figure := figures.get(each.limit.key)) is not None
        and figure.limit == each.units
    ]
    if over:
        KeptLimit.objects.filter(target=target, limit__in=over).delete()
