"""The plan of delivery, as it goes out, and how readings are asked for."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quotas.models import Target
from quotas.queries.plan import PlanLimit, PlanTarget, Verdict
from quotas.queries.plan_words import is_asked, project_warnings, warnings_of
from quotas.states import TargetState

from ..fields import Input, Whole
from .ledger import WarningSerializer
from .people import ProjectRef


class PlanLimitSerializer(serializers.Serializer[Any]):
    """One limit, in base units. `seen` −1 is the service's word for unlimited."""

    key = serializers.CharField(source="limit.key")
    name = serializers.CharField(source="limit.name")
    unit = serializers.CharField(source="limit.unit")
    granted = serializers.IntegerField(help_text="What the ledger says now.")
    seen = serializers.IntegerField(allow_null=True, help_text="The limit when last read.")
    used = serializers.IntegerField(allow_null=True)
    reserved = serializers.IntegerField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)
    verdict = serializers.ChoiceField(choices=Verdict.values)
    becomes = serializers.IntegerField(allow_null=True, help_text="Null where it is not known yet.")
    warnings = serializers.SerializerMethodField()

    @extend_schema_field(WarningSerializer(many=True))
    def get_warnings(self, row: PlanLimit) -> list[dict[str, Any]]:
        found = warnings_of(row, self.context["target"])
        return list(WarningSerializer(found, many=True).data)


class PlanTargetSerializer(serializers.Serializer[Target]):
    """What will become of the limits of a project at a service, by the last readings."""

    id = serializers.IntegerField()
    project = ProjectRef()
    state = serializers.ChoiceField(choices=TargetState.values)
    observed_at = serializers.DateTimeField(allow_null=True)
    is_asked = serializers.SerializerMethodField(
        help_text="A reading was asked for and has not come yet."
    )
    limits = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField(help_text="About the project as a whole.")

    def get_is_asked(self, target: Target) -> bool:
        return is_asked(target, self.context["now"])

    @extend_schema_field(PlanLimitSerializer(many=True))
    def get_limits(self, target: Target) -> list[dict[str, Any]]:
        rows = self._plan(target).limits
        return list(PlanLimitSerializer(rows, many=True, context={"target": target}).data)

    @extend_schema_field(WarningSerializer(many=True))
    def get_warnings(self, target: Target) -> list[dict[str, Any]]:
        found = project_warnings(self._plan(target).drifts)
        return list(WarningSerializer(found, many=True).data)

    def _plan(self, target: Target) -> PlanTarget:
        found: PlanTarget = self.context["plans"][target.pk]
        return found


class RefreshInput(Input):
    targets = serializers.ListField(
        child=Whole(), allow_empty=False, help_text="Ids of targets of this service, at most 50."
    )


class AskedSerializer(serializers.Serializer[Any]):
    """Readings that come; one has come when the target's `observed_at` is later than `at`."""

    targets = serializers.ListField(child=serializers.IntegerField(), source="target_ids")
    at = serializers.DateTimeField()
