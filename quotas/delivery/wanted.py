"""What the ledger says a target should be, beside what the service says it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.lib.columns import columns_of, instance_of, width_of
from projects.states import ProjectState
from quotas.backends.base import Figure
from quotas.models import Limit, Target

from .statements import fetch_all


@dataclass(frozen=True)
class Wanted:
    """One limit of a target and what it must be, in base units.

    was_kept: an import kept it as it was found; is_kept: and nobody asked to have it restored
    since, so it is not written, whatever it is. last_seen: the limit at the last reading, in base
    units; None: none, or it was not told. is_noted: some drift of it is open.
    """

    limit: Limit
    amount: int
    was_kept: bool = False
    is_kept: bool = False
    last_seen: int | None = None
    is_noted: bool = True

    @property
    def units(self) -> int:
        """The amount in the service's own units; the catalogue makes sure that it divides."""
        return self.amount // self.limit.step


# As a numeric: a factor must not carry a quota out of bigint.
WANTED = """
SELECT {limit}, COALESCE(fed.amount, 0), reading.limit_seen,
    EXISTS (SELECT 1 FROM quotas_keptlimit
            WHERE target_id = %(target)s AND limit_id = lim.id),
    noted.is_noted, noted.is_asked_for
FROM quotas_limit lim
LEFT JOIN (
    SELECT feeds.limit_id, SUM(account.balance::numeric(60) * feeds.factor) AS amount
    FROM quotas_contribution feeds
    JOIN quotas_account account
        ON account.offering_id = feeds.offering_id AND account.project_id = %(project)s
    GROUP BY feeds.limit_id
) fed ON fed.limit_id = lim.id
LEFT JOIN quotas_reading reading ON reading.target_id = %(target)s AND reading.limit_id = lim.id
CROSS JOIN LATERAL (
    SELECT COUNT(*) > 0 AS is_noted,
        COUNT(*) FILTER (WHERE restore_asked_at IS NOT NULL) > 0 AS is_asked_for
    FROM quotas_drift
    WHERE target_id = %(target)s AND limit_id = lim.id AND ended_at IS NULL
) noted
WHERE lim.endpoint_id = %(endpoint)s
ORDER BY lim."order", lim.key
"""


def wanted_limits(target: Target) -> list[Wanted]:
    """Each managed limit of the target's endpoint: Σ quota × factor, 0 where nothing feeds it.

    One query, written by hand as it is asked for each attempt.
    """
    # Of a closed project all that it had goes, also what was never explained.
    is_closed = target.project.state == ProjectState.CLOSED
    width = width_of(Limit)
    rows = fetch_all(
        WANTED.replace("{limit}", columns_of(Limit, "lim")),
        {"target": target.pk, "project": target.project_id, "endpoint": target.endpoint_id},
    )
    found = []
    for row in rows:
        amount, last_seen, was_kept, is_noted, is_asked_for = row[width:]
        limit = instance_of(Limit, row[:width])
        if limit is None:  # pragma: no cover - it is what is selected from
            continue
        is_kept = was_kept and not is_asked_for and not is_closed
        found.append(Wanted(limit, int(amount), was_kept, is_kept, last_seen, is_noted))
    return found


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
