"""The forms by which a project's life and people are changed: what is typed, no rule."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from projects.states import Role
from quotas.actions.lives import MAX_REASON
from quotas.forms import DayField, TextField

NO_ROLE = ""


def _why(*, is_needed: bool = False) -> TextField:
    return TextField(label=_("Why"), rows=2, most=MAX_REASON, is_needed=is_needed)


def _with_a_day(form: forms.Form, sent: dict[str, Any]) -> dict[str, Any]:
    """What was sent; it is wrong without a last day."""
    if sent.get("until_on") is None and "until_on" not in form.errors:
        form.add_error("until_on", _("Choose the last day."))
    return sent


class LifeForm(forms.Form):
    """A form of which several stand on one page: ids by its verb."""

    verb = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"auto_id": f"{self.verb}-%s", **options})


class ExtendForm(LifeForm):
    verb = "extend"
    until_on = DayField(label=_("Until the end of"))
    reason = _why()

    def clean(self) -> dict[str, Any]:
        return _with_a_day(self, super().clean() or {})


class MoveForm(LifeForm):
    verb = "move"
    unit = forms.SlugField(required=False, max_length=63, widget=forms.HiddenInput)
    reason = _why()


class CloseForm(LifeForm):
    verb = "close"
    reason = _why()


class KeepForm(LifeForm):
    verb = "keep"
    ends_on = DayField(label=_("Until the end of"), help_text=_("Empty: it stays."))
    reason = _why()


class SuspendForm(LifeForm):
    verb = "suspend"
    reason = _why(is_needed=True)


class ResumeForm(LifeForm):
    verb = "resume"
    reason = _why()


class HoldForm(LifeForm):
    verb = "hold"
    until_on = DayField(
        label=_("Until the end of"), help_text=_("Empty: until somebody releases it.")
    )
    reason = _why(is_needed=True)


class LoanForm(LifeForm):
    """One of a loan, for good or until a day: the button says which.

    `seen`: the outstanding amount that the page showed, in base units.
    """

    until_on = DayField(label=_("Until the end of"))
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    reason = _why()

    def __init__(self, *args: Any, loan: int, is_for_good: bool = False, **options: Any) -> None:
        super().__init__(*args, **{"auto_id": f"loan-{loan}-%s", **options})
        self.is_for_good = is_for_good

    def clean(self) -> dict[str, Any]:
        sent: dict[str, Any] = super().clean() or {}
        if not self.is_for_good:
            return _with_a_day(self, sent)
        self.errors.pop("until_on", None)
        return {**sent, "until_on": None}


class MemberForm(LifeForm):
    """Who, as "person:<uuid>", the role, and the one that the page showed."""

    verb = "member"
    holder = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    seen = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)


class OfferForm(LifeForm):
    """To whom, and the role that the owner has then."""

    verb = "offer"
    holder = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    then = forms.ChoiceField(
        label=_("Your role then"), required=False, choices=[(NO_ROLE, _("none")), *Role.choices]
    )
    reason = _why()


class AskBackForm(LifeForm):
    verb = "ask-back"
    reason = TextField(label=_("What to say to them"), rows=2, most=MAX_REASON, is_needed=False)


class PersonLeaveForm(LifeForm):
    verb = "leave-site"
    reason = _why(is_needed=True)


class OrphanForm(LifeForm):
    """`holder`: "person:<uuid>", who shall own it."""

    verb = "offer-orphan"
    holder = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    reason = _why()
