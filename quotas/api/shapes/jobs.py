"""Jobs and their items, as they go out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quotas.models import JobItem
from quotas.queries.jobs import JobRow, Subject
from quotas.states import ItemState, JobState

from .people import Person, ProjectRef


class JobSerializer(serializers.Serializer[Any]):
    """Long work and how far it is. `remaining_seconds` is a guess from the pace so far."""

    id = serializers.IntegerField(source="job.pk")
    kind = serializers.CharField(source="job.kind")
    state = serializers.ChoiceField(choices=JobState.values, source="job.state")
    actor = Person(source="job.actor")
    arguments = serializers.DictField(child=serializers.JSONField(), source="job.arguments")
    created_at = serializers.DateTimeField(source="job.created_at")
    started_at = serializers.DateTimeField(source="job.started_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="job.ended_at", allow_null=True)
    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="Not done; each item says why.")
    elapsed_seconds = serializers.SerializerMethodField()
    remaining_seconds = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["integer", "null"]})
    def get_elapsed_seconds(self, row: JobRow) -> int | None:
        return None if row.elapsed is None else round(row.elapsed.total_seconds())

    @extend_schema_field({"type": ["integer", "null"]})
    def get_remaining_seconds(self, row: JobRow) -> int | None:
        return None if row.remaining is None else round(row.remaining.total_seconds())


class JobItemSerializer(serializers.ModelSerializer[JobItem]):
    """One thing of a job; `words` say why it was not done."""

    state = serializers.ChoiceField(choices=ItemState.values)
    place = serializers.SerializerMethodField()
    project = serializers.SerializerMethodField()

    class Meta:
        model = JobItem
        fields = (
            "id", "subject_kind", "subject_id", "place", "project", "state", "words", "ended_at",
        )  # fmt: skip

    def get_place(self, item: JobItem) -> str:
        return self._subject(item).place

    @extend_schema_field(ProjectRef(allow_null=True))
    def get_project(self, item: JobItem) -> dict[str, Any] | None:
        project = self._subject(item).project
        return None if project is None else dict(ProjectRef(project).data)

    def _subject(self, item: JobItem) -> Subject:
        found: Subject = self.context["subjects"][item.pk]
        return found
