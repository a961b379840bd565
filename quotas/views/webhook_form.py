"""What people type about a webhook."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from projects.actions.webhooks import MAX_NAME, Terms
from projects.outgoing.addresses import MAX_URL
from projects.outgoing.event_types import TYPES
from projects.queries.events import Place

NEVER = 0


class LineField(forms.CharField):
    """A line of text that the domain judges, and needs."""

    is_needed = True

    def __init__(self, most: int, **options: Any) -> None:
        super().__init__(required=False, **options)
        self.widget.attrs["maxlength"] = most


class TypesField(forms.MultipleChoiceField):
    """Some types of events; which there are the domain judges."""

    widget = forms.CheckboxSelectMultiple

    def validate(self, value: Any) -> None:
        """An unknown one gets the domain's sentence."""


class WebhookForm(forms.Form):
    name = LineField(MAX_NAME, label=_("Name"))
    url = LineField(MAX_URL, label=_("Address"))
    types = TypesField(
        label=_("Types of events"), required=False, choices=[(each, each) for each in TYPES]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["url"].widget.attrs.update({"inputmode": "url", "autocomplete": "off"})

    def terms(self) -> Terms:
        values = self.cleaned_data
        return Terms(values.get("name", ""), values.get("url", ""), values.get("types", []))

    @property
    def chosen_count(self) -> int:
        """How many types are chosen, as typed or as they were."""
        return len(self["types"].value() or [])

    @property
    def seen(self) -> int:
        """The version that the page showed."""
        text = self.data.get("version", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else NEVER


class ReplayForm(forms.Form):
    since = forms.DateTimeField(
        label=_("Since"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
        error_messages={"invalid": _("That is no moment. Write it as 2026-11-20T08:00.")},
    )
    after = forms.CharField(label=_("Or after the event at"), required=False, max_length=40)

    def clean_after(self) -> Place | None:
        text = self.cleaned_data["after"].strip()
        if not text:
            return None
        try:
            return Place.read(text)
        except ValueError:
            sentence = _("Give the place of an event, as the log shows it: 812.1047.")
            raise forms.ValidationError(sentence) from None
