"""The tables of what a project has and uses, one for each region: rows of plain values."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.jinja import draw
from portal.lib.marks import day
from portal.templatetags.gauges import bar, parts
from projects.models import Project
from quotas.queries.figures import LimitRow, PartRow, RegionFigures

# Where an offering's slug stands in an address; no other text of one looks like it.
ANY_OFFERING = "offering.of.any"


@dataclass(frozen=True, slots=True)
class Cells:
    """One line of a table: of a limit, or of a part of one. Amounts in base units of `unit`.

    used, reserved and free are None where no use is known; note is what stands in small letters.
    quota_url: why it is so much, with the words that say of what; empty of several offerings.
    """

    looks: str
    name: str
    unit: str
    quota: int
    asked: int
    used: int | None
    reserved: int | None
    free: int | None
    gauge: SafeString | str
    place: str = ""
    loan_day: SafeString | str = ""
    is_all_zones: bool = False
    is_unlimited: bool = False
    in_force: int | None = None
    is_least: bool = False
    quota_unit: str = ""
    quota_url: str = ""
    quota_words: str = ""


@dataclass(frozen=True)
class QuotaTables:
    """What all tables of a project share."""

    project: Project
    now: datetime

    def of(self, region: RegionFigures) -> SafeString:
        """The table of a region: its limits with anything in them, and their parts."""
        caption = _("Limits and their use in %(name)s") % {"name": region.region.name}
        return draw(
            "projects/_quota.jinja", caption=caption, rows=list(self._lines(region)), now=self.now
        )

    def _lines(self, region: RegionFigures) -> Iterator[Cells]:
        address = reverse("quota_why", args=[self.project.slug, ANY_OFFERING])
        words = _("of %(resource)s in %(zone)s: why?")
        label = _("%(name)s in %(region)s")
        for row in region.rows:
            if row.is_empty:
                continue
            split = row.shown_parts
            only = None if split else row.only_part
            seen = row.seen
            yield Cells(
                looks="has-parts" if split else "",
                name=row.name, unit=row.unit, quota=row.quota, asked=row.asked,
                used=row.used if seen else None, reserved=row.reserved if seen else None,
                free=row.free if seen else None,
                gauge=_gauge(row, split, label % {"name": row.name, "region": region.region.name}),
                place=only.name if only else "",
                loan_day=self._day(only.loan_until) if only else "",
                is_all_zones=bool(split) and not row.is_undivided,
                is_unlimited=row.is_unlimited, in_force=row.in_force,
                is_least=row.limit.endpoint.gaps_since is not None,
                quota_url=_why(address, only) if only else "",
                quota_words=words % _of(only) if only else "",
                quota_unit=only.unit if only else row.unit,
            )  # fmt: skip
            for number, part in enumerate(split, 1):
                seen = part.seen
                yield Cells(
                    looks="part last" if number == len(split) else "part",
                    name=part.name, unit=part.unit, quota=part.quota, asked=part.asked,
                    used=seen.used if seen else None, reserved=seen.reserved if seen else None,
                    free=part.free,
                    gauge=_part_gauge(part, row.scale), loan_day=self._day(part.loan_until),
                    quota_url=_why(address, part), quota_words=words % _of(part),
                    quota_unit=part.unit,
                )  # fmt: skip

    def _day(self, until: date | None) -> SafeString | str:
        return "" if until is None else day(until, self.now)


def _of(part: PartRow) -> dict[str, str]:
    return {"resource": part.offering.resource.name, "zone": part.name}


def _why(address: str, part: PartRow) -> str:
    return address.replace(ANY_OFFERING, part.offering.slug)


def _gauge(row: LimitRow, split: Iterable[PartRow], label: str) -> SafeString | str:
    """The bar, with that of the parts where the service cannot tell these apart; or why not."""
    if row.seen is None:
        if row.is_access:
            return _("granted or not")
        return _("its use is not told") if row.is_use_untold else _("use not read yet")
    drawn = bar(
        row.used, row.quota, unit=row.unit, label=label, reserved=row.reserved, pending=row.asked
    )
    if split and row.is_undivided:
        whole = _("Parts of %(name)s") % {"name": row.name}
        drawn += parts(row.strip, unit=row.unit, label=whole, scale=row.scale)
    return drawn


def _part_gauge(part: PartRow, scale: int) -> SafeString | str:
    if part.seen is None:
        return ""
    return bar(
        part.seen.used, part.quota, unit=part.unit, label=part.name,
        reserved=part.seen.reserved, pending=part.asked, scale=scale,
    )  # fmt: skip
