"""A request in the making: read from a post, a draft or an earlier request."""

from dataclasses import dataclass, field
from typing import NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib.amounts import input_text
from portal.lib.errors import DomainError, Forbidden, Invalid
from projects.models import Project, User
from projects.queries.people import askers_of
from projects.queries.viewers import Viewer, roles_in
from projects.rules import may_ask, may_ask_for_others
from quotas.actions.asking import check_for_others
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


@dataclass(frozen=True)
class InTheNameOf:
    """Whom a request may be written for, and who is chosen; `wrong` says why that is nobody.

    is_own_possible: whether the writer may ask in their own name too.
    """

    people: tuple[User, ...] = ()
    chosen: User | None = None
    is_own_possible: bool = True
    wrong: str = ""

    @classmethod
    def of(cls, viewer: Viewer, project: Project, public_id: str) -> "InTheNameOf":
        """public_id: of the person who was chosen; empty: nobody yet, or oneself.

        Raises Forbidden for a name by who may write in none but their own.
        """
        is_own_possible = may_ask(roles_in(viewer, project))
        if public_id:
            check_for_others(viewer, project)
        if not may_ask_for_others(viewer, project):
            return cls(is_own_possible=is_own_possible)
        people = tuple(each for each in askers_of(project, viewer.now) if each != viewer.user)
        chosen = next((each for each in people if str(each.public_id) == public_id), None)
        wrong = ""
        if chosen is None and (public_id or not is_own_possible):
            wrong = _("Choose in whose name you ask.")
        return cls(people, chosen, is_own_possible, wrong)

    @property
    def is_asked(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.people) or not self.is_own_possible


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
    name: InTheNameOf = field(default_factory=InTheNameOf)
    # The request that the form was filled from, and how its amounts were taken over.
    copied: QuotaRequest | None = None
    copied_words: str = ""

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
        self.other_errors += [
            ("requester" if name == "requester" else "", sentence)
            for name, sentence in rest.items()
        ]


def askable(viewer: Viewer, slug: str) -> Project:
    """A project that the person may ask for, in their own name or in another's."""
    project = visible_project(viewer, slug)
    if not may_ask(roles_in(viewer, project)) and not may_ask_for_others(viewer, project):
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
    name = InTheNameOf.of(viewer, project, request.POST.get("requester", ""))
    form = WishForm(request.POST)
    return Sheet(viewer, project, regions(), region, typed, form, draft, name=name)


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


def sheet_again(viewer: Viewer, asked: QuotaRequest, project: Project, for_whom: str) -> Sheet:
    """The same wish once more, for the same project or for another.

    What was granted to the same project already is the same increase again; what was not is
    the same amount. For another project it is the same increase on top of what that one has;
    what was given back there says nothing here.
    """
    held = balances(project)
    is_same = asked.project_id == project.pk
    typed, region = {}, None
    for line in asked.lines.select_related("offering__resource", "offering__zone__region"):
        unit = line.offering.resource.quota_unit
        change = line.wanted - line.balance_seen
        region = region or line.offering.zone.region
        if is_same and line.wanted != held.get(line.offering_id, 0):
            typed[line.offering.slug] = input_text(line.wanted, unit)
        elif change > 0:
            typed[line.offering.slug] = "+" + input_text(change, unit)
    until_on = asked.until_on if asked.until_on and asked.until_on >= viewer.now.date() else None
    form = WishForm(initial=WishForm.initial_of(asked.reason, until_on, asked.all_or_nothing))
    sheet = Sheet(viewer, project, regions(), region or region_of("", project), typed, form)
    sheet.name = InTheNameOf.of(viewer, project, for_whom)
    sheet.copied = asked
    sheet.copied_words = _copied_words(asked, is_same=is_same)
    return sheet


def _copied_words(asked: QuotaRequest, *, is_same: bool) -> str:
    words = {"number": asked.pk, "project": asked.project.name}
    if is_same:
        said = _(
            "Filled from #%(number)s: what was not granted is the same amount again, what was "
            "granted is as much once more, on top of the quota of now."
        )
    else:
        said = _(
            "Filled from #%(number)s of %(project)s: the same increases, on top of what this "
            "project has now. Write why it needs them."
        )
    return said % words


def unjudged(request: HttpRequest, sheet: Sheet) -> Sheet:
    """The same texts in a form that is not finished yet, so that nothing is called wrong."""
    names = ("reason", "until", "until_on")
    initial: dict[str, object] = {name: request.POST.get(name, "") for name in names}
    initial["all_or_nothing"] = "all_or_nothing" in request.POST
    sheet.form = WishForm(initial=initial)
    sheet.amounts.errors.clear()
    return sheet
