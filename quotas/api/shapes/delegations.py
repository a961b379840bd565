"""Authority that is handed on and taken back, as it goes in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.actions.delegations import MAX_WHY
from projects.states import Power
from quotas.actions.reissue import Move
from quotas.queries.hanging import Waiting

from ..fields import Input, PublicId, Slug, Text, Whole
from .authority import ReasonSerializer
from .people import DelegationSerializer, Holder, holder_of


class HolderInput(Input):
    """A person or a group, by the id that never changes."""

    kind = serializers.ChoiceField(choices=["person", "group"])
    id = PublicId()


class BoundInput(Input):
    """How much may be given. Null or left out: any resource, any zone, any amount.

    Amounts in base units. `total` refills every `period_days` from the start of the delegation.
    """

    resource = Slug(required=False, allow_null=True, default=None)
    zone = Text(required=False, allow_null=True, default=None, help_text="`geneva.compute-a`")
    per_decision = Whole(required=False, allow_null=True, default=None)
    window_days = Whole(required=False, default=30)
    total = Whole(required=False, allow_null=True, default=None)
    period_days = Whole(required=False, allow_null=True, default=None)


class DelegationInput(Input):
    """A part of one's own delegation `parent`, for somebody else."""

    parent = Whole(help_text="One that you hold.")  # type: ignore[assignment]  # a field
    delegate = HolderInput()
    unit = Slug(help_text="That unit and all below it.")
    powers = serializers.ListField(child=serializers.ChoiceField(choices=Power.values))
    bounds = BoundInput(many=True)
    starts_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null: from now."
    )
    ends_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Exclusive; null: without end."
    )
    depth = Whole(required=False, default=0, help_text="How often they may hand it on.")
    purpose = Text(required=False, default="")


class HandOnPreviewSerializer(serializers.Serializer[Any]):
    """What handing it on would do, in words, and what one should know before."""

    does = serializers.ListField(child=serializers.CharField())
    warns = serializers.SerializerMethodField()
    reasons = ReasonSerializer(many=True, help_text="What bounds each row, and who has more.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_warns(self, preview: Any) -> list[str]:
        return [each.text for each in preview.warns]


class DeputyInput(Input):
    """Somebody who stands in for the caller for a time."""

    person = PublicId()
    starts_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null: from now."
    )
    ends_at = serializers.DateTimeField(help_text="Exclusive.")
    delegations = serializers.ListField(
        child=Whole(), required=False, allow_null=True, default=None,
        help_text="Ids of your own; null: all that you hold.",
    )  # fmt: skip


class NotDeputisedSerializer(serializers.Serializer[Any]):
    """A delegation for which nobody stands in, and what to do about it."""

    delegation = serializers.IntegerField(source="delegation.pk")
    why = serializers.CharField(source="sentence")


class DeputiesSerializer(serializers.Serializer[Any]):
    """What the deputy holds now, and what could not be handed on."""

    made = DelegationSerializer(many=True)
    left_out = NotDeputisedSerializer(many=True)


class WaitingSerializer(serializers.Serializer[Any]):
    """An open line that waits by the delegation, and who would decide it without."""

    request = serializers.IntegerField(source="line.request_id")
    line = serializers.IntegerField(source="line.pk")
    project = serializers.CharField(source="line.project.slug")
    offering = serializers.CharField(source="line.offering.slug")
    goes_to = serializers.SerializerMethodField()

    @extend_schema_field(Holder(many=True))
    def get_goes_to(self, waiting: Waiting) -> list[dict[str, Any]]:
        return [
            {
                "kind": "group" if hasattr(each, "external_id") else "person",
                "id": each.public_id,
                "name": str(each),
            }
            for each in waiting.takers
        ]


class BelowSerializer(serializers.Serializer[Any]):
    """A delegation that hangs from it."""

    id = serializers.IntegerField(source="pk")
    parent = serializers.IntegerField(source="parent_id")  # type: ignore[assignment]  # a field
    delegate = serializers.SerializerMethodField()
    unit = serializers.CharField(source="unit.slug")

    @extend_schema_field(Holder)
    def get_delegate(self, delegation: Any) -> dict[str, Any]:
        return holder_of(delegation)


class PolicyRef(serializers.Serializer[Any]):
    """A rule that stands on it."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()


class HangingSerializer(serializers.Serializer[Any]):
    """What hangs from a delegation. `seen` is what revoking it must send back."""

    seen = serializers.CharField()
    below = BelowSerializer(many=True)
    waiting = WaitingSerializer(many=True, help_text="The first that you may see.")
    waiting_count = serializers.IntegerField()
    decision_count = serializers.IntegerField()
    last_decision_at = serializers.DateTimeField(allow_null=True)
    policies = PolicyRef(many=True)


class RevokeInput(Input):
    """Why, and what one saw hanging from it."""

    reason = Text(required=False, default="", help_text=f"At most {MAX_WHY} characters.")
    seen = Text(help_text="As `hanging` gave it.")


class TakeOverInput(Input):
    """Under which of one's own delegations what is below would go on."""

    parent = Whole()  # type: ignore[assignment]  # a field, as above


class ReissueInput(RevokeInput):
    """Revoke it, while what is below goes on under `parent`."""

    parent = Whole(help_text="One that you hold.")  # type: ignore[assignment]  # a field
    trim = serializers.ListField(
        child=Whole(), required=False, default=list,
        help_text="Ids of those that may go on with what fits; others that do not fit end.",
    )  # fmt: skip


class GoingOnSerializer(serializers.Serializer[Any]):
    """What becomes of one delegation below."""

    delegation = serializers.IntegerField(source="old.pk")
    delegate = serializers.SerializerMethodField()
    fits = serializers.BooleanField()
    can_be_trimmed = serializers.BooleanField()
    beyond = serializers.ListField(child=serializers.CharField())
    why_not = serializers.CharField()

    @extend_schema_field(Holder)
    def get_delegate(self, move: Move) -> dict[str, Any]:
        return holder_of(move.old)


class TakeOverSerializer(serializers.Serializer[Any]):
    """What would become of each."""

    seen = serializers.CharField()
    moves = GoingOnSerializer(many=True)


class ReissuedSerializer(serializers.Serializer[Any]):
    """What was made again, and what ended."""

    made = DelegationSerializer(many=True)
    left_out = GoingOnSerializer(many=True)
