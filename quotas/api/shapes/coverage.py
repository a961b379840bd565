"""Where deciders are missing, as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Delegation
from quotas.queries.waiting_for import Nobody

from .people import Holder, Person, holder_of


class HeldSerializer(serializers.Serializer[Any]):
    """A delegation: who holds it, where, and from whom."""

    delegation = serializers.IntegerField(source="delegation.pk")
    holder = serializers.SerializerMethodField()
    grantor = Person(source="delegation.grantor", allow_null=True)
    unit = serializers.CharField(source="delegation.unit.slug")

    @extend_schema_field(Holder)
    def get_holder(self, row: Any) -> dict[str, Any]:
        found: Delegation = row.delegation
        return holder_of(found)


class EndingSerializer(HeldSerializer):
    over_at = serializers.DateTimeField()


class LeftSerializer(HeldSerializer):
    """Its holder has left; `below_count` others hold something by it, so it stays as a link."""

    left_at = serializers.DateTimeField()
    below_count = serializers.IntegerField()


class GrownSerializer(HeldSerializer):
    """A group with more members `now` than when it was given the delegation."""

    before = serializers.IntegerField()
    now = serializers.IntegerField()


class ThinUnitSerializer(serializers.Serializer[Any]):
    """A unit for which fewer than two people decide; `below_count` units below have the same."""

    unit = serializers.CharField(source="unit.slug")
    people = Person(many=True)
    below_count = serializers.IntegerField()


class StrandedSerializer(serializers.Serializer[Any]):
    """An open line that nobody can decide."""

    request = serializers.IntegerField(source="line.request_id")
    line = serializers.IntegerField(source="line.pk")
    offering = serializers.CharField(source="line.offering.slug")
    project = serializers.CharField(source="line.project.slug")
    reason = serializers.ChoiceField(choices=Nobody.values)
    sentence = serializers.CharField()


class UnansweredLineSerializer(serializers.Serializer[Any]):
    """An open line that went up to the top and that nobody there has answered either."""

    request = serializers.IntegerField(source="request_id")
    line = serializers.IntegerField(source="pk")
    offering = serializers.CharField(source="offering.slug")
    project = serializers.CharField(source="project.slug")
    unit = serializers.CharField(source="project.unit.slug")
    waits_since = serializers.DateTimeField()


class AbsentSerializer(serializers.Serializer[Any]):
    """Somebody for whom lines wait and who has not signed in for 60 days."""

    person = Person()
    last_login = serializers.DateTimeField(
        source="person.last_login", allow_null=True, help_text="Null: never."
    )
    waiting_count = serializers.IntegerField()


class IdlePolicySerializer(serializers.Serializer[Any]):
    """A rule that is on and grants nothing any more."""

    policy = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    unit = serializers.CharField(source="unit.slug")
    person = Person()
    delegation = serializers.IntegerField(source="delegation_id")


class DeciderCoverageSerializer(serializers.Serializer[Any]):
    """What whoever oversees these units should look at; each list has at most 50.

    `more` names the lists that were cut.
    """

    stranded = StrandedSerializer(source="stranded.rows", many=True)
    unanswered = UnansweredLineSerializer(source="unanswered.rows", many=True)
    thin = ThinUnitSerializer(source="thin.rows", many=True)
    roots = EndingSerializer(source="roots.rows", many=True)
    ending = EndingSerializer(source="ending.rows", many=True)
    left = LeftSerializer(source="left.rows", many=True)
    absent = AbsentSerializer(source="absent.rows", many=True)
    grown = GrownSerializer(source="grown.rows", many=True)
    policies = IdlePolicySerializer(source="policies.rows", many=True)
    more = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_more(self, coverage: Any) -> list[str]:
        names = (
            "stranded", "unanswered", "thin", "roots", "ending", "left", "absent", "grown",
            "policies",
        )  # fmt: skip
        return [each for each in names if getattr(coverage, each).has_more]
