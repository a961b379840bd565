"""What a rule would have done with what people decided before: looked at before it is on.

Judged on the figures of then, as far as they were kept: the quota and the wish stand in each
line, use is that of the day. How full an envelope or a zone was is not kept; such a condition
counts as unknown, and as fulfilled, so that no surprise is hidden by it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from projects.models import Delegation, Unit
from quotas.models import DecisionKind, DecisionLine, PolicyVersion, UsagePeak

from .authority import mandate_of
from .conditions import Facts, Verdict, is_about, judge
from .policy_facts import feeding

DAYS = 90
MOST_LINES = 10_000
SHOWN = 100


class Outcome(TextChoices):
    """How a rule compares with people on one line."""

    OTHER = "other", _("people said otherwise")
    LEFT = "left", _("left to people")
    AGREED = "agreed", _("people granted it too")
    REFUSED = "refused", _("declined by people, left by the rule")


@dataclass(frozen=True)
class Replayed:
    """One line that people decided; `verdict` is the rule's on the figures of then.

    is_beyond: the rule holds, but its delegation does not allow as much.
    """

    decided: DecisionLine
    balance: int
    verdict: Verdict
    outcome: Outcome
    is_beyond: bool = False

    @property
    def is_sure(self) -> bool:
        return not any(each.is_unknown for each in self.verdict.findings)


@dataclass(frozen=True)
class Replay:
    """What came of it: how many lines of each outcome, and the newest of those worth a look.

    is_cut: there were more than `most` lines, and only the newest of them were looked at.
    """

    days: int
    counts: Mapping[Outcome, int]
    unsure_count: int
    is_cut: bool
    most: int
    rows: Sequence[Replayed]

    @property
    def line_count(self) -> int:
        return sum(self.counts.values())

    @property
    def granted_count(self) -> int:
        """How many it would have granted."""
        return self.counts[Outcome.AGREED] + self.counts[Outcome.OTHER]


def replay(
    version: PolicyVersion, unit: Unit, delegation: Delegation, now: datetime, days: int = DAYS,
    most: int = MOST_LINES,
) -> Replay:  # fmt: skip
    """Judge what people decided for the unit and below in the last days; five queries at most.

    version: stored or not. Of more than `most` lines the newest, as somebody waits for it.
    """
    lines, is_cut = _decided(version, unit, now - timedelta(days=days), most)
    uses = _uses(lines) if version.usage_above_percent is not None else {}
    mandate = mandate_of(delegation)
    last: dict[tuple[int, int], datetime] = {}
    found = []
    for decided in lines:
        facts = _facts(decided, uses, last)
        if not is_about(version, facts.offering, facts.change):
            continue
        verdict = judge(version, facts)
        is_able = mandate.allows(facts.offering, facts.change)
        grants = verdict.holds_as_far_as_known and is_able
        if grants and facts.change > 0:
            last[decided.line.project_id, facts.offering.pk] = decided.decision.at
        found.append(
            Replayed(
                decided, facts.balance, verdict, _outcome(decided, grants),
                is_beyond=verdict.holds_as_far_as_known and not is_able,
            )
        )  # fmt: skip
    return _told(found, days, is_cut, most)


def _decided(
    version: PolicyVersion, unit: Unit, since: datetime, most: int
) -> tuple[list[DecisionLine], bool]:
    """The lines that people granted or declined, the oldest first; whether there are more."""
    rows = DecisionLine.objects.filter(
        decision__actor__isnull=False, decision__at__gt=since,
        decision__kind__in=[DecisionKind.APPROVE, DecisionKind.DECLINE],
        line__project__unit__path__startswith=unit.path,
    )  # fmt: skip
    if version.resource_id is not None:
        rows = rows.filter(line__offering__resource=version.resource_id)
    if version.zone_id is not None:
        rows = rows.filter(line__offering__zone=version.zone_id)
    named = rows.select_related(
        "decision__person", "line__project", "line__offering__resource", "line__offering__zone"
    ).defer("decision__snapshot")
    newest = list(named.order_by("-decision__at", "-pk")[: most + 1])
    return newest[:most][::-1], len(newest) > most


Uses = Mapping[tuple[int, int, date], tuple[int, int | None]]


def _uses(lines: Collection[DecisionLine]) -> Uses:
    """{(project id, offering id, day): (the highest use, the limit then)}; two queries."""
    closest = feeding({each.line.offering_id for each in lines})
    offerings: dict[int, list[int]] = {}
    for offering_id, feeders in closest.items():
        offerings.setdefault(feeders[0].limit_id, []).append(offering_id)
    rows = UsagePeak.objects.filter(
        target__project__in={each.line.project_id for each in lines}, limit__in=list(offerings),
        day__in={_day(each) for each in lines},
    )  # fmt: skip
    values = rows.values_list("target__project", "limit", "day", "used", "limit_seen")
    return {
        (project_id, offering_id, day): (used, limit)
        for project_id, limit_id, day, used, limit in values.iterator()
        for offering_id in offerings[limit_id]
    }


def _day(decided: DecisionLine) -> date:
    return timezone.localdate(decided.decision.at)


def _facts(decided: DecisionLine, uses: Uses, last: Mapping[tuple[int, int], datetime]) -> Facts:
    line = decided.line
    used, limit = uses.get((line.project_id, line.offering_id, _day(decided)), (None, None))
    return Facts(
        offering=line.offering,
        project_kind=line.project.kind,
        balance=line.balance_seen if decided.before is None else decided.before,
        wanted=line.wanted,
        now=decided.decision.at,
        used=used,
        used_of=limit,
        last_at=last.get((line.project_id, line.offering_id)),
    )


def _outcome(decided: DecisionLine, grants: bool) -> Outcome:
    if grants:
        return Outcome.AGREED if decided.granted == decided.line.wanted else Outcome.OTHER
    return Outcome.REFUSED if decided.granted is None else Outcome.LEFT


def _told(found: Sequence[Replayed], days: int, is_cut: bool, most: int) -> Replay:
    """Those on which people and the rule differ come first, each the newest first."""
    counts = dict.fromkeys(Outcome, 0)
    for row in found:
        counts[row.outcome] += 1
    granted = (Outcome.AGREED, Outcome.OTHER)
    order = {Outcome.OTHER: 0, Outcome.LEFT: 1, Outcome.AGREED: 2, Outcome.REFUSED: 3}
    newest = sorted(
        found, key=lambda each: (order[each.outcome], -each.decided.decision.at.timestamp())
    )
    return Replay(
        days=days,
        counts=counts,
        unsure_count=sum(1 for row in found if row.outcome in granted and not row.is_sure),
        is_cut=is_cut,
        most=most,
        rows=newest[:SHOWN],
    )
