"""Accounts, transfers and limits, as they go out. Amounts are in base units."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quotas.models import Account, Loan, Target, Transfer, TransferKind
from quotas.models import Holder as AccountKind
from quotas.queries.policy_words import RuleSays
from quotas.queries.troubles import sentence_of
from quotas.states import TargetState

from .catalogue import Room
from .people import Person, UnitSerializer


class QuotaSerializer(serializers.Serializer[Any]):
    """What a project has of an offering."""

    offering = serializers.CharField()
    balance = serializers.IntegerField()


class LimitSerializer(serializers.Serializer[Any]):
    """One enforced limit: promised, written, seen in force and used are four values.

    `in_force` -1 is the service's word for unlimited; null: it did not say.
    """

    endpoint = serializers.CharField(source="limit.endpoint.slug")
    key = serializers.CharField(source="limit.key")
    name = serializers.CharField(source="limit.name")
    unit = serializers.CharField(source="limit.unit")
    promised = serializers.IntegerField()
    written = serializers.IntegerField(source="reading.written", allow_null=True, default=None)
    in_force = serializers.IntegerField(source="reading.limit_seen", allow_null=True, default=None)
    used = serializers.IntegerField(source="reading.used", allow_null=True, default=None)
    reserved = serializers.IntegerField(source="reading.reserved", allow_null=True, default=None)
    read_at = serializers.DateTimeField(source="reading.read_at", allow_null=True, default=None)


class ServiceSerializer(serializers.Serializer[Any]):
    """How far a project's limits are true at an endpoint."""

    endpoint = serializers.CharField(source="endpoint.slug")
    endpoint_state = serializers.CharField(source="endpoint.state")
    incomplete = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=TargetState.values)
    is_applied = serializers.SerializerMethodField()
    applied_at = serializers.DateTimeField(allow_null=True)
    observed_at = serializers.DateTimeField(allow_null=True)
    sentence = serializers.SerializerMethodField(help_text="What is the matter; empty: nothing.")
    error_id = serializers.CharField(help_text="What to tell the operators; empty: no trouble.")

    def get_incomplete(self, target: Target) -> bool:
        """Whether a part of the service is down: what is told of use is a least."""
        return target.endpoint.gaps_since is not None

    def get_is_applied(self, target: Target) -> bool:
        """Read back, and nothing known against it since."""
        return target.state == TargetState.APPLIED

    def get_sentence(self, target: Target) -> str:
        return sentence_of(target)


class LoanSerializer(serializers.ModelSerializer[Loan]):
    """Quota that returns; `ends_at` is exclusive."""

    offering = serializers.CharField(source="account.offering.slug")

    class Meta:
        model = Loan
        fields = ("id", "offering", "amount", "outstanding", "ends_at")


class AccountHolder(serializers.Serializer[Any]):
    """Who holds an account: the site, the pool, a unit or a project."""

    kind = serializers.ChoiceField(choices=AccountKind.values)
    slug = serializers.CharField(allow_null=True)


def account_holder(account: Account) -> dict[str, Any]:
    owner = account.unit or account.project
    return {"kind": account.holder, "slug": owner.slug if owner else None}


class TransferSerializer(serializers.ModelSerializer[Transfer]):
    """A movement of quota, and why: the decision behind it, if it was one."""

    offering = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    debit = serializers.SerializerMethodField()
    credit = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(choices=TransferKind.values)
    actor = Person(allow_null=True)
    decision = serializers.IntegerField(
        source="decision_line.decision_id", allow_null=True, default=None
    )
    request = serializers.IntegerField(
        source="decision_line.decision.request_id", allow_null=True, default=None
    )
    delegation = serializers.IntegerField(
        source="decision_line.delegation_id", allow_null=True, default=None
    )

    class Meta:
        model = Transfer
        fields = (
            "id", "offering", "debit", "credit", "amount", "kind", "actor", "decision", "request",
            "delegation", "note", "at",
        )  # fmt: skip

    @extend_schema_field(AccountHolder)
    def get_debit(self, transfer: Transfer) -> dict[str, Any]:
        return account_holder(transfer.debit)

    @extend_schema_field(AccountHolder)
    def get_credit(self, transfer: Transfer) -> dict[str, Any]:
        return account_holder(transfer.credit)


class LedgerAccountSerializer(serializers.ModelSerializer[Account]):
    """What one holder has of one offering; the site's is the negative of what was issued."""

    offering = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    holder = serializers.SerializerMethodField()

    class Meta:
        model = Account
        fields = ("id", "offering", "holder", "balance")

    @extend_schema_field(AccountHolder)
    def get_holder(self, account: Account) -> dict[str, Any]:
        return account_holder(account)


class AccountSerializer(serializers.Serializer[Any]):
    """What a project has, or had, of an offering."""

    offering = serializers.CharField()
    balance = serializers.IntegerField()
    as_of = serializers.DateTimeField()


class Envelope(serializers.Serializer[Any]):
    """What a unit has to give of an offering."""

    offering = serializers.CharField()
    room = Room()


class UnitDetail(UnitSerializer):
    """A unit with its envelopes: in figures for those who decide, as a word for others."""

    envelopes = serializers.SerializerMethodField()

    class Meta(UnitSerializer.Meta):
        fields = (*UnitSerializer.Meta.fields, "envelopes")  # type: ignore[assignment]  # longer

    @extend_schema_field(Envelope(many=True))
    def get_envelopes(self, unit: Any) -> list[dict[str, Any]]:
        return list(self.context["envelopes"])


class HolderRoom(serializers.Serializer[Any]):
    """What a line would count against."""

    word = serializers.ChoiceField(choices=["ample", "tight", "none", "unknown"])
    holder = serializers.CharField()


class PreviewDecider(serializers.Serializer[Any]):
    names = serializers.ListField(child=serializers.CharField())
    unit = serializers.CharField()


class SaidSerializer(serializers.Serializer[Any]):
    holds = serializers.BooleanField()
    words = serializers.CharField()


class RuleSaysSerializer(serializers.Serializer[Any]):
    """What a rule would do with a line, and each of its conditions in words."""

    rule = serializers.CharField(source="version")
    grants = serializers.BooleanField()
    findings = serializers.SerializerMethodField()

    @extend_schema_field(SaidSerializer(many=True))
    def get_findings(self, says: RuleSays) -> list[dict[str, Any]]:
        return [{"holds": holds, "words": words} for holds, words in says.findings]


class PreviewLineSerializer(serializers.Serializer[Any]):
    """What one line would change, and who would decide it; null: nobody now."""

    offering = serializers.CharField(source="offering.slug")
    now = serializers.IntegerField()
    wanted = serializers.IntegerField()
    change = serializers.IntegerField()
    room = HolderRoom()
    decider = PreviewDecider(allow_null=True)
    rule = serializers.CharField(
        allow_null=True, help_text="What would grant it at once: `R3.2`; null: people decide."
    )
    rules = RuleSaysSerializer(many=True)


class WarningSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    hint = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What a wish would do; nothing was stored."""

    lines = PreviewLineSerializer(many=True)
    warnings = WarningSerializer(many=True)
