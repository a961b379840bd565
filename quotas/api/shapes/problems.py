"""Causes of what is not applied, and the verbs on them, as they go out and in."""

from typing import Any

from rest_framework import serializers

from quotas.api.fields import Input, Text, Whole
from quotas.problems import Remedy
from quotas.queries.problems import Group


class CauseSerializer(serializers.Serializer[Any]):
    """One known problem at one endpoint, and how many targets it holds up.

    `cause` and `endpoint` are how the other addresses name it; a cause with dots is not known
    yet. `example` is in the service's own words.
    """

    cause = serializers.CharField(source="id")
    endpoint = serializers.CharField(source="endpoint.slug")
    title = serializers.CharField(source="problem.title")
    is_known = serializers.BooleanField(source="problem.is_known")
    count = serializers.IntegerField()
    trying = serializers.IntegerField(help_text="How many are being tried again right now.")
    since = serializers.DateTimeField(allow_null=True)
    example = serializers.CharField()
    meaning = serializers.CharField(source="problem.for_operators")
    fix = serializers.CharField(source="problem.fix")
    for_people = serializers.SerializerMethodField(help_text="What requesters read.")
    remedy = serializers.ChoiceField(
        choices=[each.value for each in Remedy], source="problem.remedy"
    )
    automatic = serializers.BooleanField(source="problem.automatic")

    def get_for_people(self, group: Group) -> str:
        return group.problem.for_people % {"name": group.endpoint.name}


class WorkListSerializer(serializers.Serializer[Any]):
    """All causes, those that hold up most first; never more than codes × endpoints × 50."""

    results = CauseSerializer(source="groups", many=True)
    count = serializers.IntegerField(help_text="How many targets in all.")
    is_rough = serializers.BooleanField(
        help_text="Of some codes the words are too many to look at: one example stands for all."
    )


class ManyInput(Input):
    """Which targets: ids, or all that have the cause where none are named."""

    targets = serializers.ListField(child=Whole(), required=False, allow_empty=False)


class ManyWithReasonInput(ManyInput):
    reason = Text(help_text="Required; at most 500 characters; requesters read it.")


class ReasonInput(Input):
    reason = Text(help_text="Required; at most 500 characters; requesters read it.")


class LeftOutSerializer(serializers.Serializer[Any]):
    """A limit of an endpoint, and whether it is left out there."""

    endpoint = serializers.CharField(source="endpoint.slug")
    key = serializers.CharField()
    left_out_at = serializers.DateTimeField(allow_null=True)
    left_out_reason = serializers.CharField()
