"""What a service cannot look into, as a cell of Nova that is down: kept with its endpoint.

While there is any, what is read of use there is a least: it ends no drift and no crossing, gives
nothing back, and is told as such.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from portal.lib.locks import lock
from portal.lib.plain import storable
from projects.actions.events import record
from quotas.models import Endpoint

_MOST, _LONGEST = 50, 300


def keep_gaps(endpoint: Endpoint, words: Iterable[str], moment: datetime) -> None:
    """Keep what an endpoint's service just said; nothing is written where that is no news."""
    said = sorted({storable(each)[:_LONGEST] for each in words})[:_MOST]
    if said == endpoint.gaps:
        return
    with transaction.atomic():
        held = lock(Endpoint.objects.filter(pk=endpoint.pk))[0]
        since = (held.gaps_since or moment) if said else None
        Endpoint.objects.filter(pk=held.pk).update(gaps=said, gaps_since=since)
        if bool(said) != bool(held.gaps):
            record(
                "usage incomplete" if said else "usage complete",
                actor=None, now=moment, subject_kind="endpoint", subject_id=held.pk,
                endpoint=held.slug,
            )  # fmt: skip
    endpoint.gaps, endpoint.gaps_since = said, since
