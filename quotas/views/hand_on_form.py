"""The form by which authority is handed on: what was typed, what it means, what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Invalid
from portal.lib.moments import full_day_words, last_day
from projects.actions.delegations import LATEST, MAX_PURPOSE, Terms
from projects.models import Delegation, Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions.bounds import Bound, held_bounds
from quotas.forms import TextField, take_errors
from quotas.models import Resource, Zone
from quotas.queries.delegates import Delegate, delegate_of_key, find_delegates

from .bound_rows import (
    COLUMNS,
    MOST_ROWS,
    Mine,
    Row,
    Unreadable,
    own_words,
    read_row,
    typed_of,
    typed_rows,
    zone_key,
)

MOST_UNITS = 300
A_YEAR = timedelta(days=365)


def _day_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class HandOnForm(forms.Form):
    """Everything but to whom, and how much."""

    unit = forms.CharField(
        label=gettext_lazy("Where"),
        required=False,
        max_length=63,
        help_text=gettext_lazy("That unit and all below it."),
    )
    powers = forms.MultipleChoiceField(
        label=gettext_lazy("What they may do"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    starts_on = forms.DateField(
        label=gettext_lazy("From"),
        required=False,
        widget=_day_input(),
        help_text=gettext_lazy("Empty: from now."),
    )
    ends_on = forms.DateField(
        label=gettext_lazy("Until the end of"), required=False, widget=_day_input()
    )
    depth = forms.IntegerField(label=gettext_lazy("They may hand it on"), required=False)
    purpose = TextField(label=gettext_lazy("What for"), rows=2, most=MAX_PURPOSE)


@dataclass
class Sheet:
    """The form with everything that its page shows. `terms` and `bounds`: once it is read."""

    viewer: Viewer
    sources: list[Delegation]
    source: Delegation
    held: list[Bound]
    form: HandOnForm
    rows: list[Row]
    units: list[Unit]
    search: str = ""
    found: list[Delegate] = field(default_factory=list)
    chosen: Delegate | None = None
    resources: list[Resource] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    # Row numbers of `bounds`, as the domain counts them without the blank ones.
    filled: list[Row] = field(default_factory=list)

    @property
    def delegates(self) -> list[Delegate]:
        """Those to choose from, the chosen one first."""
        others = [each for each in self.found if self.chosen is None or each.key != self.chosen.key]
        return [self.chosen, *others] if self.chosen else others

    @property
    def is_read(self) -> bool:
        """Whether every field could be understood."""
        return not self.form.errors and not any(row.error for row in self.rows)

    def terms(self) -> Terms:
        """What the fields mean; raises Invalid for what cannot be understood at all."""
        clean = self.form.cleaned_data
        unit = self._unit(clean.get("unit") or "")
        holder = self.chosen.holder if self.chosen else None
        user = holder if isinstance(holder, User) else None
        return Terms(
            unit=unit,
            powers=[Power(each) for each in clean.get("powers") or []],
            starts_at=first_moment(clean.get("starts_on"), self.viewer.now),
            ends_at=last_moment(clean.get("ends_on"), self.source),
            depth=0 if clean.get("depth") is None else clean["depth"],
            user=user,
            group=None if isinstance(holder, User) else holder,
            purpose=clean.get("purpose") or "",
        )

    def _unit(self, slug: str) -> Unit:
        name = slug.strip().rstrip("/").rpartition("/")[2].lower()
        found = Unit.objects.filter(slug=name).first() if name and name.isprintable() else None
        if found is None:
            raise Invalid({"unit": [_("Choose the unit that it is about.")]})
        return found

    def take(self, error: Invalid) -> None:
        """Put the domain's errors at fields and rows; what is left goes into the summary."""
        at_rows: dict[str, list[str]] = {}
        rest: dict[str, list[str]] = {}
        for name, sentences in error.errors.items():
            (at_rows if name.startswith("bounds.") else rest)[name] = sentences
        for name, sentences in at_rows.items():
            row = self.filled[int(name.removeprefix("bounds."))]
            row.error = row.error or " ".join(sentences)
        names = {"starts_at": "starts_on", "ends_at": "ends_on"}
        others = take_errors(self.form, {names.get(key, key): rest[key] for key in rest})
        targets = {"user": "q", "bounds": "row-0-resource"}
        self.errors += [(targets.get(name, ""), sentence) for name, sentence in others.items()]

    def summary(self) -> list[tuple[str, str]]:
        """[(id of the input, sentence)] of what is not a field of the form."""
        return self.errors + [(row.error_target, row.error) for row in self.rows if row.error]


def first_moment(day: date | None, now: datetime) -> datetime:
    """The first moment of a day; from now where none is named, or it is today."""
    if day is None or day <= timezone.localtime(now).date():
        return now
    return _midnight(day)


def last_moment(day: date | None, source: Delegation | None) -> datetime | None:
    """The end of a day; on the last day of one's own delegation the moment at which it ends."""
    if day is None:
        return None
    # What lies beyond is refused, and dates end not far from there.
    end = _midnight(min(day, LATEST.date()) + timedelta(days=1))
    own = source.ends_at if source else None
    return own if own is not None and end > own and last_day(own) == day else end


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def new_sheet(viewer: Viewer, source: Delegation) -> Sheet:
    """The form as it is first shown: the same as one's own, one hand-on fewer, for a year."""
    sheet = _sheet(viewer, source)
    ends_on = timezone.localtime(viewer.now + A_YEAR).date()
    if source.ends_at is not None:
        ends_on = min(ends_on, last_day(source.ends_at))
    sheet.form = _form(sheet, None, initial={
        "unit": source.unit.slug, "powers": _first_power(source), "ends_on": ends_on, "depth": 0,
    })  # fmt: skip
    for bound in sheet.held[: MOST_ROWS - 1]:
        sheet.rows.append(Row(len(sheet.rows), typed_of(bound)))
    _finish(sheet)
    return sheet


def _first_power(source: Delegation) -> list[str]:
    """What is handed on most often; the rest is ticked by hand."""
    decides = Power.DECIDE_QUOTA in source.powers
    return [Power.DECIDE_QUOTA] if decides else list(source.powers[:1])


def posted_sheet(viewer: Viewer, source: Delegation, data: QueryDict) -> Sheet:
    """The form as it was sent, read as far as it can be."""
    sheet = _sheet(viewer, source)
    sheet.form = _form(sheet, data)
    sheet.form.is_valid()
    sheet.search = data.get("q", "")[:100]
    chosen = delegate_of_key(data.get("to", ""), viewer.now)
    sheet.chosen = chosen
    if sheet.search:
        sheet.found = find_delegates(sheet.search, viewer.now, without=[viewer.user.pk])
    sheet.rows = typed_rows(data)
    for row in sheet.rows:
        if not row.is_blank:
            _read(sheet, row)
    _finish(sheet)
    return sheet


def _sheet(viewer: Viewer, source: Delegation) -> Sheet:
    units = Unit.objects.under(source.unit.path).filter(retired_at__isnull=True).order_by("path")
    return Sheet(
        viewer=viewer,
        sources=[each for each in viewer.delegations if each.depth > 0],
        source=source,
        held=held_bounds(source),
        form=HandOnForm(),
        rows=[],
        units=list(units[: MOST_UNITS + 1]),
        resources=list(Resource.objects.all()),
        zones=list(Zone.objects.select_related("region").order_by("region__slug", "slug")),
    )


def _form(
    sheet: Sheet, data: QueryDict | None, initial: Mapping[str, Any] | None = None
) -> HandOnForm:
    form = HandOnForm(data, initial=dict(initial or {}))
    source = sheet.source
    powers = form.fields["powers"]
    assert isinstance(powers, forms.MultipleChoiceField)  # noqa: S101 - as declared above
    powers.choices = [(each, Power(each).label) for each in source.powers]
    if len(sheet.units) <= MOST_UNITS:
        form.fields["unit"].widget = forms.Select(
            choices=[(each.slug, f"{each.label} – {each.name}") for each in sheet.units]
        )
    form.fields["depth"].is_needed = True  # type: ignore[attr-defined]  # read by ui/field.html
    widget = form.fields["depth"].widget
    widget.attrs.update({"min": 0, "max": source.depth - 1})
    words = {"most": source.depth - 1}
    form.fields["depth"].help_text = _("At most %(most)s more times; 0: not at all.") % words
    if source.ends_at is not None:
        day = full_day_words(last_day(source.ends_at))
        form.fields["ends_on"].help_text = _("Your last day is %(day)s.") % {"day": day}
    return form


def _read(sheet: Sheet, row: Row) -> None:
    """The bound that a row means, or what is wrong with which of its cells."""
    try:
        bound = read_row(
            row,
            {each.slug: each for each in sheet.resources},
            {zone_key(each): each for each in sheet.zones},
        )
    except Unreadable as error:
        row.error, row.wrong = error.sentence, error.cell
        return
    sheet.bounds.append(bound)
    sheet.filled.append(row)


def _finish(sheet: Sheet) -> None:
    """An empty row to write into, and beside each what one's own bound says."""
    if len(sheet.rows) < MOST_ROWS:
        sheet.rows.append(Row(len(sheet.rows), dict.fromkeys(COLUMNS, "")))
    for row in sheet.rows:
        row.mine = _mine(sheet, row)


def _mine(sheet: Sheet, row: Row) -> Mine | None:
    if row.is_blank:
        return None
    resource = next((e for e in sheet.resources if e.slug == row.typed["resource"]), None)
    zone = next((e for e in sheet.zones if zone_key(e) == row.typed["zone"]), None)
    about = [each for each in sheet.held if each.covers(resource, zone)]
    return own_words(about, resource)
