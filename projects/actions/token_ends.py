"""Telling people in time that a token of theirs ends: once for each."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, Func, JSONField, OuterRef, Value

from projects.models import ApiToken, Event
from projects.outgoing.notices import tell
from projects.queries.tokens import tokens_in_force
from projects.states import NoticeKind

from .events import record

VERB = "token ends soon"
SOON = timedelta(days=14)
BATCH = 200


def warn_of_tokens(now: datetime, most: int = BATCH) -> int:
    """Tell whoever a token acts for that it ends within two weeks; how many were told.

    Not of one that was never to last longer, nor of one that a newer one has replaced. May
    run twice.
    """
    with transaction.atomic():
        rows = _untold(now, most)
        for each in rows:
            account = each.service_account
            event = record(
                VERB, actor=None, now=now, subject_kind="token", subject_id=each.pk,
                project=account.project if account else None,
                unit=account.unit if account else None,
            )  # fmt: skip
            tell(event, [each.person.pk], NoticeKind.TOKEN_ENDS)
    return len(rows)


def _before(pk: OuterRef) -> Func:
    """What the event of a rotation holds of the token that it replaced."""
    function = "jsonb_build_object"
    return Func(Value("before"), pk, function=function, output_field=JSONField())


def _untold(now: datetime, most: int) -> list[ApiToken]:
    """Under lock, so that two sweeps at once tell nobody twice."""
    said = Event.objects.filter(subject_kind="token")
    replaced = said.filter(verb="token rotated", data__contains=_before(OuterRef("pk")))
    due = (
        tokens_in_force(now)
        .filter(ends_at__lte=now + SOON, ends_at__gt=F("created_at") + SOON)
        .exclude(service_account__closed_at__isnull=False)
        .exclude(Exists(said.filter(verb=VERB, subject_id=OuterRef("pk"))))
        .exclude(Exists(replaced))
        .select_related("user", "service_account__owner", "service_account__project",
                        "service_account__unit")
        .order_by("pk")
    )  # fmt: skip
    rows = list(due.select_for_update(no_key=True, skip_locked=True, of=("self",))[:most])
    # Whoever held them before us may have told of them after our query had begun.
    before = set(
        said.filter(verb=VERB, subject_id__in=[each.pk for each in rows]).values_list(
            "subject_id", flat=True
        )
    )
    return [each for each in rows if each.pk not in before]
