"""Envelopes of units, and what is done to units, as they go out and in. Base units."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.lib.errors import DomainError
from quotas.actions.funding import Seen
from quotas.api.fields import Amounts, Input, Slug, Text, Whole
from quotas.models import Account, EnvelopeAct, EnvelopeActKind, Offering
from quotas.queries.envelopes import Standing
from quotas.queries.unit_changes import Move, Retirement

from .authority import ReasonSerializer
from .ledger import AccountHolder, account_holder
from .people import Person

MAX_SLUG = 125


class SeenShape(Input):
    """What the caller saw of an envelope. `left` null: not declared; `source` null: the pool."""

    left = Whole(allow_null=True)
    promised = Whole()
    source = Slug(allow_null=True, max_length=MAX_SLUG)  # type: ignore[assignment]  # its name in the API
    source_left = Whole()

    def to_internal_value(self, data: Any) -> Seen:
        return Seen(**super().to_internal_value(data))


class StandingSerializer(serializers.Serializer[Any]):
    """What a unit has of an offering, and what pays it; `seen` goes back with a change."""

    offering = serializers.CharField(source="offering.slug")
    unit = serializers.CharField(source="offering.resource.unit")
    is_declared = serializers.SerializerMethodField()
    left = serializers.IntegerField(allow_null=True)
    promised = serializers.IntegerField(help_text="What lies beneath, in units and projects.")
    size = serializers.IntegerField()
    seen = serializers.SerializerMethodField()

    def get_is_declared(self, standing: Standing) -> bool:
        return standing.account is not None

    @extend_schema_field(SeenShape)
    def get_seen(self, standing: Standing) -> dict[str, Any]:
        return Seen.of(standing).figures


class StandingOf(StandingSerializer):
    """A row of the page is an offering; what goes out is the unit's standing in it."""

    def to_representation(self, instance: Offering) -> dict[str, Any]:
        return super().to_representation(self.context["standings"][instance.pk])


class ChangeInput(Input):
    """Envelopes to change, all of them or none.

    `changes`: {offering: n}. Above 0 it is funded, and declared first where it is not; below 0
    it is taken back; 0 declares it. `seen`: what list_envelopes said of each.
    """

    changes = Amounts()
    seen = serializers.DictField(child=SeenShape())
    reason = Text(required=False, default="")


class ChangePreviewInput(Input):
    changes = Amounts()


class RefusalShape(serializers.Serializer[Any]):
    """Why it would be refused now."""

    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    facts = serializers.DictField()


def refusal(error: DomainError | None) -> dict[str, Any] | None:
    """The RefusalShape of an error; None: it would be done."""
    if error is None:
        return None
    return {
        "status": error.status, "code": error.code, "detail": error.sentence,
        "facts": error.facts,
    }  # fmt: skip


class EffectSerializer(serializers.Serializer[Any]):
    """What one change would do; nothing was stored."""

    offering = serializers.CharField(source="standing.offering.slug")
    change = serializers.IntegerField()
    declares = serializers.BooleanField(source="is_declared")
    left_after = serializers.IntegerField()
    size_after = serializers.IntegerField()
    source_left_after = serializers.IntegerField(source="source_after")
    drawing_count = serializers.IntegerField(
        help_text="Projects that draw from it from now on, no longer from above; if it is declared."
    )
    reasons = ReasonSerializer(many=True, help_text="What bounds an increase; else none.")
    seen = serializers.SerializerMethodField()
    refusal = serializers.SerializerMethodField()

    @extend_schema_field(SeenShape)
    def get_seen(self, effect: Any) -> dict[str, Any]:
        return Seen.of(effect.standing).figures

    @extend_schema_field(RefusalShape(allow_null=True))
    def get_refusal(self, effect: Any) -> dict[str, Any] | None:
        return refusal(effect.refusal)


class EffectsSerializer(serializers.Serializer[Any]):
    changes = EffectSerializer(many=True)


class EnvelopeActSerializer(serializers.ModelSerializer[EnvelopeAct]):
    """Something that was done to an envelope; a null delegation: the operators' command."""

    kind = serializers.ChoiceField(choices=EnvelopeActKind.values)
    unit = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    offering = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    actor = Person(allow_null=True)
    delegation = serializers.IntegerField(source="delegation_id", allow_null=True)

    class Meta:
        model = EnvelopeAct
        fields = ("id", "kind", "unit", "offering", "amount", "actor", "delegation", "reason", "at")


class EnvelopeActsSerializer(serializers.Serializer[Any]):
    acts = EnvelopeActSerializer(many=True)


class HeldSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["unit", "project"])
    slug = serializers.CharField()
    amount = serializers.IntegerField()


class EnvelopeDetail(StandingSerializer):
    """An envelope, and who has what it gave out, the largest first; `others` you may not see."""

    held = serializers.SerializerMethodField()
    others = serializers.SerializerMethodField()

    @extend_schema_field(HeldSerializer(many=True))
    def get_held(self, standing: Standing) -> list[dict[str, Any]]:
        return list(HeldSerializer(self.context["rest"].holders, many=True).data)

    def get_others(self, standing: Standing) -> int:
        return int(self.context["rest"].others)


class MovePreviewInput(Input):
    parent = Slug(max_length=MAX_SLUG)  # type: ignore[assignment]  # its name in the API


class MoveInput(Input):
    """Below which unit, and `seen` of preview_move."""

    parent = Slug(max_length=MAX_SLUG)  # type: ignore[assignment]  # its name in the API
    seen = Text()


class RetireInput(Input):
    """`seen` of preview_retirement."""

    seen = Text()
    reason = Text(required=False, default="")


class ShiftSerializer(serializers.Serializer[Any]):
    """An envelope above whose size follows; what is left stays."""

    unit = serializers.CharField(source="account.unit.slug")
    offering = serializers.CharField(source="account.offering.slug")
    size = serializers.IntegerField(source="before.size")
    size_after = serializers.IntegerField(source="after.size")
    left = serializers.IntegerField(source="after.free")


class RedrawnSerializer(serializers.Serializer[Any]):
    """Offerings that projects below draw from elsewhere; null: nothing was issued."""

    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()
    offerings = serializers.SerializerMethodField()

    @extend_schema_field(AccountHolder(allow_null=True))
    def get_before(self, row: Any) -> dict[str, Any] | None:
        return _holder(row.before)

    def get_offerings(self, row: Any) -> list[str]:
        return [each.slug for each in row.offerings]

    @extend_schema_field(AccountHolder(allow_null=True))
    def get_after(self, row: Any) -> dict[str, Any] | None:
        return _holder(row.after)


def _holder(account: Account | None) -> dict[str, Any] | None:
    return account_holder(account) if account is not None else None


class MoveSerializer(serializers.Serializer[Any]):
    """What a move would mean. `lost`, `gained`: delegations by id."""

    projects = serializers.SerializerMethodField()
    open_count = serializers.IntegerField()
    envelopes = ShiftSerializer(many=True, source="shifts")
    redrawn = RedrawnSerializer(many=True)
    lost = serializers.SerializerMethodField()
    gained = serializers.SerializerMethodField()
    seen = serializers.CharField()

    def get_projects(self, move: Move) -> list[str]:
        return [each.slug for each in move.projects]

    def get_lost(self, move: Move) -> list[int]:
        return [each.pk for each in move.lost]

    def get_gained(self, move: Move) -> list[int]:
        return [each.pk for each in move.gained]


class SweptSerializer(serializers.Serializer[Any]):
    """What an envelope has left, and what it lent and returns; both go to the heir."""

    offering = serializers.CharField(source="envelope.offering.slug")
    left = serializers.IntegerField(source="envelope.balance")
    lent = serializers.IntegerField()
    heir = serializers.SerializerMethodField()

    @extend_schema_field(AccountHolder(allow_null=True))
    def get_heir(self, row: Any) -> dict[str, Any] | None:
        return _holder(row.heir)


class RetirementSerializer(serializers.Serializer[Any]):
    """What a retirement would mean. `ended`, `interrupted`: delegations; `policies`: by id."""

    heir = serializers.CharField(source="heir.slug")
    swept = SweptSerializer(many=True)
    projects = serializers.SerializerMethodField()
    units = serializers.SerializerMethodField()
    ended = serializers.SerializerMethodField()
    interrupted = serializers.SerializerMethodField()
    policies = serializers.SerializerMethodField()
    open_count = serializers.IntegerField()
    seen = serializers.CharField()

    def get_projects(self, row: Retirement) -> list[str]:
        return [each.slug for each in row.projects]

    def get_units(self, row: Retirement) -> list[str]:
        return [each.slug for each in row.children]

    def get_ended(self, row: Retirement) -> list[int]:
        return [each.pk for each in row.ended]

    def get_interrupted(self, row: Retirement) -> list[int]:
        return [each.pk for each in row.interrupted]

    def get_policies(self, row: Retirement) -> list[int]:
        return [each.pk for each in row.policies]
