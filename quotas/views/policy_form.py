"""The form of a rule: what was typed, and which terms it means."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.lib.amounts import AmountError, input_text, parse_amount
from portal.lib.errors import Invalid
from projects.models import Delegation, ProjectKind
from quotas.actions.policies import MAX_NAME, Terms
from quotas.models import Policy, PolicyVersion, Resource, Zone
from quotas.states import Direction

ANY = ""


class NumberField(forms.IntegerField):
    """A whole number that the domain judges, or nothing."""

    def __init__(self, **options: Any) -> None:
        messages = {"invalid": _("Write a whole number, or nothing.")}
        super().__init__(required=False, error_messages=messages, **options)
        self.widget.attrs.update({"min": 0, "inputmode": "numeric"})


class NameField(forms.CharField):
    """A line of text that the domain judges, and needs."""

    is_needed = True

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)
        self.widget.attrs["maxlength"] = MAX_NAME
        self.validators = []


class PolicyForm(forms.Form):
    """What a rule is about, and its conditions; whatever is empty is no condition."""

    name = NameField(label=_("Name"))
    delegation = forms.ChoiceField(label=_("Stands on"), required=False)
    direction = forms.ChoiceField(
        label=_("What it grants"), choices=Direction.choices, widget=forms.RadioSelect,
        required=False, initial=Direction.INCREASE,
    )  # fmt: skip
    resource = forms.ChoiceField(label=_("Resource"), required=False)
    zone = forms.ChoiceField(label=_("Zone"), required=False)
    project_kind = forms.ChoiceField(label=_("Kind of project"), required=False)
    most_percent = NumberField(
        label=_("By at most, in % of the quota"), help_text=_("Of what the project has then.")
    )
    most_amount = forms.CharField(
        label=_("By at most"), required=False, max_length=40,
        help_text=_("Of one resource: 32, 64G, 2T."),
    )  # fmt: skip
    every_days = NumberField(
        label=_("At most once in so many days"),
        help_text=_("For one project and resource in a zone, whichever rule granted it."),
    )
    envelope_left_percent = NumberField(
        label=_("More than this % of the envelope is left"), help_text=_("Afterwards.")
    )
    zone_left_percent = NumberField(
        label=_("More than this % of the zone is left"), help_text=_("Afterwards.")
    )
    usage_above_percent = NumberField(
        label=_("More than this % of the quota was in use"),
        help_text=_("At its highest in the last 30 days."),
    )

    def __init__(self, *args: Any, held: list[Delegation], **options: Any) -> None:
        super().__init__(*args, **options)
        self.resources = {each.slug: each for each in Resource.objects.all()}
        zones = Zone.objects.select_related("region").order_by("region__slug", "order", "slug")
        self.zones = {f"{each.region.slug}.{each.slug}": each for each in zones}
        self.held = {str(each.pk): each for each in held}
        self._choices(
            "delegation", [(pk, f"{each} · {each.unit.label}") for pk, each in self.held.items()]
        )
        self._choices(
            "resource",
            [(ANY, _("Anything")), *((slug, row.name) for slug, row in self.resources.items())],
        )
        self._choices(
            "zone",
            [
                (ANY, _("Every zone")),
                *((key, f"{row.name}, {row.region.name}") for key, row in self.zones.items()),
            ],
        )
        self._choices("project_kind", [(ANY, _("Any")), *ProjectKind.choices])
        if len(held) < 2:
            del self.fields["delegation"]

    def _choices(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
        field.choices = choices

    def clean_most_amount(self) -> int | None:
        """The amount in the units of the resource that is chosen."""
        text = self.cleaned_data.get("most_amount", "").strip()
        if not text:
            return None
        resource = self.resources.get(self.cleaned_data.get("resource", ""))
        if resource is None:
            raise forms.ValidationError(_("An amount is of one resource: choose which."))
        try:
            return parse_amount(text, unit=resource.unit, current=0, step=resource.step)
        except AmountError as error:
            raise forms.ValidationError(error.sentence) from error

    @property
    def chosen(self) -> Delegation | None:
        """The delegation that it is to stand on; None: the nearest."""
        return self.held.get(self.cleaned_data.get("delegation") or "")

    @property
    def title(self) -> str:
        return str(self.cleaned_data.get("name") or "")

    def terms(self) -> Terms:
        """What the fields mean; raises Invalid for what cannot be read."""
        if self.errors:
            raise Invalid({name: [str(each) for each in self.errors[name]] for name in self.errors})
        read = dict(self.cleaned_data)
        for name in ("name", "delegation"):
            read.pop(name, None)
        return Terms(
            **read
            | {
                "direction": read["direction"] or Direction.INCREASE,
                "resource": self.resources.get(read["resource"]),
                "zone": self.zones.get(read["zone"]),
            }
        )


def initial_of(policy: Policy, version: PolicyVersion) -> dict[str, Any]:
    """What the form starts from where a rule is revised."""
    found: dict[str, Any] = {
        name: getattr(version, name)
        for name in (
            "direction", "project_kind", "most_percent", "every_days", "envelope_left_percent",
            "zone_left_percent", "usage_above_percent",
        )
    }  # fmt: skip
    zone, resource = version.zone, version.resource
    amount = version.most_amount
    return found | {
        "name": policy.name,
        "resource": resource.slug if resource else ANY,
        "zone": f"{zone.region.slug}.{zone.slug}" if zone else ANY,
        "most_amount": "" if amount is None or resource is None
        else input_text(amount, resource.unit),
    }  # fmt: skip
