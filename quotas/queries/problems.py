"""What is not as it should be in the clouds, by cause: a known problem at an endpoint.

The database groups targets by endpoint, code and, where a known problem is told apart by
words, by the shape of these (ids and figures taken out). Only groups are matched, one by
one, whatever the number of targets. A code that has more than MOST_SHAPES shapes of words at
an endpoint is told by one example for all, and the list says so.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    F,
    Func,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Greatest, Left

from projects.models import Event
from quotas.models import Endpoint, Limit, Target
from quotas.problems import Problem, known
from quotas.states import TargetState

# A project takes moments to make; one that waits longer than this is held up by something.
WAITS_LONG = timedelta(minutes=10)
MOST_SHAPES = 50
SHAPE_CHARACTERS = 160
FAILED = (TargetState.REFUSED, TargetState.RETRYING)
# Being tried again at this moment: still with what the last try ended in.
TRYING = (TargetState.DUE, TargetState.LEASED, TargetState.DIRTY)


@dataclass(frozen=True)
class Bucket:
    """Targets that the database counted together; `shape` None: all of their code."""

    code: str
    shape: str | None
    count: int
    trying: int
    since: datetime | None
    example: str


@dataclass
class Group:
    """One cause: a problem at an endpoint, with the targets that have it."""

    problem: Problem
    endpoint: Endpoint
    buckets: list[Bucket] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.problem.id

    @property
    def count(self) -> int:
        return sum(each.count for each in self.buckets)

    @property
    def trying(self) -> int:
        """How many of them are being tried again right now."""
        return sum(each.trying for each in self.buckets)

    @property
    def since(self) -> datetime | None:
        return min((each.since for each in self.buckets if each.since), default=None)

    @property
    def example(self) -> str:
        """The service's own words, of one of them."""
        return self.buckets[0].example

    @property
    def code(self) -> str:
        return self.buckets[0].code


@dataclass(frozen=True)
class WorkList:
    """All groups, the largest first. `is_rough`: of some codes one example stands for all."""

    groups: list[Group]
    is_rough: bool

    @property
    def count(self) -> int:
        return sum(each.count for each in self.groups)


def troubled(targets: QuerySet[Target], now: datetime) -> QuerySet[Target]:
    """Those that are refused, retried, skipped or waiting long, with what groups them.

    Adds cause_code, shape, said (words for operators) and since.
    """
    is_failed = Q(state__in=FAILED) | Q(state__in=TRYING) & ~Q(error_code="")
    waits = Q(state=TargetState.WAITING, waits_since__lte=now - WAITS_LONG)
    return (
        targets.alias(waits_since=_waits_since())
        .filter(is_failed | waits | Q(state=TargetState.SKIPPED))
        .annotate(
            cause_code=_by_state(Value("skipped"), Value("waiting"), F("error_code")),
            shape=_shape(),
            said=_by_state(F("skip_reason"), Value(""), F("error_words")),
            since=_since(),
        )
    )


def work_list(targets: QuerySet[Target], now: datetime) -> WorkList:
    """The causes of everything that is not well among these targets: three queries at most."""
    rows = troubled(targets, now).order_by()
    by_code = list(_counted(rows, "endpoint", "cause_code").annotate(
        shapes=Count("shape", distinct=True)
    ))  # fmt: skip
    fine = [each for each in by_code if 1 < each["shapes"] <= MOST_SHAPES]
    rough = [each for each in by_code if each["shapes"] > MOST_SHAPES]
    buckets = [each for each in by_code if each not in fine]
    if fine:
        condition = Q(pk__in=[])
        for each in fine:
            condition |= Q(endpoint=each["endpoint"], cause_code=each["cause_code"])
        buckets += _counted(rows.filter(condition), "endpoint", "cause_code", "shape")
    groups = list(_by_cause(buckets))
    groups.sort(key=lambda each: (-each.count, each.endpoint.slug, each.id))
    return WorkList(groups, is_rough=bool(rough))


def _counted(rows: QuerySet[Target], *names: str) -> QuerySet[Target, dict[str, Any]]:
    return rows.values(*names).annotate(
        count=Count("pk"),
        trying=Count("pk", filter=Q(state__in=TRYING)),
        first=Min("since"),
        example=Min("said"),
    )


def group_of(
    targets: QuerySet[Target], endpoint: Endpoint, cause: str, now: datetime
) -> Group | None:
    """One cause at an endpoint; None where nothing has it (any more)."""
    found = work_list(targets.filter(endpoint=endpoint), now)
    return next((each for each in found.groups if each.id == cause), None)


def targets_of(group: Group, targets: QuerySet[Target], now: datetime) -> QuerySet[Target]:
    """The targets of a group, the longest in trouble first."""
    shapes: dict[str, set[str]] = defaultdict(set)
    condition = Q(pk__in=[])
    for each in group.buckets:
        if each.shape is None:
            condition |= Q(cause_code=each.code)
        else:
            shapes[each.code].add(each.shape)
    for code, some in shapes.items():
        condition |= Q(cause_code=code, shape__in=some)
    rows = troubled(targets.filter(endpoint=group.endpoint), now).filter(condition)
    return rows.select_related("project__unit", "endpoint").order_by(
        F("since").asc(nulls_last=True), "pk"
    )


def problem_of(target: Target) -> Problem | None:
    """The known problem of one target; None where nothing is wrong. `target` with endpoint."""
    code, words = target.error_code, target.error_words
    if target.state == TargetState.SKIPPED:
        code, words = "skipped", target.skip_reason
    elif target.state == TargetState.WAITING:
        code, words = "waiting", ""
    elif target.state == TargetState.APPLIED or not (code or target.state in FAILED):
        return None
    return known().match(target.endpoint.driver, code, words)


def _by_cause(rows: Iterable[dict[str, Any]]) -> Iterable[Group]:
    """Counted rows put together by what is known of them, the largest bucket first."""
    endpoints = {each.pk: each for each in Endpoint.objects.select_related("region", "identity")}
    found: dict[tuple[int, str], Group] = {}
    for row in sorted(rows, key=lambda each: (-each["count"], each["cause_code"])):
        endpoint, code, said = endpoints[row["endpoint"]], row["cause_code"], row["example"] or ""
        problem = known().match(endpoint.driver, code, said)
        group = found.setdefault((endpoint.pk, problem.id), Group(problem, endpoint))
        group.buckets.append(
            Bucket(code, row.get("shape"), row["count"], row["trying"], row["first"], said)
        )
    return found.values()


def _by_state(skipped: Any, waiting: Any, failed: Any) -> Case:
    return Case(
        When(state=TargetState.SKIPPED, then=skipped),
        When(state=TargetState.WAITING, then=waiting),
        default=failed,
        output_field=CharField(),
    )


def _shape() -> Case:
    """The words without ids and figures, where words tell problems apart; else nothing."""
    codes, is_any = known().by_words()
    decides = Q() if is_any else Q(error_code__in=codes)
    plain = Func(
        F("error_words"), Value("[0-9a-f-]{8,}|[0-9]+"), Value("#"), Value("g"),
        function="regexp_replace",
    )  # fmt: skip
    return Case(
        When(state__in=(TargetState.SKIPPED, TargetState.WAITING), then=Value("")),
        When(decides, then=Left(plain, SHAPE_CHARACTERS)),
        default=Value(""),
        output_field=CharField(),
    )


def _waits_since() -> Greatest:
    """From when on nothing was there for it: the project is new, or the one there was has gone."""
    return Greatest("project__created_at", "applied_at", "error_at")


def _since() -> Case:
    """When the error that a target has now first came up, as the record of acts has it."""
    acts = Event.objects.filter(subject_kind="target", subject_id=OuterRef("pk"))
    failed = acts.annotate(error=KeyTextTransform("error", "data")).filter(
        error=OuterRef("error_id"), verb__in=FAILED
    )
    skipped = acts.filter(verb="skipped")
    return Case(
        When(state=TargetState.SKIPPED, then=Subquery(skipped.order_by("-pk").values("at")[:1])),
        When(state=TargetState.WAITING, then=F("waits_since")),
        default=Coalesce(Subquery(failed.order_by("pk").values("at")[:1]), F("error_at")),
        output_field=DateTimeField(),
    )


def left_out_limits() -> QuerySet[Limit]:
    """The limits that services lack and that were left out there, the newest first."""
    return (
        Limit.objects.filter(left_out_at__isnull=False)
        .select_related("endpoint", "left_out_by")
        .order_by("-left_out_at", "pk")
    )
