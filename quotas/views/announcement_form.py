"""The forms of an announcement: what was typed, and which words and people it means."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from projects.states import ROLES_ABOVE_READER, Role
from quotas.actions.announcements import Words
from quotas.forms import TextField
from quotas.models import Announcement, Zone
from quotas.queries.announcements import called
from quotas.states import AnnouncedTo


class LineField(forms.CharField):
    """A line of text that the domain judges, and needs."""

    is_needed = True

    def __init__(self, *, most: int, **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)
        self.widget.attrs["maxlength"] = most
        self.validators = []


class ChoicesField(forms.MultipleChoiceField):
    """Ticks that the domain judges: it says what there is not, for the API alike."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def validate(self, value: list[Any]) -> None:
        return None


class MomentField(forms.DateTimeField):
    """A moment in the reader's zone, or nothing."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
        messages = {"invalid": _("That is no moment. Write it as 2027-03-31 14:00.")}
        super().__init__(required=False, widget=widget, error_messages=messages, **options)


class AnnouncementForm(forms.Form):
    """What it says, to whom, and until when it stands on their pages."""

    subject = LineField(label=_("Subject"), most=Announcement.MAX_SUBJECT)
    text = TextField(label=_("Text"), rows=8, most=Announcement.MAX_TEXT, is_needed=True)
    banner_until = MomentField(label=_("Banner until"))
    zones = ChoicesField(label=_("Zones"))
    who = forms.ChoiceField(
        label=_("Projects"), choices=AnnouncedTo.choices, widget=forms.RadioSelect,
        required=False, initial=AnnouncedTo.EITHER,
    )  # fmt: skip
    roles = ChoicesField(
        label=_("Whoever is there"), choices=Role.choices,
        initial=[role.value for role in ROLES_ABOVE_READER],
    )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        zones = Zone.objects.select_related("region")
        field = self.fields["zones"]
        assert isinstance(field, ChoicesField)  # noqa: S101 - as declared above
        field.choices = [(called(each), f"{each.name} ({each.region.name})") for each in zones]

    def words(self) -> Words:
        """What the fields mean, those that could be read; call `is_valid` first."""
        read = self.cleaned_data
        return Words(
            subject=read.get("subject", ""), text=read.get("text", ""),
            zones=read.get("zones", []), who=read.get("who") or "", roles=read.get("roles", []),
            banner_until=read.get("banner_until"),
        )  # fmt: skip


class ScheduleForm(forms.Form):
    """When it is to be sent."""

    starts_at = MomentField(label=_("Send it at"))


def initial_of(announcement: Announcement) -> dict[str, Any]:
    """What the form starts from where an announcement is changed."""
    return {
        "subject": announcement.subject,
        "text": announcement.text,
        "banner_until": announcement.banner_until,
        "zones": [called(each) for each in announcement.zones.all()],
        "who": announcement.who,
        "roles": announcement.roles,
    }
