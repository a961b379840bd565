"""Announcements, and whom they reach, as they go in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.states import ROLES_ABOVE_READER, Role
from quotas.api.fields import Input, Text, Whole
from quotas.models import Announcement
from quotas.queries.announcements import Reach, called, told_count
from quotas.states import AnnouncedTo, AnnouncementState

from .people import Person

USUAL_ROLES = [role.value for role in ROLES_ABOVE_READER]


class AudienceInput(Input):
    """To whom: who has one of the roles in a project that has something in one of the zones."""

    zones = serializers.ListField(child=Text(), max_length=500, help_text="`geneva.compute-a`")
    who = serializers.ChoiceField(
        choices=AnnouncedTo.values, required=False, default=AnnouncedTo.EITHER,
        help_text="What the project must have there: quota, something in use, or either.",
    )  # fmt: skip
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=Role.values), required=False, default=USUAL_ROLES,
        max_length=len(Role.values),
    )  # fmt: skip


class AnnouncementInput(AudienceInput):
    """What it says, as plain text, and to whom."""

    subject = Text()
    text = Text()
    banner_until = serializers.DateTimeField(
        required=False, allow_null=True, default=None,
        help_text="Until then it stands on the pages of those who are told; null: no banner.",
    )  # fmt: skip


class AnnouncementChangeInput(AnnouncementInput):
    """All of it anew; `version` is the one that you saw, or its ETag is sent."""

    version = Whole(required=False)


class ScheduleInput(Input):
    """When; null: at once. `version` is the one that you saw, or its ETag is sent."""

    starts_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    version = Whole(required=False)


class AnnouncementSerializer(serializers.ModelSerializer[Announcement]):
    """What operators tell the people of projects.

    `starts_at`: when it is, or was, sent. `people_count`: how many there were to tell as that
    began. `job`: the work of telling them, for who may follow it.
    """

    zones = serializers.SerializerMethodField()
    who = serializers.ChoiceField(choices=AnnouncedTo.values)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.values))
    state = serializers.ChoiceField(choices=AnnouncementState.values)
    made_by = Person()
    sender = Person(allow_null=True)

    class Meta:
        model = Announcement
        fields = (
            "id", "subject", "text", "zones", "who", "roles", "state", "starts_at",
            "banner_until", "made_by", "made_at", "sender", "job", "people_count", "version",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_zones(self, announcement: Announcement) -> list[str]:
        return [called(each) for each in announcement.zones.all()]


class AnnouncementDetail(AnnouncementSerializer):
    """An announcement, with how many were told so far."""

    told_count = serializers.SerializerMethodField()

    class Meta(AnnouncementSerializer.Meta):
        fields = (*AnnouncementSerializer.Meta.fields, "told_count")  # type: ignore[assignment]  # one more

    def get_told_count(self, announcement: Announcement) -> int:
        return told_count(announcement)


class CountedSerializer(serializers.Serializer[Any]):
    """How many people there are of one role, or of one zone."""

    name = serializers.CharField()
    count = serializers.IntegerField()


class ReachSerializer(serializers.Serializer[Any]):
    """Whom it would reach now. Who has several roles, or zones, counts in each."""

    count = serializers.IntegerField(help_text="Each person once; you yourself are not told.")
    by_role = CountedSerializer(many=True)
    by_zone = CountedSerializer(many=True)
    names = serializers.ListField(
        child=serializers.CharField(), help_text="Of the first of them, by name."
    )

    def to_representation(self, instance: Reach) -> dict[str, Any]:
        """context["zones"]: {id: "geneva.compute-a"} of the zones asked about."""
        zones: dict[int, str] = self.context["zones"]
        return {
            "count": instance.count,
            "by_role": [{"name": n, "count": count} for n, count in instance.by_role.items()],
            "by_zone": [
                {"name": name, "count": instance.by_zone.get(pk, 0)} for pk, name in zones.items()
            ],
            "names": list(instance.names),
        }
