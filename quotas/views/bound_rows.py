"""Bounds as rows of a form: what was typed into each cell, and what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _

from portal.lib.amounts import AmountError, format_amount, input_text, parse_amount
from quotas.actions.bounds import WINDOW_DAYS, Bound
from quotas.models import Resource, Zone

ANY = "*"
MOST_ROWS = 60
COLUMNS = ("resource", "zone", "per_decision", "window_days", "total", "period_days")


@dataclass
class Row:
    """One row of bounds as typed; `mine` is what one's own bounds say there."""

    index: int
    typed: dict[str, str]
    mine: "Mine | None" = None
    error: str = ""
    # The cell that cannot be read; "" where the row as a whole is refused.
    wrong: str = ""

    @property
    def prefix(self) -> str:
        return f"row-{self.index}-"

    @property
    def is_blank(self) -> bool:
        return not self.typed["resource"]

    @property
    def error_target(self) -> str:
        return f"{self.prefix}{self.wrong or 'resource'}"


def typed_rows(data: QueryDict) -> list[Row]:
    """The rows of a POST that are not blank."""
    rows = []
    for index in range(MOST_ROWS):
        name = f"row-{index}-resource"
        if name not in data:
            break
        cells = {each: data.get(f"row-{index}-{each}", "").strip()[:60] for each in COLUMNS}
        rows.append(Row(index, cells))
    kept = [row for row in rows if not row.is_blank]
    return [Row(index, row.typed) for index, row in enumerate(kept)]


def typed_of(bound: Bound) -> dict[str, str]:
    """A bound as one would type it."""
    unit = bound.resource.unit if bound.resource else ""
    return {
        "resource": bound.resource.slug if bound.resource else ANY,
        "zone": zone_key(bound.zone) if bound.zone else ANY,
        "per_decision": "" if bound.per_decision is None else input_text(bound.per_decision, unit),
        "window_days": str(bound.window_days),
        "total": "" if bound.total is None else input_text(bound.total, unit),
        "period_days": "" if bound.period_days is None else str(bound.period_days),
    }


def zone_key(zone: Zone) -> str:
    """Return "geneva.compute-a"."""
    return f"{zone.region.slug}.{zone.slug}"


class Unreadable(Exception):
    """A cell that cannot be understood, and the sentence about it."""

    def __init__(self, cell: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cell, self.sentence = cell, sentence


def read_row(row: Row, resources: Mapping[str, Resource], zones: Mapping[str, Zone]) -> Bound:
    """The bound that a row means; raises Unreadable. Keys are slugs, and those of `zone_key`."""
    typed = row.typed
    if typed["resource"] != ANY and typed["resource"] not in resources:
        raise Unreadable("resource", _("There is no such resource."))
    if typed["zone"] not in ("", ANY) and typed["zone"] not in zones:
        raise Unreadable("zone", _("There is no such zone."))
    resource = resources.get(typed["resource"])
    window = _days("window_days", typed)
    return Bound(
        resource=resource,
        zone=zones.get(typed["zone"]),
        per_decision=_amount("per_decision", typed, resource),
        window_days=WINDOW_DAYS if window is None else window,
        total=_amount("total", typed, resource),
        period_days=_days("period_days", typed),
    )


def _amount(cell: str, typed: Mapping[str, str], resource: Resource | None) -> int | None:
    text = typed[cell]
    if not text:
        return None
    if resource is None:
        raise Unreadable(cell, _("An amount is of one resource: choose which."))
    try:
        return parse_amount(text, unit=resource.unit, current=0, step=resource.step)
    except AmountError as error:
        raise Unreadable(cell, error.sentence) from error


def _days(cell: str, typed: Mapping[str, str]) -> int | None:
    text = typed[cell]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Unreadable(cell, _("Days are a whole number."))
    return int(text)


@dataclass(frozen=True)
class Mine:
    """What one's own bounds say where a row is, as stands beside its inputs."""

    decision: str
    total: str = ""


def own_words(held: Sequence[Bound], resource: Resource | None) -> Mine:
    """held: one's own bounds that are about the row; none of them: nothing can be handed on."""
    if not held:
        return Mine(_("yours: nothing"))
    unit = resource.unit if resource else ""
    decisions = [each.per_decision for each in held if each.per_decision is not None]
    totals = [each.total for each in held if each.total is not None]
    words = _("yours: %(amount)s")
    return Mine(
        words % {"amount": format_amount(min(decisions), unit)} if decisions else _("yours: any"),
        words % {"amount": format_amount(min(totals), unit)} if totals else "",
    )
