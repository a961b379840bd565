"""Drift, how much was looked at, and the verbs on it, as they go out and in."""

from typing import Any

from rest_framework import serializers

from quotas.api.fields import Input, LineIds, Text, Whole
from quotas.models import Drift, Target
from quotas.queries.drift_words import sentence_of, why_not_adopt, why_not_restore
from quotas.queries.repairers import Repairs
from quotas.states import DriftEnd, DriftKind, DriftPolicy, EndpointState

from .people import ProjectRef


class DriftSerializer(serializers.ModelSerializer[Drift]):
    """One difference between a cloud and what was applied there; amounts in base units.

    `seen` −1 is the service's word for unlimited. Of use above a limit, `wanted` is the limit
    that was seen and `seen` the use. The two `why_not` say what helps instead; empty where the
    verb applies.
    """

    project = ProjectRef(source="target.project")
    endpoint = serializers.CharField(source="target.endpoint.slug")
    limit = serializers.CharField(source="limit.key", default=None, allow_null=True)
    unit = serializers.CharField(source="limit.unit", default="")
    kind = serializers.ChoiceField(choices=DriftKind.values)
    end = serializers.ChoiceField(choices=["", *DriftEnd.values])
    sentence = serializers.SerializerMethodField()
    decision = serializers.IntegerField(source="decision_id", allow_null=True)
    restore_asked_by = serializers.UUIDField(
        source="restore_asked_by.public_id", allow_null=True, default=None,
        help_text="Null where the endpoint's policy asked.",
    )  # fmt: skip
    ignored_by = serializers.UUIDField(source="ignored_by.public_id", allow_null=True, default=None)
    ignore_reason = serializers.SerializerMethodField(
        help_text="Null for who does not repair there: it is said among those who do."
    )
    why_not_restore = serializers.SerializerMethodField()
    why_not_adopt = serializers.SerializerMethodField()

    class Meta:
        model = Drift
        fields = (
            "id", "project", "endpoint", "limit", "unit", "kind", "wanted", "seen", "seen_name",
            "sentence", "found_at", "confirmed_at", "ignored_until", "ignored_by",
            "ignore_reason", "restore_asked_at", "restore_asked_by", "ended_at", "end",
            "decision", "why_not_restore", "why_not_adopt",
        )  # fmt: skip

    def get_sentence(self, drift: Drift) -> str:
        return sentence_of(drift)

    def get_ignore_reason(self, drift: Drift) -> str | None:
        repairs: Repairs = self.context["repairs"]
        target = drift.target
        is_reader = repairs.may_read_words(target.endpoint, target.project.unit.path)
        return drift.ignore_reason if is_reader else None

    def get_why_not_restore(self, drift: Drift) -> str:
        return why_not_restore(drift)

    def get_why_not_adopt(self, drift: Drift) -> str:
        return why_not_adopt(drift)


class CoverageSerializer(serializers.Serializer[Any]):
    """How much of an endpoint was looked at; what is not fresh is not known to be fine."""

    endpoint = serializers.CharField(source="endpoint.slug")
    state = serializers.ChoiceField(choices=EndpointState.values, source="endpoint.state")
    policy = serializers.ChoiceField(choices=DriftPolicy.values, source="endpoint.drift_policy")
    targets = serializers.IntegerField(source="target_count")
    fresh = serializers.IntegerField(source="fresh_count", help_text="Read lately.")
    gone = serializers.IntegerField(
        source="gone_count",
        help_text="Nothing to read, as the project is gone from the cloud or disabled.",
    )
    stale = serializers.IntegerField(source="stale_count")
    unread = serializers.IntegerField(source="unread_count", help_text="Never read.")
    unanswered = serializers.IntegerField(
        source="unanswered_count", help_text="Whose last look saw nothing."
    )
    oldest_at = serializers.DateTimeField(allow_null=True)
    drift = serializers.IntegerField(source="drift_count")


class UnansweredSerializer(serializers.ModelSerializer[Target]):
    """A target whose last look saw nothing, in the service's own words."""

    project = ProjectRef()
    endpoint = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = Target
        fields = (
            "id", "project", "endpoint", "observed_at", "looked_at", "look_error_code",
            "look_error_words",
        )  # fmt: skip


class IgnoreInput(Input):
    until_on = serializers.DateField(
        default=None, allow_null=True, help_text="The last day, in the site's zone; required."
    )
    reason = Text(default="", help_text="Required; at most 500 characters.")


class AdoptInput(Input):
    seen = Whole(help_text="The limit that you saw, in base units: 412 where it has changed.")
    offering = Text(
        default="", help_text="Which offering takes the difference, where several feed the limit."
    )
    reason = Text(default="", help_text="At most 1,000 characters.")


class ManyDriftInput(Input):
    drift = LineIds(help_text="The ids.")


class ManyIgnoreInput(IgnoreInput):
    drift = LineIds(help_text="The ids.")
