"""Why something waits and how long it may, as they go in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Group, Unit
from quotas.api.fields import AmountsByLine, Input, Text, Whole
from quotas.queries.waiting_for import Nobody

from .ledger import RuleSaysSerializer
from .people import Holder, Person
from .requests import VERSION


class StepSerializer(serializers.Serializer[Any]):
    """People and groups who are equally near, and the unit they decide for."""

    unit = serializers.CharField()
    names = serializers.SerializerMethodField()

    @extend_schema_field(Holder(many=True))
    def get_names(self, step: Any) -> list[dict[str, Any]]:
        return [
            {
                "kind": "group" if isinstance(each, Group) else "person",
                "id": each.public_id,
                "name": str(each),
            }
            for each in step.names
        ]


class EndorsementSerializer(serializers.Serializer[Any]):
    """What somebody with too little authority would grant: an absolute limit."""

    person = Person()
    amount = serializers.IntegerField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class LineWaitSerializer(serializers.Serializer[Any]):
    """Why one open line waits.

    `decides`: whom it waits for, the nearest first; `endorses`: who is asked for a
    recommendation; `goes_up_to`: who may decide it too from `escalate_at` on.
    """

    line = serializers.IntegerField(source="line.pk")
    offering = serializers.CharField(source="line.offering.slug")
    decides = StepSerializer(many=True)
    endorses = StepSerializer(allow_null=True)
    endorsements = EndorsementSerializer(many=True)
    waits_since = serializers.DateTimeField(source="line.waits_since", allow_null=True)
    remind_at = serializers.DateTimeField(
        source="line.remind_at", allow_null=True, help_text="Null: they were, or are not."
    )
    escalate_at = serializers.DateTimeField(
        source="line.escalate_at", allow_null=True, help_text="Null: there is nobody further up."
    )
    goes_up_to = StepSerializer(allow_null=True)
    nobody = serializers.ChoiceField(
        source="reason", choices=Nobody.values, allow_null=True,
        help_text="Why nobody can decide it; null: somebody can.",
    )  # fmt: skip
    nobody_words = serializers.CharField(source="nobody", help_text="The same as a sentence.")
    rules = RuleSaysSerializer(
        many=True, help_text="What each rule about it says now; empty: there is none."
    )
    is_for_people = serializers.BooleanField(
        help_text="A person asked back about it or endorsed it: no rule is asked any more."
    )


class WhyWaitingSerializer(serializers.Serializer[Any]):
    """The open lines; and from when on the requester may remind those who decide."""

    lines = LineWaitSerializer(many=True)
    nudge_at = serializers.DateTimeField(allow_null=True)


class EndorseInput(Input):
    """Which lines are endorsed, and with how much."""

    endorsed = AmountsByLine(help_text="{line id: absolute limit that you recommend}")
    version = Whole(required=False, help_text=VERSION)
    reason = Text(default="")


class UnitWaitingSerializer(serializers.Serializer[Unit]):
    """What the unit itself says (null: as above it), and what holds there; working days."""

    remind_after_days = serializers.IntegerField(allow_null=True)
    escalate_after_days = serializers.IntegerField(allow_null=True)
    reminded_after = serializers.SerializerMethodField(help_text="0: never.")
    handed_up_after = serializers.SerializerMethodField()

    def get_reminded_after(self, unit: Unit) -> int:
        return int(self.context["patience"].remind_after)

    def get_handed_up_after(self, unit: Unit) -> int:
        return int(self.context["patience"].escalate_after)


class UnitWaitingInput(Input):
    """Working days; null: as the nearest unit above says, or the site."""

    remind_after_days = Whole(allow_null=True, help_text="0: never.")
    escalate_after_days = Whole(allow_null=True)
