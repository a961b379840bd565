"""A request in the making: read from a post, a draft or an earlier request."""

from dataclasses import dataclass, field
from typing import NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.amounts import input_text
from portal.lib.errors import DomainError, Forbidden, Invalid
from projects.models import Project
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask
from quotas.forms import (
    AmountRow,
    Amounts,
    LineInput,
    WishForm,
    read_amounts,
    take_errors,
    typed_amounts,
)
from quotas.models import Offering, QuotaRequest, Region
from quotas.queries.accounts import balances
from quotas.queries.ask import AskRow, ask_rows, first_region, regions
from quotas.queries.preview import Preview, Room

from .pages import visible_project


class SheetRow(NamedTuple):
    """A row of the form; `change` is what is typed, 0 for nothing and for what is no amount."""

    ask: AskRow
    input: LineInput
    change: int
    room: Room


@dataclass
class Sheet:
    """A request in the making: everything that its page shows."""

    viewer: Viewer
    project: Project
    regions: list[Region]
    region: Region | None
    typed: dict[str, str]
    form: WishForm
    draft: QuotaRequest | None = None
    refused: DomainError | None = None
    amounts: Amounts = field(init=False)
    asks: list[AskRow] = field(init=False)
    other_errors: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> None:
        """Read what was typed against the quota of now."""
        slugs = {key for key, text in self.typed.items() if text.strip()}
        self.asks = ask_rows(self.viewer, self.project, self.region, slugs)
        rows = [AmountRow(each.key, each.offering, each.quota) for each in self.asks]
        self.amounts = read_amounts(self.typed, rows)

    def rows(self, previewed: Preview) -> list["SheetRow"]:
        """Each row with the room for what is typed in it."""
        rooms = {line.offering.pk: line.room for line in previewed.lines}
        wanted = self.amounts.wanted
        return [
            SheetRow(
                each,
                self.amounts.input(each.key),
                wanted.get(each.key, each.quota) - each.quota,
                rooms.get(each.offering.pk, each.room),
            )
            for each in self.asks
        ]

    @property
    def wanted(self) -> dict[Offering, int]:
        wanted = self.amounts.wanted
        return {each.offering: wanted[each.key] for each in self.asks if each.key in wanted}

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [*self.amount_errors, *self.other_errors]

    @property
    def amount_errors(self) -> list[tuple[str, str]]:
        return self.amounts.summary({each.key for each in self.asks})

    def collect(self, error: Invalid) -> None:
        """Put the domain's errors where they belong."""
        rest = self.amounts.take_errors(take_errors(self.form, error.errors))
        self.other_errors += [("", sentence) for sentence in rest.values()]


def askable(viewer: Viewer, slug: str) -> Project:
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can ask for quota."))
    return project


def region_of(slug: str, project: Project) -> Region | None:
    """The region of that slug, or the one to start with."""
    known = regions()
    found = next((each for each in known if each.slug == slug), None)
    return found or first_region(project, known)


def posted_sheet(request: HttpRequest, viewer: Viewer, draft: QuotaRequest | None) -> Sheet:
    """The form as it was typed."""
    slug = draft.project.slug if draft else request.POST.get("project", "")
    project = askable(viewer, slug)
    region = region_of(request.POST.get("region", ""), project)
    typed = typed_amounts(request.POST)
    return Sheet(viewer, project, regions(), region, typed, WishForm(request.POST), draft)


def sheet_of_draft(viewer: Viewer, draft: QuotaRequest) -> Sheet:
    lines = list(draft.lines.select_related("offering__resource", "offering__zone__region"))
    typed = {
        line.offering.slug: input_text(line.wanted, line.offering.resource.unit) for line in lines
    }
    project = askable(viewer, draft.project.slug)
    region = lines[0].offering.zone.region if lines else region_of("", project)
    form = WishForm(initial=_initial(draft))
    return Sheet(viewer, project, regions(), region, typed, form, draft)


def _initial(asked: QuotaRequest) -> dict[str, object]:
    return WishForm.initial_of(asked.reason, asked.until_on, asked.all_or_nothing)


def with_posted_form(sheet: Sheet) -> Sheet:
    """The same sheet with a form that can carry errors."""
    data = {name: value for name, value in sheet.form.initial.items() if value not in (None, False)}
    sheet.form = WishForm(data)
    return sheet


def sheet_again(viewer: Viewer, asked: QuotaRequest) -> Sheet:
    """The same wish once more: what was granted already as the same increase again."""
    project = askable(viewer, asked.project.slug)
    held = balances(project)
    typed, region = {}, None
    for line in asked.lines.select_related("offering__resource", "offering__zone__region"):
        unit = line.offering.resource.unit
        change = line.wanted - line.balance_seen
        region = region or line.offering.zone.region
        if line.wanted != held.get(line.offering_id, 0):
            typed[line.offering.slug] = input_text(line.wanted, unit)
        elif change > 0:
            typed[line.offering.slug] = "+" + input_text(change, unit)
    until_on = asked.until_on if asked.until_on and asked.until_on >= viewer.now.date() else None
    form = WishForm(initial=WishForm.initial_of(asked.reason, until_on, asked.all_or_nothing))
    return Sheet(viewer, project, regions(), region or region_of("", project), typed, form)


def unjudged(request: HttpRequest, sheet: Sheet) -> Sheet:
    """The same texts in a form that is not finished yet, so that nothing is called wrong."""
    names = ("reason", "until", "until_on")
    initial: dict[str, object] = {name: request.POST.get(name, "") for name in names}
    initial["all_or_nothing"] = "all_or_nothing" in request.POST
    sheet.form = WishForm(initial=initial)
    sheet.amounts.errors.clear()
    return sheet
