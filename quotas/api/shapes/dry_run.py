"""What an action would do, as it goes out: the plan of a dry run. Amounts are in base units.

Nothing here has an id that the action would have given: there is no such row.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Delegation
from quotas.models import EnvelopeAct
from quotas.queries.plan import Verdict
from quotas.queries.rehearsed import RehearsedLimit, RehearsedLine
from quotas.states import LineState, RequestState

from .authority import ReasonSerializer
from .delegations import GoingOnSerializer, NotDeputisedSerializer
from .ledger import AccountHolder, WarningSerializer, account_holder
from .people import DelegationSerializer, Person
from .units import EffectSerializer, EnvelopeActSerializer
from .waiting import LineWaitSerializer


class Plan(serializers.Serializer[Any]):
    """Nothing was stored, nobody was told."""

    dry_run = serializers.SerializerMethodField()

    @extend_schema_field({"type": "boolean", "const": True})
    def get_dry_run(self, _plan: Any) -> bool:
        return True


class RouteSerializer(LineWaitSerializer):
    """For whom an open line would wait, and what comes after them."""

    line = None  # type: ignore[assignment]  # not there
    offering = None  # type: ignore[assignment]  # not there


class PlannedLineSerializer(serializers.Serializer[Any]):
    """What would become of one line.

    `granted`: the limit; null: nothing is. `change`: of the quota, or of what is asked for while
    that is open. `draws_from`: what pays it, or is paid back. `rule` and `decided_by`: by which
    rule, and by whose authority it is decided; null: it is not.
    """

    id = serializers.SerializerMethodField(help_text="Null: of a request that is not there yet.")
    offering = serializers.CharField(source="line.offering.slug")
    state = serializers.ChoiceField(source="line.state", choices=LineState.values)
    now = serializers.IntegerField(source="before")
    wanted = serializers.IntegerField(source="line.wanted")
    granted = serializers.IntegerField(source="decided.granted", allow_null=True, default=None)
    endorsed = serializers.IntegerField(source="decided.endorsed", allow_null=True, default=None)
    change = serializers.IntegerField(source="asked")
    draws_from = serializers.SerializerMethodField()
    rule = serializers.SerializerMethodField(help_text="`R3.2`")
    decided_by = Person(source="decided.decision.person", allow_null=True, default=None)
    delegation = serializers.IntegerField(
        source="decided.delegation_id", allow_null=True, default=None
    )
    waits = RouteSerializer(allow_null=True)

    @extend_schema_field({"type": ["integer", "null"]})
    def get_id(self, row: RehearsedLine) -> int | None:
        return None if self.context["is_new"] else row.line.pk

    @extend_schema_field(AccountHolder(allow_null=True))
    def get_draws_from(self, row: RehearsedLine) -> dict[str, Any] | None:
        return account_holder(row.source) if row.source is not None else None

    @extend_schema_field({"type": ["string", "null"]})
    def get_rule(self, row: RehearsedLine) -> str | None:
        version = row.decided.decision.policy_version if row.decided is not None else None
        return str(version) if version is not None else None


class PlannedLimitSerializer(serializers.Serializer[Any]):
    """What would be written where. One of the service's own units is `step`.

    `promised` is of the ledger before, `after` once it is done, `if_granted` once the open lines
    are granted as asked. `verdict`, `becomes`: what workers make of it next, by the last reading;
    null: they are not set off there. `in_force`: the limit when last read.
    """

    endpoint = serializers.CharField(source="limit.endpoint.slug")
    key = serializers.CharField(source="limit.key")
    name = serializers.CharField(source="limit.name")
    unit = serializers.CharField(source="limit.unit")
    step = serializers.IntegerField(source="limit.step")
    promised = serializers.IntegerField()
    after = serializers.IntegerField()
    if_granted = serializers.IntegerField()
    in_force = serializers.IntegerField(source="plan.seen", allow_null=True, default=None)
    used = serializers.IntegerField(source="plan.used", allow_null=True, default=None)
    read_at = serializers.DateTimeField(source="plan.read_at", allow_null=True, default=None)
    verdict = serializers.SerializerMethodField()
    becomes = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(choices=Verdict.values, allow_null=True))
    def get_verdict(self, row: RehearsedLimit) -> str | None:
        return row.plan.verdict.value if row.plan is not None and row.is_raised else None

    @extend_schema_field({"type": ["integer", "null"]})
    def get_becomes(self, row: RehearsedLimit) -> int | None:
        return row.plan.becomes if row.plan is not None and row.is_raised else None


class RequestPlan(Plan):
    """What an action would make of a request: its lines that are not over, and the limits.

    `is_automatic`: rules grant all of it at once.
    """

    state = serializers.ChoiceField(choices=RequestState.values)
    is_automatic = serializers.BooleanField()
    lines = PlannedLineSerializer(many=True)
    limits = PlannedLimitSerializer(many=True)
    warnings = WarningSerializer(many=True, help_text="What to know before, as of a preview.")


class PlannedActSerializer(EnvelopeActSerializer):
    """What would be done to an envelope, under which delegation."""

    class Meta(EnvelopeActSerializer.Meta):
        model = EnvelopeAct
        fields = tuple(  # type: ignore[assignment]  # shorter
            name for name in EnvelopeActSerializer.Meta.fields if name != "id"
        )


class EnvelopesPlan(Plan):
    """What would be done to envelopes, and how they would stand then. No limit is written."""

    acts = PlannedActSerializer(many=True)
    changes = EffectSerializer(many=True)


class PlannedDelegationSerializer(DelegationSerializer):
    """A delegation that would be made; a null `parent` is one that would be made with it."""

    parent = serializers.SerializerMethodField()  # type: ignore[assignment]  # a field

    class Meta(DelegationSerializer.Meta):
        fields = tuple(  # type: ignore[assignment]  # shorter
            name for name in DelegationSerializer.Meta.fields if name != "id"
        )

    @extend_schema_field({"type": ["integer", "null"]})
    def get_parent(self, delegation: Delegation) -> int | None:
        return None if delegation.parent_id in self.context["made"] else delegation.parent_id


class DelegationsPlan(Plan):
    """What would be handed on. `open_count`: open lines in its units, which are routed anew."""

    made = PlannedDelegationSerializer(many=True)
    open_count = serializers.IntegerField()


class HandOnPlan(DelegationsPlan):
    """With what it would do in words, what to know before, and what bounds each row."""

    does = serializers.ListField(child=serializers.CharField())
    warns = serializers.ListField(child=serializers.CharField())
    reasons = ReasonSerializer(many=True)


class DeputiesPlan(DelegationsPlan):
    """With what could not be handed on."""

    left_out = NotDeputisedSerializer(many=True)


class ReissuePlan(DelegationsPlan):
    """With what would end."""

    left_out = GoingOnSerializer(many=True)
