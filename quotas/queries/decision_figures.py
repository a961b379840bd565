"""The figures a decider weighs: quota, use, envelope, zone and own bound, before and after.

Amounts are base units. A fixed number of queries for any number of lines, so that the
queue and one request ask the same code.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Max
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from portal.lib.amounts import BYTES, format_amount
from portal.lib.bar_words import fill_figures
from projects.models import Project
from quotas.models import (
    Account,
    Contribution,
    Limit,
    Offering,
    Reading,
    RequestLine,
    Resource,
    UsagePeak,
)
from quotas.queries.accounts import Fill, envelope_fills, sources_of, zone_fills
from quotas.queries.authority import Mandate, deciding_for
from quotas.queries.bounds import Most, Used
from quotas.queries.consumption import used_by_many

LOW_USE_PERCENT = 60
PEAK_DAYS = 30


class Use(NamedTuple):
    """What a service said of the limit behind an offering, and how many offerings feed it."""

    limit: Limit
    used: int
    reserved: int
    limit_seen: int | None
    read_at: datetime
    is_shared: bool
    peak: int | None = None

    @property
    def percent(self) -> int | None:
        """Used of the limit seen; None without a limit above zero (none, or unlimited)."""
        if self.limit_seen is None or self.limit_seen <= 0:
            return None
        return self.used * 100 // self.limit_seen

    @property
    def known_limit(self) -> int | None:
        """The limit seen; None where the service said none, or "unlimited"."""
        return self.limit_seen if self.limit_seen is not None and self.limit_seen >= 0 else None

    @property
    def figures(self) -> str:
        """Return "288 of 384"."""
        if self.known_limit is None:
            return _("%(used)s, no limit") % {"used": format_amount(self.used, self.limit.unit)}
        return fill_figures(self.used, 0, self.known_limit, unit=self.limit.unit)

    @property
    def note(self) -> str:
        """Return "75 %, peak in 30 d 92 %"."""
        if self.percent is None:
            return ""
        words = {"now": self.percent, "peak": self.peak_percent, "days": PEAK_DAYS}
        if self.peak_percent is None:
            return _("%(now)s\u00a0%%") % words
        return _("%(now)s\u00a0%%, peak in %(days)s\u00a0d %(peak)s\u00a0%%") % words

    @property
    def peak_percent(self) -> int | None:
        if self.peak is None or self.limit_seen is None or self.limit_seen <= 0:
            return None
        return self.peak * 100 // self.limit_seen

    @property
    def is_low(self) -> bool:
        """Whether most of what is there lies idle: a reason to ask back."""
        percent = self.percent
        return percent is not None and percent < LOW_USE_PERCENT


@dataclass(frozen=True)
class LineFigures:
    """One line with everything to weigh; `sources` are who could pay, the nearest first."""

    line: RequestLine
    balance: int
    sources: tuple[Account, ...]
    envelope: Fill | None
    zone: Fill | None
    use: Use | None
    mandates: tuple[Mandate, ...]
    # What is consumed of the mandates' bounds; None: they count as written.
    used: Used | None = None
    # Else the person is asked to endorse it; and what somebody endorsed last.
    is_to_decide: bool = True
    endorsed: int | None = None

    @cached_property
    def offering(self) -> Offering:
        return self.line.offering

    @cached_property
    def resource(self) -> Resource:
        return self.offering.resource

    @cached_property
    def place(self) -> str:
        return self.offering.zone.place

    @property
    def unit(self) -> str:
        return self.resource.unit

    @property
    def quota_unit(self) -> str:
        """Of what the project has, wants and is given."""
        return self.resource.quota_unit

    @property
    def noun(self) -> str:
        """What follows the figure: "vCPU"; bytes say their unit themselves."""
        return "" if self.unit == BYTES else self.resource.name

    @property
    def source_name(self) -> str:
        """Who pays: a unit's path, or the pool."""
        return holder_name(self.source)

    @property
    def envelope_figures(self) -> str:
        """Return "380 → 444 of 500" as asked."""
        if self.envelope is None:
            return ""
        return fill_figures(self.envelope.promised, self.change, self.envelope.size, unit=self.unit)

    @cached_property
    def change(self) -> int:
        """What granting as asked adds; below zero it gives back."""
        return self.line.wanted - self.balance

    @property
    def source(self) -> Account | None:
        return self.sources[0] if self.sources else None

    @property
    def next_source(self) -> Account | None:
        """The nearest source above that has anything."""
        return next((each for each in self.sources[1:] if each.balance > 0), None)

    @cached_property
    def short(self) -> int:
        """How much the source lacks for granting as asked."""
        return max(self.change - (self.source.balance if self.source else 0), 0)

    @property
    def is_below_use(self) -> bool:
        """Whether granting as asked leaves less than is in use: no service is given that."""
        if self.use is None or self.use.known_limit is None or self.change >= 0:
            return False
        return self.use.known_limit + self.change < self.use.used + self.use.reserved

    @cached_property
    def is_reached(self) -> bool:
        """Whether a mandate of the person says anything about it; else nothing of it is theirs."""
        return any(each.reaches(self.offering) for each in self.mandates)

    @cached_property
    def widest(self) -> Most:
        """The most that the person may add in one decision, and which bound says so."""
        found = [each.most(self.offering, self.used) for each in self.mandates]
        return max(found, key=lambda each: (each.amount is None, each.amount), default=Most(0))

    @cached_property
    def bound(self) -> int | None:
        """The most that the person's widest mandate adds in one decision; None: any amount.

        That of `widest`, which says by what, and is asked of few lines.
        """
        found = [each.most_amount(self.offering, self.used) for each in self.mandates]
        amounts = [each for each in found if each is not None]
        return max(amounts, default=0) if len(amounts) == len(found) else None

    @cached_property
    def is_beyond_bound(self) -> bool:
        """Whether it is more than `bound`: asked of every line, so without saying how much."""
        return self.change > 0 and not any(
            each.allows(self.offering, self.change, self.used) for each in self.mandates
        )

    @property
    def can_be_granted(self) -> bool:
        """As asked, by this person, with what the source has."""
        return self.is_reached and not self.short and not self.is_beyond_bound

    @cached_property
    def most(self) -> int:
        """The highest absolute quota that can be granted now, in steps; at least the balance."""
        if self.change <= 0:
            return self.line.wanted
        room = [self.change, self.source.balance if self.source else 0]
        if self.is_beyond_bound and self.bound is not None:
            room.append(self.bound)
        step = self.resource.step
        return max((self.balance + min(room)) // step * step, self.balance)


def holder_name(account: Account | None) -> str:
    """What people call who pays; nobody, where nothing was ever issued."""
    if account is None:
        return _("nobody")
    return account.unit.label if account.unit is not None else _("the pool")


def figures_of(
    lines: Collection[RequestLine],
    mandates: Collection[Mandate],
    *,
    now: datetime,
) -> dict[int, LineFigures]:
    """{line id: its figures} in the order of the lines.

    lines: with `project__unit` and `offering__resource` at hand. mandates: all that the
    person holds. For the rows of a queue there is `queue_figures`.
    """
    today = timezone.localdate(now)
    offering_ids = {line.offering_id for line in lines}
    projects = {line.project_id: line.project for line in lines}
    held = _balances(projects, offering_ids)
    sources = sources_of([(line.offering_id, line.project.unit.path) for line in lines])
    first = {accounts[0].pk: accounts[0] for accounts in sources.values() if accounts}
    fills = envelope_fills(list(first.values()))
    zones = zone_fills(offering_ids, today)
    uses = _uses(projects, offering_ids, today - timedelta(days=PEAK_DAYS))
    wanted = [(line.project_id, line.offering_id) for line in lines]
    consumed = used_by_many(mandates, wanted, now)
    deciding = {pk: tuple(deciding_for(mandates, each)) for pk, each in projects.items()}
    found = {}
    for line in lines:
        path = line.project.unit.path
        above = tuple(sources.get((line.offering_id, path), ()))
        found[line.pk] = LineFigures(
            line=line,
            balance=held.get((line.project_id, line.offering_id), 0),
            sources=above,
            envelope=fills.get(above[0].pk) if above else None,
            zone=zones.get(line.offering_id),
            use=uses.get((line.project_id, line.offering_id)),
            mandates=deciding[line.project_id],
            used=consumed[line.project_id],
        )
    return found


def _balances(
    project_ids: Iterable[int], offering_ids: Iterable[int]
) -> dict[tuple[int, int], int]:
    rows = Account.objects.filter(project__in=list(project_ids), offering__in=list(offering_ids))
    return {
        (project_id, offering_id): balance
        for project_id, offering_id, balance in rows.values_list("project", "offering", "balance")
    }


def _uses(
    projects: dict[int, Project], offering_ids: Collection[int], peaks_since: date
) -> dict[tuple[int, int], Use]:
    """{(project id, offering id): what the limit closest to the offering was last seen at}."""
    limits = closest_limits(offering_ids)
    limit_ids = {limit.pk for limit, _is_shared in limits.values()}
    rows = Reading.objects.filter(
        target__project__in=list(projects), limit__in=limit_ids, used__isnull=False
    ).select_related("target")
    readings = {(row.target.project_id, row.limit_id): row for row in rows}
    found = UsagePeak.objects.filter(
        target__project__in=list(projects), limit__in=limit_ids, day__gte=peaks_since
    )
    by_limit = found.values_list("target__project", "limit").annotate(peak=Max("used"))
    peaks = {(project_id, limit_id): peak for project_id, limit_id, peak in by_limit}
    uses: dict[tuple[int, int], Use] = {}
    for offering_id, (limit, is_shared) in limits.items():
        for project_id in projects:
            reading = readings.get((project_id, limit.pk))
            if reading is not None and reading.used is not None:
                uses[project_id, offering_id] = Use(
                    limit=limit,
                    used=reading.used,
                    reserved=reading.reserved or 0,
                    limit_seen=reading.limit_seen,
                    read_at=reading.read_at,
                    is_shared=is_shared,
                    peak=peaks.get((project_id, limit.pk)),
                )
    return uses


def closest_limits(offering_ids: Collection[int]) -> dict[int, tuple[Limit, bool]]:
    """{offering id: (the limit fed by the fewest offerings, whether others feed it too)}.

    A volume type's own limit before the project's total; Nova's cores are shared by zones.
    """
    rows = (
        Contribution.objects.filter(offering__in=offering_ids)
        .select_related("limit__endpoint__region")
        .annotate(feeders=Count("limit__contributions"))
        .order_by("feeders", "factor", "limit__order", "pk")
    )
    found: dict[int, tuple[Limit, bool]] = {}
    for row in rows:
        found.setdefault(row.offering_id, (row.limit, row.feeders > 1))
    return found


def tightest(figures: Iterable[LineFigures]) -> LineFigures | None:
    """The line whose envelope is fullest afterwards: the one a queue shows."""
    known = [each for each in figures if each.envelope is not None]
    return max(known, key=_fullness, default=None)


def _fullness(figures: LineFigures) -> float:
    envelope = figures.envelope
    if envelope is None:
        return 0.0
    after = envelope.promised + figures.change
    return after / envelope.size if envelope.size else float(after > 0) * 2


def by_request(figures: Iterable[LineFigures]) -> dict[int, list[LineFigures]]:
    """{request id: its lines' figures}."""
    found: dict[int, list[LineFigures]] = defaultdict(list)
    for each in figures:
        found[each.line.request_id].append(each)
    return found
