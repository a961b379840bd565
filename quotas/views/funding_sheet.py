"""The form that changes several envelopes of a unit at once: as typed, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from portal.lib.errors import DomainError, Invalid
from projects.models import Unit
from projects.queries.viewers import Viewer
from quotas.actions.foresight import Effect, effects_of
from quotas.actions.funding import Purse, Seen, look
from quotas.forms import AmountRow, Amounts, LineInput, PassingForm, read_amounts, typed_amounts
from quotas.models import Offering, Region
from quotas.queries.envelopes import Standing, fundable

SEEN = "seen-"
_NOT_DECLARED = "-"


@dataclass(frozen=True)
class FundRow:
    """One offering of the form; `change` None: nothing is typed, or no amount."""

    standing: Standing
    input: LineInput
    change: int | None

    @property
    def unit(self) -> str:
        return self.standing.offering.resource.unit

    @property
    def seen_name(self) -> str:
        return SEEN + self.standing.offering.slug

    @property
    def seen_text(self) -> str:
        return write_seen(Seen.of(self.standing))


@dataclass
class FundSheet:
    """Everything that the page shows: rows of one region, and those that were typed."""

    viewer: Viewer
    unit: Unit
    region: Region | None
    regions: list[Region]
    typed: dict[str, str]
    seen: dict[str, Seen]
    form: PassingForm
    refused: DomainError | None = None
    amounts: Amounts = field(init=False)
    rows: list[FundRow] = field(init=False)
    other_errors: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> None:
        """Read what was typed against what was seen; a row without that, against now."""
        offerings = self._offerings()
        self.purse: Purse = look(self.viewer, self.unit, offerings)
        rows = [AmountRow(each.slug, each, self._size(each)) for each in offerings]
        self.amounts = read_amounts(self.typed, rows)
        self.rows = [
            FundRow(
                self.purse.standings[row.offering.pk],
                self.amounts.input(row.key),
                self._change(row),
            )
            for row in rows
        ]

    def _offerings(self) -> list[Offering]:
        """Those of the region, and every one that something was typed for."""
        typed = {key for key, text in self.typed.items() if text.strip()}
        return [
            each
            for each in fundable(self.unit)
            if self.region is None or each.zone.region_id == self.region.pk or each.slug in typed
        ]

    def _size(self, offering: Offering) -> int:
        seen = self.seen.get(offering.slug)
        return seen.size if seen else self.purse.standings[offering.pk].size

    def _change(self, row: AmountRow) -> int | None:
        if row.key not in self.amounts.wanted:
            return None
        change = self.amounts.wanted[row.key] - row.current
        is_declared = self.purse.standings[row.offering.pk].account is not None
        return None if change == 0 and is_declared else change

    @property
    def changes(self) -> dict[str, int]:
        """{offering slug: change} of everything that is typed and is an amount."""
        return {
            row.standing.offering.slug: row.change for row in self.rows if row.change is not None
        }

    @property
    def errors(self) -> list[tuple[str, str]]:
        keys = {row.standing.offering.slug for row in self.rows}
        return [*self.amounts.summary(keys), *self.other_errors]

    def effects(self) -> list[Effect]:
        """What the changes would do, in the order of the rows."""
        return effects_of(self.purse, self.changes)

    def collect(self, error: Invalid) -> None:
        """Put the domain's errors beside their rows, or above."""
        for name, sentences in error.errors.items():
            slug = name.removeprefix("changes.")
            if slug != name and slug in self.typed:
                self.amounts.errors.setdefault(slug, sentences[0])
            elif name == "reason":
                self.form.add_error("reason", sentences[0])
            else:
                self.other_errors += [("", each) for each in sentences]


def sheet_of(request: HttpRequest, viewer: Viewer, unit: Unit, regions: list[Region]) -> FundSheet:
    """The form as its address, or as a post, has it."""
    data = request.POST if request.method == "POST" else request.GET
    slug = data.get("region", "")
    region = next((each for each in regions if each.slug == slug), regions[0] if regions else None)
    form = PassingForm(request.POST) if request.method == "POST" else PassingForm()
    return FundSheet(viewer, unit, region, regions, typed_amounts(data), read_seen(data), form)


def write_seen(seen: Seen) -> str:
    """ "1000:0:ep:2000": left (a dash: not declared), beneath, who pays (empty: pool), its left."""
    left = _NOT_DECLARED if seen.left is None else str(seen.left)
    return f"{left}:{seen.promised}:{seen.source or ''}:{seen.source_left}"


def read_seen(data: Mapping[str, Any]) -> dict[str, Seen]:
    """{offering slug: Seen} of a post; what cannot be read was not seen."""
    found = {}
    for name, text in data.items():
        parts = str(text).split(":")
        numbers = [each for each in (*parts[:2], *parts[3:]) if each != _NOT_DECLARED]
        if (
            name.startswith(SEEN)
            and len(parts) == 4
            and all(each.isascii() and each.isdigit() and len(each) < 20 for each in numbers)
            and _NOT_DECLARED not in (parts[1], parts[3])
        ):
            left = None if parts[0] == _NOT_DECLARED else int(parts[0])
            found[name.removeprefix(SEEN)] = Seen(
                left, int(parts[1]), parts[2] or None, int(parts[3])
            )
    return found
