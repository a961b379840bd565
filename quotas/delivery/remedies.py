"""Remedies that need no click, as the catalogue of known problems says: once for each error."""

import logging
from collections.abc import Iterable
from itertools import islice

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from projects.models import Event
from quotas.actions.problems import APPLIED, apply_automatic
from quotas.models import Target
from quotas.problems import Problem, known
from quotas.queries.problems import problem_of
from quotas.states import EndpointState, TargetState

logger = logging.getLogger(__name__)

BATCH = 200


def untried(problems: Iterable[Problem] | None = None) -> QuerySet[Target]:
    """Refused targets for whose error something may be done by itself, and was not yet.

    By code only: `apply_automatic` looks at the words.
    """
    found = known().problems if problems is None else problems
    hopeful = [each for each in found if each.automatic and each.remedy in APPLIED]
    condition = Q(pk__in=[])
    for each in hopeful:
        codes = Q(error_code__in=each.codes) if each.codes else Q()
        drivers = Q(endpoint__driver__in=each.drivers) if each.drivers else Q()
        condition |= codes & drivers
    tried = (
        Event.objects.filter(subject_kind="target", subject_id=OuterRef("pk"), verb="remedied")
        .annotate(error=KeyTextTransform("error", "data"))
        .filter(error=OuterRef("error_id"))
    )
    return (
        Target.objects.filter(
            condition, state=TargetState.REFUSED, endpoint__state=EndpointState.OPEN
        )
        .exclude(Exists(tried))
        .order_by(F("error_at").asc(nulls_first=True), "pk")
    )


def _hopeful() -> list[int]:
    """Ids of those whose words match too: others with the same code must not take their place."""
    rows = untried().select_related("endpoint")
    matching = (
        target.pk
        for target in rows.iterator()
        if (problem := problem_of(target)) and problem.automatic and problem.remedy in APPLIED
    )
    return list(islice(matching, BATCH))


def apply_due() -> int:
    """Apply what is due; how many were helped. What fails holds up no other."""
    count = 0
    for target_id in _hopeful():
        try:
            count += apply_automatic(target_id=target_id, now=timezone.now())
        except Exception:
            logger.exception("remedy failed", extra={"target": target_id})
    return count
