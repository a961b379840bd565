"""A line of a timeline, as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import User
from quotas.queries.timeline_events import Told

from .people import Holder, Person


class TimelineEntrySerializer(serializers.Serializer[Any]):
    """Something that happened. `sentence`: in your language; `text`: what somebody wrote.

    `actor` null: the site itself, or a rule. `whom`: who got or lost a role. `amounts`: what was
    asked for, granted, lent or given back, in base units by offering. `delegation`: by which
    authority, where an act took one; of a decision `decision` tells more. `data`: ids and figures.
    """

    id = serializers.IntegerField(source="event.pk")
    at = serializers.DateTimeField(source="event.at")
    verb = serializers.CharField(source="event.verb")
    actor = Person(source="event.actor", allow_null=True)
    whom = serializers.SerializerMethodField()
    sentence = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    request = serializers.IntegerField(allow_null=True)
    decision = serializers.IntegerField(allow_null=True)
    delegation = serializers.IntegerField(allow_null=True)
    endpoint = serializers.SerializerMethodField()
    amounts = serializers.DictField(child=serializers.IntegerField())
    data = serializers.DictField(source="event.data", child=serializers.JSONField())  # type: ignore[assignment]  # a field

    @extend_schema_field(Holder(allow_null=True))
    def get_whom(self, entry: Told) -> dict[str, Any] | None:
        if entry.whom is None:
            return None
        kind = "person" if isinstance(entry.whom, User) else "group"
        return {"kind": kind, "id": entry.whom.public_id, "name": str(entry.whom)}

    def get_endpoint(self, entry: Told) -> str | None:
        return entry.endpoint.slug if entry.endpoint else None
