"""At which shares of its limits a project's people are told, and which are reached."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from quotas.api.fields import Input, Whole
from quotas.models import UsageThresholds
from quotas.queries.crossings import CrossingRow


class CrossingSerializer(serializers.Serializer[CrossingRow]):
    """A limit that is close: the highest share that was reached; amounts as they were then."""

    endpoint = serializers.CharField(source="limit.endpoint.slug")
    key = serializers.CharField(source="limit.key")
    name = serializers.CharField(source="limit.name")
    unit = serializers.CharField(source="limit.unit")
    percent = serializers.IntegerField()
    used = serializers.IntegerField(help_text="With what is reserved.")
    limit = serializers.IntegerField(source="bound")
    crossed_at = serializers.DateTimeField()


class ThresholdsSerializer(serializers.Serializer[UsageThresholds]):
    """Whole per cents of a limit: the project's own, those of the site, and what is close now."""

    percents = serializers.ListField(child=serializers.IntegerField())
    of_site = serializers.SerializerMethodField()
    crossings = serializers.SerializerMethodField()

    def get_of_site(self, thresholds: UsageThresholds) -> list[int]:
        return list(settings.USAGE_THRESHOLDS)

    def get_crossings(self, thresholds: UsageThresholds) -> list[dict[str, Any]]:
        return list(CrossingSerializer(self.context["crossings"], many=True).data)


class ThresholdsInput(Input):
    """Whole per cents from 1 to 100, three at most; empty: those of the site alone."""

    percents = serializers.ListField(child=Whole(), max_length=20)
