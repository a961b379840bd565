"""Rules that grant at once, what they say of a line, and their replay, as they go in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import ProjectKind
from quotas.models import PolicyVersion
from quotas.queries.conditions import Condition, Verdict
from quotas.queries.policies import Rule
from quotas.queries.policy_words import verdict_words, version_words
from quotas.queries.replay import Outcome, Replay, Replayed
from quotas.states import Direction

from ..fields import Input, Slug, Text, Whole
from .people import Person

STANDINGS = ["draft", "on", "off", "ended"]


def _zone(zone: Any) -> str | None:
    return f"{zone.region.slug}.{zone.slug}" if zone else None


class TermsInput(Input):
    """What a rule says; every condition must hold. Null or left out: no such condition."""

    direction = serializers.ChoiceField(
        choices=Direction.values, required=False, default=Direction.INCREASE
    )
    resource = Slug(required=False, allow_null=True, default=None)
    zone = Text(required=False, allow_null=True, default=None, help_text="`geneva.compute-a`")
    project_kind = serializers.ChoiceField(
        choices=ProjectKind.values, required=False, allow_null=True, default=None
    )
    most_percent = Whole(
        required=False, allow_null=True, default=None, help_text="Of the quota then."
    )
    most_amount = Whole(
        required=False, allow_null=True, default=None, help_text="Base units, of one resource."
    )
    every_days = Whole(required=False, allow_null=True, default=None)
    envelope_left_percent = Whole(
        required=False, allow_null=True, default=None, help_text="More than that, afterwards."
    )
    zone_left_percent = Whole(
        required=False, allow_null=True, default=None, help_text="More than that, afterwards."
    )
    usage_above_percent = Whole(
        required=False, allow_null=True, default=None,
        help_text="More than that in use, at its highest in the last 30 days.",
    )  # fmt: skip


class PolicyInput(Input):
    """A new rule for a unit and all below it; a draft until it is switched on."""

    unit = Slug()
    name = Text()
    delegation = Whole(
        required=False, allow_null=True, default=None,
        help_text="One that you hold, on which it stands; null: the nearest to the unit.",
    )  # fmt: skip
    terms = TermsInput()


class ReviseInput(Input):
    """What a rule says from now on; `version` is the one that you saw, or its ETag is sent."""

    version = Whole(required=False)
    name = Text()
    terms = TermsInput()


class SwitchOnInput(Input):
    """`version` is the one whose replay you saw, or its ETag is sent."""

    version = Whole(required=False)


class VersionSerializer(serializers.ModelSerializer[PolicyVersion]):
    """What a rule said from `made_at` on; it never changes."""

    code = serializers.CharField(source="__str__", help_text="As decisions cite it: `R3.2`.")
    words = serializers.SerializerMethodField()
    resource = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    zone = serializers.SerializerMethodField()
    made_by = Person()

    class Meta:
        model = PolicyVersion
        fields = (
            "code", "number", "words", "direction", "resource", "zone", "project_kind",
            "most_percent", "most_amount", "every_days", "envelope_left_percent",
            "zone_left_percent", "usage_above_percent", "made_by", "made_at",
        )  # fmt: skip

    def get_words(self, version: PolicyVersion) -> str:
        return version_words(version)

    def get_zone(self, version: PolicyVersion) -> str | None:
        return _zone(version.zone)


class PolicySerializer(serializers.Serializer[Any]):
    """A rule with its newest version. `standing` "ended": on, but its authority is over."""

    id = serializers.IntegerField(source="policy.pk")
    code = serializers.CharField(source="policy.__str__")
    name = serializers.CharField(source="policy.name")
    unit = serializers.CharField(source="policy.unit.slug")
    delegation = serializers.IntegerField(source="policy.delegation_id")
    person = Person(source="policy.person")
    standing = serializers.ChoiceField(choices=STANDINGS)
    version = VersionSerializer()


class PolicyDetail(PolicySerializer):
    """A rule with everything that it ever said, the newest first."""

    versions = serializers.SerializerMethodField()

    @extend_schema_field(VersionSerializer(many=True))
    def get_versions(self, rule: Rule) -> Any:
        return VersionSerializer(self.context["versions"], many=True).data


class FindingSerializer(serializers.Serializer[Any]):
    """One condition on one line. Figures of envelopes and zones only for who may see them."""

    condition = serializers.ChoiceField(choices=Condition.values)
    holds = serializers.BooleanField()
    words = serializers.CharField()


class VerdictSerializer(serializers.Serializer[Any]):
    """What a rule says of one line."""

    rule = serializers.CharField(help_text="`R3.2`")
    holds = serializers.BooleanField()
    findings = FindingSerializer(many=True)


def verdict_of(verdict: Verdict, offering: Any, *, with_figures: bool) -> dict[str, Any]:
    """A verdict as JSON values, in the reader's language."""
    words = verdict_words(verdict, offering, with_figures=with_figures)
    return {
        "rule": str(verdict.version),
        "holds": verdict.holds,
        "findings": [
            {"condition": each.condition.value, "holds": holds, "words": sentence}
            for each, (holds, sentence) in zip(verdict.findings, words, strict=False)
        ],
    }


class ReplayedSerializer(serializers.Serializer[Any]):
    """One line that people decided, and what the rule would have done."""

    request = serializers.IntegerField(source="decided.line.request_id")
    decision = serializers.IntegerField(source="decided.decision_id")
    project = serializers.CharField(source="decided.line.project.slug")
    offering = serializers.CharField(source="decided.line.offering.slug")
    at = serializers.DateTimeField(source="decided.decision.at")
    before = serializers.IntegerField(source="balance")
    wanted = serializers.IntegerField(source="decided.line.wanted")
    granted = serializers.IntegerField(source="decided.granted", allow_null=True)
    outcome = serializers.ChoiceField(choices=Outcome.values)
    is_sure = serializers.BooleanField(help_text="Every figure that it looks at was kept.")
    is_beyond = serializers.BooleanField(help_text="It holds; its delegation allows less.")
    verdict = serializers.SerializerMethodField()

    @extend_schema_field(VerdictSerializer)
    def get_verdict(self, row: Replayed) -> dict[str, Any]:
        return verdict_of(row.verdict, row.decided.line.offering, with_figures=True)


class CountsSerializer(serializers.Serializer[Any]):
    """How many lines of each outcome."""

    other = serializers.IntegerField()
    left = serializers.IntegerField()
    agreed = serializers.IntegerField()
    refused = serializers.IntegerField()


class ReplaySerializer(serializers.Serializer[Any]):
    """What a rule would have done in the last `days`; `rows` are the newest worth a look."""

    version = serializers.CharField(help_text="`R3.2`")
    days = serializers.IntegerField()
    line_count = serializers.IntegerField()
    granted_count = serializers.IntegerField()
    counts = serializers.SerializerMethodField()
    unsure_count = serializers.IntegerField(
        help_text="Of those it would have granted: some figure was not kept."
    )
    is_cut = serializers.BooleanField(
        help_text="There were more than `most` lines; it looks at the newest."
    )
    most = serializers.IntegerField(help_text="Of so many lines.")
    rows = ReplayedSerializer(many=True)

    @extend_schema_field(CountsSerializer)
    def get_counts(self, found: Replay) -> dict[str, int]:
        return {outcome.value: count for outcome, count in found.counts.items()}

    def to_representation(self, instance: Replay) -> dict[str, Any]:
        fields = {
            name: getattr(instance, name)
            for name in ("days", "line_count", "granted_count", "unsure_count", "is_cut", "most")
        }
        return {
            "version": self.context["version"],
            **fields,
            "counts": self.get_counts(instance),
            "rows": ReplayedSerializer(instance.rows, many=True).data,
        }
