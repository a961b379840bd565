"""Endpoints, targets and events, as they go out; for operators in the services' own words."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Event
from quotas.api.fields import Input, Text, Whole
from quotas.models import Endpoint, EndpointWord, SurveyRun, Target
from quotas.queries.operations import EndpointRow
from quotas.states import EndpointState, TargetState

from .people import Person, ProjectRef


class SurveyRunSerializer(serializers.ModelSerializer[SurveyRun]):
    """The last reading of all projects at once, and what kept one since from ending."""

    class Meta:
        model = SurveyRun
        fields = (
            "ended_at", "project_count", "call_count", "next_at", "failed_at", "error_code",
            "error_words",
        )  # fmt: skip


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """One service of one region; `targets` counts its projects by state.

    `calls` says how many are under way, how many may be at once and a second (0: no limit),
    all workers together. `state_reason` of a service that does not answer is its own words,
    and null for who may not read them.
    """

    region = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    identity = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    state = serializers.ChoiceField(choices=EndpointState.values)
    state_by = Person(allow_null=True)
    state_reason = serializers.SerializerMethodField()
    calls = serializers.SerializerMethodField()
    targets = serializers.SerializerMethodField()
    waiting_count = serializers.SerializerMethodField()
    gaps = serializers.SerializerMethodField()
    survey = SurveyRunSerializer(
        source="survey_run",
        allow_null=True,
        default=None,
        help_text="When all projects were last read in one go; null: the service cannot.",
    )

    class Meta:
        model = Endpoint
        fields = (
            "slug", "name", "region", "driver", "cloud", "region_name", "identity", "state",
            "state_reason", "state_by", "state_since", "state_until", "failure_count",
            "failing_since", "answered_at", "next_probe_at", "calls", "targets", "waiting_count",
            "gaps", "gaps_since", "survey",
        )  # fmt: skip

    def get_state_reason(self, endpoint: Endpoint) -> str | None:
        row = self._row(endpoint)
        return endpoint.state_reason if row.is_closed or row.reads_words else None

    def get_gaps(self, endpoint: Endpoint) -> list[str]:
        """What the service cannot look into since `gaps_since`: use is told too low.

        In its own words; none for who may not read them.
        """
        return list(endpoint.gaps) if self._row(endpoint).reads_words else []

    def get_calls(self, endpoint: Endpoint) -> dict[str, int]:
        row = self._row(endpoint)
        return {
            "now": row.calls, "at_once": row.calls_at_once, "per_second": row.calls_per_second
        }  # fmt: skip

    def get_targets(self, endpoint: Endpoint) -> dict[str, int]:
        return dict(self._row(endpoint).counts)

    def get_waiting_count(self, endpoint: Endpoint) -> int:
        return self._row(endpoint).waiting_count

    def _row(self, endpoint: Endpoint) -> EndpointRow:
        found: EndpointRow = self.context["rows"][endpoint.pk]
        return found


class CloseInput(Input):
    """Why a service is paused or made read-only, and until when; without an end, until resumed."""

    reason = Text(help_text="At most 500 characters; requesters read it.")
    until = serializers.DateTimeField(required=False, allow_null=True)
    seen = Whole(
        required=False,
        help_text="To change it in place: the id of the newest of its words, as you saw it.",
    )


class EndpointWordSerializer(serializers.ModelSerializer[EndpointWord]):
    """What somebody said as they closed a service, changed that or opened it again.

    `state` is the one that they gave it; no `actor`: it opened by itself.
    """

    state = serializers.ChoiceField(choices=EndpointState.values)
    actor = Person(allow_null=True)

    class Meta:
        model = EndpointWord
        fields = ("id", "state", "reason", "until", "actor", "at")


class AdoptProjectInput(Input):
    """Which project is adopted: the id that `name_taken_by` says."""

    external_id = serializers.CharField(max_length=255)


class NameTakenBy(serializers.Serializer[Any]):
    """The project of an identity service that has the name and is not Remit's."""

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    is_enabled = serializers.BooleanField()
    tags = serializers.ListField(child=serializers.CharField())


class TargetSerializer(serializers.ModelSerializer[Target]):
    """What must become true for a project at an endpoint, and how far that is.

    `name_taken_by`: of an identity endpoint that refused as `name_taken`; else null.
    """

    project = ProjectRef()
    endpoint = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    state = serializers.ChoiceField(choices=TargetState.values)
    name_taken_by = serializers.SerializerMethodField()

    class Meta:
        model = Target
        fields = (
            "id", "project", "endpoint", "state", "generation", "applied_generation",
            "applied_at", "observed_at", "next_try_at", "failure_count", "error_id",
            "error_kind", "error_code", "error_words", "error_at", "skip_reason", "name_taken_by",
        )  # fmt: skip

    @extend_schema_field(NameTakenBy(allow_null=True))
    def get_name_taken_by(self, target: Target) -> Any:
        is_taken = target.error_code == "name_taken" and target.name_taken_by
        return NameTakenBy(target.name_taken_by).data if is_taken else None


class EventSerializer(serializers.ModelSerializer[Event]):
    """One act. It holds ids and figures only; `place` is where to read on after it."""

    place = serializers.SerializerMethodField()
    actor = serializers.UUIDField(source="actor.public_id", allow_null=True, default=None)
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    unit = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    data = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]  # a field

    class Meta:
        model = Event
        fields = (
            "id", "place", "at", "actor", "verb", "project", "unit", "subject_kind",
            "subject_id", "data",
        )  # fmt: skip

    def get_place(self, event: Event) -> str:
        return f"{event.xid}.{event.pk}"


class Feed(serializers.Serializer[Any]):
    """Events in the order of the record; send `after` back to read on."""

    results = EventSerializer(many=True)
    after = serializers.CharField(help_text="Where to read on; the one sent, if nothing came.")


class RetriedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="How many targets are due now.")
