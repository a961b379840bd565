"""A new project in the making: what was typed, what it means, and what is wrong with it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.amounts import input_text
from portal.lib.errors import DomainError, Invalid
from projects.actions.project_names import MAX_NAME
from projects.models import Group, Project, Unit, User
from projects.queries.viewers import Viewer
from projects.states import Role
from quotas.actions.proposing import MAX_DESCRIPTION, MAX_PEOPLE, Proposal
from quotas.actions.wishes import Wish
from quotas.forms import (
    DATE,
    STAYS,
    AmountRow,
    Amounts,
    LineInput,
    TextField,
    read_amounts,
    take_errors,
)
from quotas.models import Offering, Preset, Region
from quotas.queries.delegates import Delegate, delegate_of_key
from quotas.queries.new_projects import NewRow, find_members, find_units, new_rows, own_units
from quotas.queries.preview import Preview, Room
from quotas.queries.proposals import project_to_be

MAX_SEARCH = 100
ROLE = "role-"
# Where the error of a field of the domain stands on the page.
PLACES = {"unit": "unit", "members": "members"}


class ProposalForm(forms.Form):
    """What the project is; its unit, its people and its amounts stand beside it."""

    name = forms.CharField(
        label=gettext_lazy("Name"), required=False, strip=False,
        widget=forms.TextInput(
            attrs={"maxlength": MAX_NAME, "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=gettext_lazy("What the clouds will call it."),
    )  # fmt: skip
    purpose = TextField(
        label=gettext_lazy("What it is for"), rows=3, is_needed=True,
        help_text=gettext_lazy("One or two sentences, for those who decide."),
    )  # fmt: skip
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, strip=False,
        widget=forms.TextInput(attrs={"maxlength": MAX_DESCRIPTION, "autocomplete": "off"}),
        help_text=gettext_lazy("One line, which the clouds show."),
    )  # fmt: skip
    until = forms.ChoiceField(
        label=gettext_lazy("Until"), required=False, initial=STAYS, widget=forms.RadioSelect,
        choices=[(STAYS, gettext_lazy("It stays")), (DATE, gettext_lazy("Until the end of"))],
    )  # fmt: skip
    ends_on = forms.DateField(
        label=gettext_lazy("Last day"), required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": gettext_lazy("That is no day. Write it as 2027-03-31.")},
    )  # fmt: skip
    reason = TextField(
        label=gettext_lazy("Why so much"), rows=2,
        help_text=gettext_lazy("Empty: what it is for says it."),
    )  # fmt: skip
    all_or_nothing = forms.BooleanField(
        label=gettext_lazy("All or nothing: apply no line before every line is approved"),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "description"):
            # The domain judges characters and lengths, for the API alike.
            self.fields[name].validators = []
        self.fields["name"].is_needed = True  # type: ignore[attr-defined]  # read by ui/field.html
        if settings.PROJECTS_MUST_END:
            del self.fields["until"]

    def clean(self) -> dict[str, Any]:
        """A date counts only where it is picked, and is needed there."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "until" not in self.fields:
            return cleaned
        if cleaned.get("until") == DATE:
            if cleaned.get("ends_on") is None and "ends_on" not in self.errors:
                self.add_error("ends_on", _("Choose the last day, or “It stays”."))
        else:
            cleaned["ends_on"] = None
            self.errors.pop("ends_on", None)
        return cleaned


class SheetRow(NamedTuple):
    """A row of amounts as the page shows it."""

    ask: NewRow
    input: LineInput
    room: Room | None


@dataclass(frozen=True)
class MemberRow:
    """Somebody who will work in the project."""

    delegate: Delegate
    role: Role

    @property
    def name(self) -> str:
        return ROLE + self.delegate.key

    @property
    def id(self) -> str:
        return self.name.replace(":", "-")


@dataclass
class ProposalSheet:
    """Everything that the page shows. unit: None as long as none is chosen."""

    viewer: Viewer
    form: ProposalForm
    regions: list[Region]
    region: Region | None
    typed: dict[str, str] = field(default_factory=dict)
    unit: Unit | None = None
    unit_search: str = ""
    members: list[MemberRow] = field(default_factory=list)
    search: str = ""
    found: list[Delegate] = field(default_factory=list)
    refused: DomainError | None = None
    other_errors: list[tuple[str, str]] = field(default_factory=list)
    units: list[Unit] = field(init=False)
    asks: list[NewRow] = field(init=False)
    amounts: Amounts = field(init=False)

    def __post_init__(self) -> None:
        own = own_units(self.viewer)
        self.unit = self.unit or (own[0] if own else None)
        found = find_units(self.unit_search) if self.unit_search else []
        chosen = [self.unit] if self.unit else []
        self.units = list(dict.fromkeys([*chosen, *found, *own]))
        self.read()

    def read(self) -> None:
        """Read the amounts as typed: of a project that has nothing yet."""
        slugs = {key for key, text in self.typed.items() if text.strip()}
        self.asks = new_rows(self.viewer, self.project, self.region, slugs)
        rows = [AmountRow(each.key, each.offering, 0) for each in self.asks]
        self.amounts = read_amounts(self.typed, rows)

    @property
    def project(self) -> Project | None:
        """The project that there would be; None without a unit."""
        return project_to_be(self.unit) if self.unit is not None else None

    @property
    def wanted(self) -> dict[Offering, int]:
        wanted = self.amounts.wanted
        return {each.offering: wanted[each.key] for each in self.asks if wanted.get(each.key)}

    @property
    def users(self) -> dict[User, Role]:
        holders = [(each.delegate.holder, each.role) for each in self.members]
        return {holder: role for holder, role in holders if isinstance(holder, User)}

    @property
    def groups(self) -> dict[Group, Role]:
        holders = [(each.delegate.holder, each.role) for each in self.members]
        return {holder: role for holder, role in holders if isinstance(holder, Group)}

    def rows(self, previewed: Preview | None) -> list[SheetRow]:
        """Each row with the room for what is typed in it."""
        lines = previewed.lines if previewed else ()
        rooms = {line.offering.pk: line.room for line in lines}
        return [
            SheetRow(each, self.amounts.input(each.key), rooms.get(each.offering.pk, each.room))
            for each in self.asks
        ]

    def proposal(self) -> Proposal:
        """What is asked for, as far as it could be understood; raises Invalid without a unit."""
        if self.unit is None:
            raise Invalid({"unit": [_("Choose the unit that it belongs to.")]})
        cleaned = self.form.cleaned_data
        return Proposal(
            name=cleaned.get("name", ""), purpose=cleaned.get("purpose", ""), unit=self.unit,
            description=cleaned.get("description", ""), ends_on=cleaned.get("ends_on"),
            users=self.users, groups=self.groups,
        )  # fmt: skip

    def wish(self) -> Wish:
        cleaned = self.form.cleaned_data
        return Wish(
            {each.slug: amount for each, amount in self.wanted.items()},
            cleaned.get("reason", ""), None, bool(cleaned.get("all_or_nothing")),
        )  # fmt: skip

    @property
    def amount_errors(self) -> list[tuple[str, str]]:
        return self.amounts.summary({each.key for each in self.asks})

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [*self.other_errors, *self.amount_errors]

    def collect(self, error: Invalid) -> None:
        """Put the domain's errors where they belong."""
        rest = self.amounts.take_errors(take_errors(self.form, error.errors))
        if self.amounts.errors:
            # A row that cannot be read is an amount all the same.
            rest.pop("lines", None)
        self.other_errors += [(PLACES.get(name, ""), each) for name, each in rest.items()]

    def fill(self, preset: Preset) -> None:
        """Write a preset's amounts into their rows."""
        for line in preset.lines.all():
            unit = line.offering.resource.unit
            self.typed[line.offering.slug] = input_text(line.increase, unit)
        self.region = preset.region
        self.read()


def read_members(data: QueryDict, viewer: Viewer) -> list[MemberRow]:
    """The rows of people and groups as posted, with one added or taken out by a button."""
    roles = {
        key.removeprefix(ROLE): data[key] for key in data if key.startswith(ROLE)
    }  # fmt: skip
    if added := data.get("add", ""):
        roles.setdefault(added, data.get("add_role", Role.MEMBER))
    roles.pop(data.get("remove", ""), None)
    rows = []
    for key, role in list(roles.items())[: MAX_PEOPLE + 1]:
        found = delegate_of_key(key, viewer.now)
        if found is not None and found.holder != viewer.user:
            rows.append(MemberRow(found, Role(role) if role in Role.values else Role.MEMBER))
    return rows


def unit_of(slug: str) -> Unit | None:
    """The unit of a slug; None: there is none, or it is retired."""
    if not slug.isascii() or not slug.isprintable():
        return None
    return Unit.objects.filter(slug=slug[:63], retired_at__isnull=True).first()


def search_members(sheet: ProposalSheet, text: str) -> None:
    """Look for who is typed, without those who are there already."""
    sheet.search = text.strip()[:MAX_SEARCH]
    if sheet.search:
        without = {each.delegate.key for each in sheet.members}
        sheet.found = find_members(sheet.viewer, sheet.search, without)
