"""The shape of what people type about themselves, and about programs of theirs."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.lib.plain import MOST_KEY
from projects.states import TokenScope


class SignInForm(AuthenticationForm):
    """A name and a password of a local account."""

    error_messages = {
        "invalid_login": _(
            "This name and password do not belong together. Look for a typing error."
        ),
        "inactive": _("This account is closed."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Name")
        self.fields["password"].label = _("Password")
        if settings.OIDC:
            # Most come for the button above.
            del self.fields["username"].widget.attrs["autofocus"]

    def clean_username(self) -> str:
        """No account has a name that does not fit; nor need its failures be counted."""
        name: str = self.cleaned_data["username"]
        if len(name) > MOST_KEY:
            raise self.get_invalid_login_error()
        return name


def _zones() -> list[tuple[str, Any]]:
    cities = sorted(each for each in available_timezones() if "/" in each)
    named = [each for each in cities if not each.startswith(("Etc/", "US/"))]
    return [("", _("as the site")), ("UTC", "UTC"), *((each, each) for each in named)]


class PreferencesForm(forms.Form):
    """The language and the time zone of one's pages."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=lambda: [("", _("as my browser says")), *settings.LANGUAGES],
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, choices=_zones)


class ScopesField(forms.MultipleChoiceField):
    """What a token may be used for; which there are, and that there is one, the domain judges."""

    widget = forms.CheckboxSelectMultiple
    is_needed = True

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=TokenScope.choices, required=False, **options)

    def validate(self, value: Any) -> None:
        """An unknown one gets the domain's sentence."""


class TokenForm(forms.Form):
    """What a token is for, what it may do, from where and until when."""

    name = forms.CharField(label=_("What for"), required=False, max_length=None)
    scopes = ScopesField(label=_("It may"), initial=[TokenScope.READ])
    networks = forms.CharField(
        label=_("From these networks"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    ends_on = forms.DateField(
        label=_("Until the end of"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": _("That is no day. Write it as 2027-03-31.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].is_needed = True  # type: ignore[attr-defined]  # read by the page
        self.fields["name"].widget.attrs["maxlength"] = 100

    def terms(self) -> dict[str, Any]:
        """What the action takes; the last day is one of the reader's own time zone."""
        values = self.cleaned_data
        return {
            "name": values["name"],
            "scopes": values["scopes"],
            "networks": values["networks"].replace(",", " ").split(),
            "ends_at": end_of(values["ends_on"]) if values["ends_on"] else None,
        }


class RotateForm(forms.Form):
    """For how long the old secret of a token goes on."""

    overlap = forms.TypedChoiceField(
        label=_("The old secret ends"),
        choices=[
            (0, _("now")), (1, _("in an hour")), (24, _("in a day")), (168, _("in a week")),
        ],
        coerce=int, initial=24, required=False, empty_value="0",
    )  # fmt: skip


class ServiceAccountForm(forms.Form):
    """A program's name and what it does."""

    name = forms.CharField(label=_("Name"), required=False)
    purpose = forms.CharField(label=_("What it does"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].is_needed = True  # type: ignore[attr-defined]  # read by the page
        self.fields["name"].widget.attrs["maxlength"] = 100
        self.fields["purpose"].widget.attrs["maxlength"] = 500


def end_of(day: date) -> datetime:
    """The first moment after a day, in the reader's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min)) + timedelta(days=1)
