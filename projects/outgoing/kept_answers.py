"""Answers to POSTs that came with an Idempotency-Key: which are given again, and for how long.

quotas/api/once.py writes them.
"""

from datetime import datetime, timedelta

from projects.models import KeptAnswer

KEPT_FOR = timedelta(days=7)
FORGOTTEN_AT_ONCE = 5000


def kept_answer(bearer: str, key: str, now: datetime) -> KeptAnswer | None:
    """The answer that is given again; one that is too old counts as none, swept away or not."""
    return KeptAnswer.objects.filter(bearer=bearer, key=key, at__gt=now - KEPT_FOR).first()


def forget_old_answers(now: datetime) -> int:
    """Delete what is given to nobody any more, in slices; returns how many there were."""
    count = 0
    while True:
        old = KeptAnswer.objects.filter(at__lte=now - KEPT_FOR).order_by("at")
        ids = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
        if not ids:
            return count
        # By their time again: one may just have been written anew.
        KeptAnswer.objects.filter(pk__in=ids, at__lte=now - KEPT_FOR).delete()
        count += len(ids)
