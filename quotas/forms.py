"""What people type into the pages about quota, and what it means: no rule of the domain.

What was typed is kept as it was, so that a form that is refused comes back whole.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.lib.amounts import AmountError, input_text, parse_amount
from quotas.actions.endpoints import MAX_REASON
from quotas.actions.wishes import MAX_TEXT, Wish
from quotas.models import Offering

STAYS, DATE = "stays", "date"
PREFIX = "amount-"


@dataclass
class Amounts:
    """Amounts typed into rows: the texts, what they mean, and what is wrong with which.

    Keys are those of the rows (an offering's slug, a line's id) as text. `unread` names the
    rows of texts that are no amount: those sentences do not say whose they are.
    """

    typed: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def input(self, key: str) -> "LineInput":
        """The input of one row."""
        return LineInput(key, self.typed.get(key, ""), self.errors.get(key, ""))

    def take_errors(self, errors: Mapping[str, str]) -> dict[str, str]:
        """Keep the domain's errors about lines; returns those about something else."""
        rest = dict(errors)
        for name, sentence in errors.items():
            if name.startswith("lines."):
                self.errors.setdefault(name.removeprefix("lines."), sentence)
                del rest[name]
        return rest

    def summary(self, keys: Collection[str]) -> list[tuple[str, str]]:
        """[(id of the input, sentence)] for the summary; keys: the rows that there are."""
        return [
            (input_id(key), self._named(key, sentence))
            if key in keys
            else ("", f"{key[:125]}: {sentence}")
            for key, sentence in self.errors.items()
        ]

    def _named(self, key: str, sentence: str) -> str:
        name = self.unread.get(key)
        return f"{name}: {sentence}" if name else sentence


@dataclass(frozen=True)
class AmountRow:
    """What a row's text is read against: its unit, its step, and the quota now."""

    key: str
    offering: Offering
    current: int


@dataclass(frozen=True)
class LineInput:
    """A row's input as the page shows it: its text as typed, and what is wrong with it."""

    key: str
    text: str = ""
    error: str = ""

    @property
    def name(self) -> str:
        return PREFIX + self.key

    @property
    def id(self) -> str:
        return input_id(self.key)

    @property
    def is_one(self) -> bool:
        """Whether an access is asked for, as a total or as a change."""
        return self.text.strip() in ("1", "+1")


def input_id(key: str) -> str:
    """The id of a row's input; without the dots of a slug, which CSS reads as classes."""
    return PREFIX + key.replace(".", "_")


def typed_amounts(data: Mapping[str, Any]) -> dict[str, str]:
    """{key: text} of every amount in a POST or GET, empty ones too."""
    return {
        name.removeprefix(PREFIX): str(value)
        for name, value in data.items()
        if name.startswith(PREFIX)
    }


def read_amounts(typed: Mapping[str, str], rows: Iterable[AmountRow]) -> Amounts:
    """Read each row's text; empty leaves a row as it is, an unknown key is an error."""
    amounts = Amounts(typed=dict(typed))
    known = {row.key: row for row in rows}
    for key, text in typed.items():
        if not text.strip():
            continue
        row = known.get(key)
        if row is None:
            amounts.errors[key] = str(
                _("There is no such offering; the catalogue lists what can be asked for.")
            )
            continue
        resource = row.offering.resource
        try:
            amounts.wanted[key] = parse_amount(
                text, unit=resource.quota_unit, current=row.current, step=resource.step
            )
        except AmountError as error:
            amounts.errors[key] = error.sentence
            words = {"resource": resource.name, "zone": row.offering.zone.name}
            amounts.unread[key] = str(_("%(resource)s in %(zone)s") % words)
    return amounts


def amount_texts(wanted: Mapping[Offering, int]) -> dict[str, str]:
    """{offering's slug: text} that reads back as exactly these amounts."""
    return {
        offering.slug: input_text(amount, offering.resource.unit)
        for offering, amount in wanted.items()
    }


class TextField(forms.CharField):
    """A text that the domain judges, for the API alike: its length and its characters."""

    def __init__(
        self, *, rows: int, most: int = MAX_TEXT, is_needed: bool = False, **options: Any
    ) -> None:
        # Whether the page says that it can be left empty.
        self.is_needed = is_needed
        widget = forms.Textarea(attrs={"rows": rows, "maxlength": most})
        super().__init__(required=False, strip=False, widget=widget, **options)
        # NUL is a control character like the others: one sentence about it is enough.
        self.validators = []


class WishForm(forms.Form):
    """How long, why, and all or nothing; the amounts are rows beside it."""

    until = forms.ChoiceField(
        label=_("Until"),
        choices=[(STAYS, _("It stays")), (DATE, _("Until the end of"))],
        widget=forms.RadioSelect,
        initial=STAYS,
        required=False,
    )
    until_on = forms.DateField(
        label=_("Until the end of"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": _("That is no day. Write it as 2027-03-31.")},
    )
    reason = TextField(label=_("Why"), rows=4)
    all_or_nothing = forms.BooleanField(
        label=_("All or nothing: apply no line before every line is approved"), required=False
    )

    def clean(self) -> dict[str, Any]:
        """A date that was typed counts only where "until" is picked, and is needed there."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("until") == DATE:
            if cleaned.get("until_on") is None and "until_on" not in self.errors:
                self.add_error("until_on", _("Choose the last day, or “It stays”."))
        else:
            cleaned["until_on"] = None
            self.errors.pop("until_on", None)
        return cleaned

    def wish(self, wanted: Mapping[str, int]) -> Wish:
        """The wish of a valid form; wanted: {offering's slug: absolute limit}."""
        return Wish(
            wanted=dict(wanted),
            reason=self.cleaned_data["reason"],
            until_on=self.cleaned_data["until_on"],
            all_or_nothing=self.cleaned_data["all_or_nothing"],
        )

    @staticmethod
    def initial_of(reason: str, until_on: date | None, all_or_nothing: bool) -> dict[str, Any]:
        """What a form starts from where there was a request before."""
        return {
            "reason": reason,
            "until": DATE if until_on else STAYS,
            "until_on": until_on,
            "all_or_nothing": all_or_nothing,
        }


class TextForm(forms.Form):
    """One text: a comment, or an answer."""

    text = TextField(label=_("Text"), rows=3)


class CloseForm(forms.Form):
    """Why an endpoint is paused or made read-only, and until when; in the reader's zone."""

    reason = TextField(label=_("Why"), rows=3, most=MAX_REASON, is_needed=True)
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
        error_messages={"invalid": _("That is no moment. Write it as 2027-03-31 14:00.")},
    )
    # The word that is changed; empty: it is closed anew.
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)


class DayField(forms.DateField):
    """A day that the domain judges, and needs."""

    is_needed = True

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        messages = {"invalid": _("That is no day. Write it as 2027-03-31.")}
        super().__init__(required=False, widget=widget, error_messages=messages, **options)


class IgnoreForm(forms.Form):
    """Until the end of which day a drift is left as it is, and why."""

    until_on = DayField(label=_("Until the end of"))
    reason = TextField(label=_("Why"), rows=3, most=MAX_REASON, is_needed=True)


class AdoptForm(forms.Form):
    """Which offering takes the difference of an adopted limit, and a word about it."""

    offering = forms.CharField(required=False, max_length=125, label=_("Who takes it"))
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    reason = TextField(label=_("A word about it"), rows=3, most=1000)


class PassingForm(forms.Form):
    """A word about an act on a unit or its envelopes, which may be left empty."""

    reason = TextField(label=_("Why"), rows=2, most=400)


class DaysField(forms.IntegerField):
    """Working days; empty: as the unit above says."""

    def __init__(self, *, low: int, **options: Any) -> None:
        messages = {"invalid": _("Write a whole number of days, or nothing.")}
        super().__init__(required=False, error_messages=messages, **options)
        self.widget.attrs.update({"min": low, "inputmode": "numeric"})


class WaitingForm(forms.Form):
    """How long requests below a unit wait for a reminder, and before they go up."""

    remind_after_days = DaysField(low=0, label=_("Remind those who decide after"))
    escalate_after_days = DaysField(low=1, label=_("Hand up one level after"))


class ThresholdsForm(forms.Form):
    """Shares of its limits at which a project's people are told: whole per cents with commas."""

    percents = forms.CharField(label=_("Per cents"), required=False, max_length=40)

    def clean_percents(self) -> list[int]:
        """Read "50, 90"; whether they may be chosen is for the action to say."""
        parts = self.cleaned_data["percents"].replace("%", " ").replace(",", " ").split()
        if not all(each.isascii() and each.isdecimal() and len(each) < 4 for each in parts):
            raise forms.ValidationError(_("Write whole per cents with commas between them: 50, 90"))
        return [int(each) for each in parts]


class AmendForm(forms.Form):
    """The reason of a request that is changed before it is decided."""

    reason = TextField(label=_("Why"), rows=4)


def version_in(data: Mapping[str, Any]) -> int:
    """The version that a page was made from; -1, which none ever has, where it is no number."""
    text = str(data.get("version", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def take_errors(form: forms.Form, errors: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Put the domain's errors at the fields of a form; returns those that are not its own."""
    rest: dict[str, str] = {}
    for name, sentences in errors.items():
        if name in form.fields:
            for sentence in sentences:
                form.add_error(name, sentence)
        else:
            rest[name] = " ".join(str(each) for each in sentences)
    return rest
