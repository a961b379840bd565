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


class LifeForm(forms.Form):
    """A form of which several stand on one page: ids by its verb."""

    verb = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"auto_id": f"{self.verb}-%s", **options})


class ExtendForm(LifeForm):
    verb = "extend"
    until_on = DayField(label=_("Until the end of"))
    reason = _why()


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


class LoanKeepForm(LifeForm):
    """`seen`: the outstanding amount that the page showed, in base units."""

    verb = "loan"
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    reason = _why()


class LoanExtendForm(LoanKeepForm):
    until_on = forms.DateField(
        label=_("Until the end of"),
        error_messages={
            "invalid": _("That is no day. Write it as 2027-03-31."),
            "required": _("Choose the last day."),
        },
    )


class LoanAskForm(LifeForm):
    """Until when, or for good: the button says which."""

    verb = "loan"
    until_on = DayField(label=_("Until the end of"))
    for_good = forms.BooleanField(required=False)
    reason = _why()

    def clean(self) -> dict[str, Any]:
        sent: dict[str, Any] = super().clean() or {}
        is_for_good = sent.pop("for_good", False)
        if is_for_good:
            sent["until_on"] = None
        elif sent.get("until_on") is None and "until_on" not in self.errors:
            self.add_error("until_on", _("Choose the last day."))
        return sent


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


class PersonLeaveForm(LifeForm):
    verb = "leave-site"
    reason = _why(is_needed=True)


class OrphanForm(LifeForm):
    """`holder`: "person:<uuid>", who shall own it."""

    verb = "offer-orphan"
    holder = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    reason = _why()
