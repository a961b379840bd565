"""Why something was allowed, what bounds an amount, and where deciders are missing."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Group
from quotas.models import DecisionKind, PolicyVersion
from quotas.queries.explain import Cause
from quotas.queries.proofs import LinkThen, WhyAllowed

from .people import Holder, Person


def told(holder: Any) -> dict[str, Any] | None:
    """A person or a group as a Holder; None: not known any more."""
    if holder is None:
        return None
    kind = "group" if isinstance(holder, Group) else "person"
    return {"kind": kind, "id": holder.public_id, "name": str(holder)}


class BoundThenSerializer(serializers.Serializer[Any]):
    """The terms of a bound as they were; null resource or zone: any, null amount: all."""

    resource = serializers.CharField(source="resource.slug", allow_null=True, default=None)
    zone = serializers.SerializerMethodField()
    per_decision = serializers.IntegerField(allow_null=True)
    window_days = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    period_days = serializers.IntegerField(allow_null=True)

    def get_zone(self, bound: Any) -> str | None:
        return f"{bound.zone.region.slug}.{bound.zone.slug}" if bound.zone else None


class LinkThenSerializer(serializers.Serializer[Any]):
    """A link of the chain. Terms are null for those who see no figures of the unit."""

    delegation = serializers.IntegerField(source="number")
    holder = serializers.SerializerMethodField()
    is_deputy = serializers.BooleanField()
    unit = serializers.CharField()
    revoked_at = serializers.DateTimeField(allow_null=True, help_text="Since then; null: not.")
    terms = serializers.SerializerMethodField()

    @extend_schema_field(Holder(allow_null=True))
    def get_holder(self, link: LinkThen) -> dict[str, Any] | None:
        return told(link.holder)

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_terms(self, link: LinkThen) -> dict[str, Any] | None:
        if not self.context["has_terms"]:
            return None
        return {
            "powers": link.powers, "depth": link.depth, "starts_at": link.starts_at,
            "ends_at": link.ends_at, "bounds": BoundThenSerializer(link.bounds, many=True).data,
        }  # fmt: skip


class ConsumedSerializer(serializers.Serializer[Any]):
    """What a line consumed of one bound: before and after it, of what is written."""

    delegation = serializers.IntegerField(source="link.number")
    bound = serializers.ChoiceField(source="dimension", choices=["per_decision", "total"])
    written = serializers.IntegerField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class LineThenSerializer(serializers.Serializer[Any]):
    """One line with the figures then; `source_left` is null for those who see no figures."""

    line = serializers.IntegerField(source="row.line_id")
    offering = serializers.CharField(source="row.line.offering.slug")
    delegation = serializers.IntegerField(source="row.delegation_id")
    wanted = serializers.IntegerField()
    balance = serializers.IntegerField(allow_null=True)
    granted = serializers.IntegerField(source="row.granted", allow_null=True)
    endorsed = serializers.IntegerField(source="row.endorsed", allow_null=True)
    paid_by = serializers.CharField(source="source_name")
    source_left = serializers.IntegerField(allow_null=True)
    consumed = ConsumedSerializer(many=True)
    verdicts = serializers.ListField(child=serializers.CharField())


class ProofFindingSerializer(serializers.Serializer[Any]):
    """What does not agree with history."""

    what = serializers.CharField()
    expected = serializers.CharField()
    found = serializers.CharField()


class WhyAllowedSerializer(serializers.Serializer[Any]):
    """The proof of a decision with the names of now.

    `still_holds`: what `manage.py verify_decisions` would say of it now.
    """

    decision = serializers.IntegerField(source="decision.pk")
    request = serializers.IntegerField(source="decision.request_id")
    kind = serializers.ChoiceField(source="decision.kind", choices=DecisionKind.values)
    actor = Person(source="decision.actor", allow_null=True)
    person = Person(source="decision.person")
    policy = serializers.SerializerMethodField(help_text='The rule that decided, as "R3.2".')
    reason = serializers.CharField(source="decision.reason")
    at = serializers.DateTimeField(source="decision.at")
    unit = serializers.CharField(help_text="Where the project was then.")
    rule_version = serializers.IntegerField()
    effective_people = serializers.SerializerMethodField()
    groups = serializers.SerializerMethodField()
    chains = serializers.SerializerMethodField()
    lines = LineThenSerializer(many=True)
    still_holds = serializers.BooleanField()
    findings = serializers.SerializerMethodField()

    def get_policy(self, why: WhyAllowed) -> str | None:
        version: PolicyVersion | None = why.decision.policy_version
        return str(version) if version is not None else None

    @extend_schema_field(Holder(many=True))
    def get_effective_people(self, why: WhyAllowed) -> list[dict[str, Any]]:
        return [found for each in why.effective if (found := told(each)) is not None]

    @extend_schema_field(Holder(many=True))
    def get_groups(self, why: WhyAllowed) -> list[dict[str, Any]]:
        return [found for each in why.groups if (found := told(each)) is not None]

    @extend_schema_field(
        serializers.ListField(child=serializers.ListField(child=LinkThenSerializer()))
    )
    def get_chains(self, why: WhyAllowed) -> list[Any]:
        context = {"has_terms": why.has_terms}
        return [LinkThenSerializer(each, many=True, context=context).data for each in why.chains]

    @extend_schema_field(ProofFindingSerializer(many=True, allow_null=True))
    def get_findings(self, why: WhyAllowed) -> Any:
        return ProofFindingSerializer(why.findings, many=True).data if why.has_terms else None


class ReasonSerializer(serializers.Serializer[Any]):
    """One thing that bounds an amount; `room` null: any amount, or not for the caller."""

    cause = serializers.ChoiceField(choices=Cause.values)
    room = serializers.IntegerField(allow_null=True, help_text="How much more it leaves.")
    word = serializers.CharField(help_text="Room as a word where no figure is shown, or empty.")
    refuses = serializers.BooleanField(help_text="false: it only warns.")
    sentence = serializers.CharField()
    # `help` is a name that the class has already.
    who_helps = serializers.CharField(source="help")


class ExplanationSerializer(serializers.Serializer[Any]):
    """What bounds one offering in one project, the tightest first."""

    project = serializers.CharField(source="project.slug")
    offering = serializers.CharField(source="offering.slug")
    verb = serializers.SerializerMethodField()
    balance = serializers.IntegerField(help_text="The quota now.")
    room = serializers.IntegerField(allow_null=True, help_text="How much more is possible.")
    most = serializers.IntegerField(allow_null=True, help_text="The highest quota that can be had.")
    reasons = ReasonSerializer(many=True)

    @extend_schema_field(serializers.ChoiceField(choices=["grant", "ask"]))
    def get_verb(self, explanation: Any) -> str:
        return "grant" if explanation.grants else "ask"
