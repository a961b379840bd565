"""Requests and what is said and decided about them, as they go in and out."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quotas.api.fields import Amounts, AmountsByLine, Input, LineIds, PublicId, Text, Whole, YesNo
from quotas.api.showing import show_all
from quotas.models import (
    Comment,
    Decision,
    DecisionKind,
    DecisionLine,
    Delivery,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.troubles import sentence_of
from quotas.states import LineState, RequestState, TargetState

from .people import Holder, Person, ProjectRef

VERSION = "Of the request as you read it; or its ETag as If-Match."


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """What must become true at an endpoint before a granted line counts as applied."""

    endpoint = serializers.CharField(source="target.endpoint.slug")
    state = serializers.ChoiceField(source="target.state", choices=TargetState.values)
    sentence = serializers.SerializerMethodField(help_text="What is the matter; empty: nothing.")
    error_id = serializers.CharField(
        source="target.error_id", help_text="What to tell the operators; empty: no trouble."
    )
    applied_at = serializers.DateTimeField(allow_null=True, help_text="Read back at; null: not yet")

    left_out_at = serializers.DateTimeField(
        allow_null=True, help_text="Not enforced there, as the service lacks the limit; null: it is"
    )

    class Meta:
        model = Delivery
        fields = ("endpoint", "state", "sentence", "error_id", "applied_at", "left_out_at")

    def get_sentence(self, delivery: Delivery) -> str:
        if delivery.left_out_at is not None:
            name = {"name": delivery.target.endpoint.name}
            return _("%(name)s lacks what this line needs, so it is not enforced there.") % name
        return sentence_of(delivery.target)


class RequestLineSerializer(serializers.ModelSerializer[RequestLine]):
    """One offering wanted. `wanted`, `granted` and `balance` are absolute limits.

    `balance` is the project's quota now: what a decision sends back as `seen`.
    """

    offering = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    state = serializers.ChoiceField(choices=LineState.values)
    balance = serializers.SerializerMethodField()
    granted = serializers.SerializerMethodField()
    waits_for = serializers.SerializerMethodField()
    deliveries = serializers.SerializerMethodField()

    class Meta:
        model = RequestLine
        fields = (
            "id", "offering", "state", "wanted", "balance_seen", "balance", "granted",
            "waits_for", "deliveries",
        )  # fmt: skip

    def get_balance(self, line: RequestLine) -> int:
        return int(self.context["lines"].balance(line))

    def get_granted(self, line: RequestLine) -> int | None:
        granted: int | None = self.context["lines"].granted(line)
        return granted

    @extend_schema_field(Holder(many=True))
    def get_waits_for(self, line: RequestLine) -> list[dict[str, Any]]:
        return [
            {"kind": "person" if each.is_person else "group", "id": each.public_id,
             "name": each.name}
            for each in self.context["lines"].waiting_for(line)
        ]  # fmt: skip

    @extend_schema_field(DeliverySerializer(many=True))
    def get_deliveries(self, line: RequestLine) -> Any:
        return show_all(DeliverySerializer, self.context["lines"].deliveries(line))


class QuotaRequestSerializer(serializers.ModelSerializer[QuotaRequest]):
    """A wish for a project. Its state is derived from its lines and their deliveries."""

    project = ProjectRef()
    requester = Person()
    asked_by = Person(
        allow_null=True, help_text="Who wrote it in the requester's name; null: they did."
    )
    state = serializers.SerializerMethodField()
    lines = serializers.SerializerMethodField()

    class Meta:
        model = QuotaRequest
        fields = (
            "id", "project", "requester", "asked_by", "state", "reason", "until_on",
            "all_or_nothing", "version", "created_at", "submitted_at", "updated_at", "lines",
        )  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=RequestState.values))
    def get_state(self, quota_request: QuotaRequest) -> str:
        return str(self.context["lines"].state(quota_request).value)

    @extend_schema_field(RequestLineSerializer(many=True))
    def get_lines(self, quota_request: QuotaRequest) -> Any:
        lines = self.context["lines"].of(quota_request)
        return show_all(RequestLineSerializer, lines, self.context)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    author = Person()

    class Meta:
        model = Comment
        fields = ("id", "author", "text", "at")


class DecisionLineSerializer(serializers.ModelSerializer[DecisionLine]):
    """What was done with a line, under which delegation; null `granted`: nothing was."""

    offering = serializers.CharField(source="line.offering.slug")

    class Meta:
        model = DecisionLine
        fields = ("line", "offering", "delegation", "before", "granted", "endorsed")


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    """An act of a decider.

    `snapshot` is its proof: the terms of each delegation in the chain, what they had
    given, and the figures seen. Null for those who see no figures of the unit.
    """

    kind = serializers.ChoiceField(choices=DecisionKind.values)
    actor = Person(allow_null=True, help_text="Who acted; null: a rule did, for `person`.")
    person = Person(help_text="Whose authority it was.")
    rule = serializers.CharField(
        source="policy_version", allow_null=True, help_text="The version that decided: `R3.2`."
    )
    lines = DecisionLineSerializer(many=True)
    snapshot = serializers.SerializerMethodField()

    class Meta:
        model = Decision
        fields = (
            "id", "request", "kind", "actor", "person", "rule", "reason", "at", "lines", "snapshot",
        )  # fmt: skip

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_snapshot(self, decision: Decision) -> dict[str, Any] | None:
        proof: dict[str, Any] = decision.snapshot
        return proof if self.context["may_see_proof"](decision) else None


class WishInput(Input):
    """What is wanted for a project: absolute limits in base units, by offering."""

    lines = Amounts(help_text="{offering slug: absolute limit}; 0 gives all of it back.")
    reason = Text(default="", help_text="What it is for; who decides reads it.")
    until_on = serializers.DateField(
        default=None, allow_null=True, help_text="The last day it is wanted; null: for good."
    )
    all_or_nothing = YesNo(default=False)


class NewRequestInput(WishInput):
    """A wish, sent at once or kept as a draft."""

    project = Text()
    requester = PublicId(
        default=None, allow_null=True,
        help_text="The id of an owner or manager in whose name you ask, by the power "
        "`ask for others`; null: in your own.",
    )  # fmt: skip
    draft = YesNo(default=False, help_text="Keep it for yourself; send it later.")


class PreviewInput(Input):
    project = Text()
    lines = Amounts()
    all_or_nothing = YesNo(default=False)


class AmendInput(Input):
    """New amounts for open lines; the others stay as they are."""

    lines = Amounts()
    reason = Text(required=False, help_text="Left out: the reason stays.")
    version = Whole(required=False, help_text=VERSION)


class AnswerInput(Input):
    """The answer to a question, with or without new amounts for returned lines."""

    text = Text()
    lines = Amounts(default=dict)
    version = Whole(required=False, help_text=VERSION)


class CommentInput(Input):
    text = Text()


class NothingInput(Input):
    """This verb takes no body, or an empty object."""


class ApproveInput(Input):
    """Which lines are granted, how much, and what the decider saw."""

    granted = AmountsByLine(help_text="{line id: absolute limit}; less than wanted trims it.")
    seen = AmountsByLine(help_text="{line id: the line's `balance` as you read it}")
    version = Whole(required=False, help_text=VERSION)
    reason = Text(default="")


class RefuseInput(Input):
    """Which lines are declined or returned, and why; a returned one asks its question."""

    lines = LineIds()
    reason = Text()
    version = Whole(required=False, help_text=VERSION)
