"""A project that is asked for, as it goes in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Project
from projects.states import ProjectState, Role

from ..fields import Amounts, Input, Slug, Text, Whole, YesNo
from .delegations import HolderInput
from .dry_run import RequestPlan
from .people import ProjectSerializer
from .requests import QuotaRequestSerializer

VERSION = "Of the project as you read it; or its ETag as If-Match."


class ProposedMember(Input):
    """Who will work in the project besides the caller, who becomes its owner."""

    holder = HolderInput()
    role = serializers.ChoiceField(choices=Role.values)


class ProjectInput(Input):
    """A new project with its first quota. Amounts are absolute limits in base units."""

    name = Text(help_text="What the clouds will call it.")
    purpose = Text(help_text="What it is for; who decides reads it.")
    unit = Slug(help_text="Where it will be: whoever decides projects and quota there decides it.")
    description = Text(default="", help_text="One line, which the clouds show.")
    ends_on = serializers.DateField(
        default=None, allow_null=True, help_text="Its last day; null: it stays."
    )
    members = ProposedMember(many=True, default=list)
    presets = serializers.ListField(
        child=Slug(), default=list, help_text="Presets whose amounts, added up, are asked for."
    )
    lines = Amounts(
        default=dict, help_text="{offering slug: limit}; these win over those of presets."
    )
    reason = Text(default="", help_text="Why so much; empty: the purpose says it.")
    until_on = serializers.DateField(
        default=None, allow_null=True, help_text="The last day of the quota; null: it stays."
    )
    all_or_nothing = YesNo(default=False)


class RenameInput(Input):
    name = Text()
    version = Whole(required=False, help_text=VERSION)


class ProposedProject(ProjectSerializer):
    """A project that was asked for, with the request that decides about it."""

    request = serializers.SerializerMethodField()

    class Meta(ProjectSerializer.Meta):
        fields = (*ProjectSerializer.Meta.fields, "request")  # type: ignore[assignment]  # longer

    @extend_schema_field(QuotaRequestSerializer)
    def get_request(self, _project: Project) -> Any:
        return QuotaRequestSerializer(self.context["request"], context=self.context).data


class PlannedProject(serializers.Serializer[Any]):
    """A project that would be there: `active` where rules would open it at once."""

    slug = serializers.CharField(help_text="Its address, if nobody takes it before.")
    name = serializers.CharField()
    unit = serializers.CharField(source="unit.slug")
    state = serializers.ChoiceField(choices=ProjectState.values)


class ProjectPlan(RequestPlan):
    """What asking for a project would do: the project, and what its request would."""

    project = PlannedProject()
