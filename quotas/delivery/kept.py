"""Limits that are kept as an import found them: when what is read there ends that."""

from collections.abc import Iterable, Mapping

from django.db import transaction

from quotas.backends.base import Figure
from quotas.models import KeptLimit

from .drift import Standing, unmoved
from .wanted import Wanted


def settle(before: Standing, wanted: Iterable[Wanted], figures: Mapping[str, Figure]) -> None:
    """Manage again what was kept and is read as the ledger says; no query where nothing is kept.

    before: how the target stood before it was read; figures: {key: Figure} in the service's units.
    """
    ids = over(wanted, figures)
    if not ids:
        return
    with transaction.atomic():
        if unmoved(before) is not None:
            KeptLimit.objects.filter(target=before.target_id, limit__in=ids).delete()


def over(wanted: Iterable[Wanted], figures: Mapping[str, Figure]) -> list[int]:
    """Ids of the limits that were kept and are read as the ledger says."""
    return [
        each.limit.pk
        for each in wanted
        if each.was_kept
        and (figure := figures.get(each.limit.key)) is not None
        and figure.limit == each.units
    ]
