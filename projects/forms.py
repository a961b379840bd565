"""The shape of what people type about themselves."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _


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
