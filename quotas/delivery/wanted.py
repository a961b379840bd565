"""What the ledger says a target should be, beside what the service says it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import DecimalField, Exists, ExpressionWrapper, F, OuterRef, Q, Sum, Value
from django.db.models.functions import Cast, Coalesce

from projects.states import ProjectState
from quotas.backends.base import Figure
from quotas.models import Drift, KeptLimit, Limit, Target

WHOLE = DecimalField(max_digits=60, decimal_places=0)


@dataclass(frozen=True)
class Wanted:
    """One limit of a target and what it must be, in base units.

    was_kept: an import kept it as it was found; is_kept: and nobody asked to have it restored
    since, so it is not written, whatever it is.
    """

    limit: Limit
    amount: int
    was_kept: bool = False
    is_kept: bool = False

    @property
    def units(self) -> int:
        """The amount in the service's own units; the catalogue makes sure that it divides."""
        return self.amount // self.limit.step


def wanted_limits(target: Target) -> list[Wanted]:
    """Each managed limit of the target's endpoint: Σ quota × factor, 0 where nothing feeds it."""
    # As a numeric: a factor must not carry a quota out of bigint.
    balance = Cast("contributions__offering__accounts__balance", WHOLE)
    quota = ExpressionWrapper(balance * F("contributions__factor"), output_field=WHOLE)
    of_project = Q(contributions__offering__accounts__project=target.project_id)
    # Of a closed project all that it had goes, also what was never explained.
    is_closed = target.project.state == ProjectState.CLOSED
    of_target = {"target": target.pk, "limit": OuterRef("pk")}
    asked = Drift.objects.filter(**of_target, ended_at__isnull=True, restore_asked_at__isnull=False)
    rows = Limit.objects.filter(endpoint=target.endpoint_id).annotate(
        amount=Coalesce(Sum(quota, filter=of_project), Value(0), output_field=WHOLE),
        was_kept=Exists(KeptLimit.objects.filter(**of_target)),
        is_asked_for=Exists(asked),
    )
    return [
        Wanted(
            limit, int(limit.amount), was_kept=limit.was_kept,
            is_kept=limit.was_kept and not limit.is_asked_for and not is_closed,
        )
        for limit in rows
    ]  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to do with a target: keys to write, and keys that cannot be made true.

    write: {key: limit in the service's units}; below: limits that would fall below what
    is in use; missing: limits that the service does not know though quota feeds them;
    above: limits beyond the most that the service takes; public: accesses that everybody has, so
    that nobody can be given them or lose them. untrue: ids of the limits that are
    not as they should be, for any of these reasons. left_out: ids of those that an operator
    left out and that the service still lacks, or that an import keeps as they were found; they
    are as they should be, and enforce nothing that was granted.
    """

    write: dict[str, int] = field(default_factory=dict)
    below: list[tuple[Wanted, Figure]] = field(default_factory=list)
    missing: list[Wanted] = field(default_factory=list)
    above: list[Wanted] = field(default_factory=list)
    public: list[Wanted] = field(default_factory=list)
    untrue: set[int] = field(default_factory=set)
    left_out: set[int] = field(default_factory=set)

    @property
    def is_hindered(self) -> bool:
        """Whether some limit cannot be made true until somebody acts."""
        return bool(self.below or self.missing or self.above or self.public)


def compare(wanted: list[Wanted], figures: Mapping[str, Figure]) -> Plan:
    """Only the keys that differ; nothing is ever written below what is in use.

    What the service would not take holds up no other key: it is found here, not by its no. Where
    a service tells no use there is nothing to compare with, and what was granted is written.
    A limit that was left out is managed again as soon as the service knows it.
    """
    plan = Plan()
    for each in wanted:
        figure = figures.get(each.limit.key)
        is_lacking = figure is None and each.limit.left_out_at is not None
        is_kept = each.is_kept and figure is not None and figure.limit != each.units
        if is_lacking or is_kept:
            plan.left_out.add(each.limit.pk)
            continue
        is_nothing = figure is None and not each.amount
        if is_nothing or (figure is not None and figure.limit == each.units):
            continue
        plan.untrue.add(each.limit.pk)
        if figure is None:
            plan.missing.append(each)
        elif each.limit.maximum is not None and each.amount > each.limit.maximum:
            plan.above.append(each)
        elif figure.is_unlimited and each.limit.is_access:
            plan.public.append(each)
        elif figure.floor is not None and each.units < figure.floor:
            plan.below.append((each, figure))
        else:
            plan.write[each.limit.key] = each.units
    return plan
