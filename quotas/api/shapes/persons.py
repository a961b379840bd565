"""People as those who run the site see them, what leaving would mean, and the directory."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Absence, Membership, User
from projects.queries.directory import DirectoryStanding, RunRow
from projects.states import ProjectState, Role
from quotas.api.fields import Input, PublicId, Text
from quotas.queries.leaving import FATES, LeftAlone
from quotas.queries.orphans import Candidate, Orphan

from .lives import ChangeSerializer, WhyInput
from .people import Holder, Person, ProjectRef, holder_of


class PersonDetail(serializers.ModelSerializer[User]):
    """A person, known to their provider as `subject`.

    `listed_at`: when the directory last had them; `left_at`: since when they have left.
    """

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField(source="__str__")
    supervisor = Person(allow_null=True)

    class Meta:
        model = User
        fields = (
            "id", "name", "issuer", "subject", "mail", "is_active", "is_operator", "supervisor",
            "joined_at", "last_login", "listed_at", "left_at",
        )  # fmt: skip


class AbsenceSerializer(serializers.ModelSerializer[Absence]):
    """That somebody is, or was, away; `left_by` null: the directory says so."""

    left_by = Person(allow_null=True)
    back_by = Person(allow_null=True)

    class Meta:
        model = Absence
        fields = ("starts_at", "ends_at", "reason", "left_by", "back_by")


class LeaveInput(Input):
    """Why you say that they have left."""

    reason = Text()


class RoleRef(serializers.ModelSerializer[Membership]):
    project = ProjectRef()
    role = serializers.ChoiceField(choices=Role.values)

    class Meta:
        model = Membership
        fields = ("project", "role")


class DelegationRef(serializers.Serializer[Any]):
    """A delegation, by its number, who holds it, and where."""

    id = serializers.IntegerField(source="pk")
    holder = serializers.SerializerMethodField()
    unit = serializers.CharField(source="unit.slug")

    @extend_schema_field(Holder)
    def get_holder(self, row: Any) -> dict[str, Any]:
        return holder_of(row)


class CandidateSerializer(serializers.Serializer[Candidate]):
    """To whom a project can be offered: its unit's steward, or its last owner's supervisor."""

    person = Person(source="user")
    is_steward = serializers.BooleanField()


class LeftAloneSerializer(serializers.Serializer[LeftAlone]):
    """A project that nobody else owns, and what becomes of it.

    `offered` to `candidate`; `unplaced`: there is nobody to offer it to; `closes`: it is
    personal; `dropped`: it was only asked for.
    """

    project = ProjectRef()
    fate = serializers.ChoiceField(choices=FATES)
    candidate = CandidateSerializer(allow_null=True)


class ServiceAccountRef(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()


class LeavingSerializer(serializers.Serializer[Any]):
    """What would happen if the person left now.

    `ending`, `links`: delegations that are revoked, or stay unused as others hold something by
    them. `deputies` stop. `offers` to them lapse. `accounts` wait for who takes them over.
    """

    roles = RoleRef(many=True)
    alone = LeftAloneSerializer(many=True)
    ending = DelegationRef(many=True)
    links = DelegationRef(many=True)
    deputies = DelegationRef(many=True)
    offers = ChangeSerializer(many=True)
    accounts = ServiceAccountRef(many=True)
    token_count = serializers.IntegerField()
    is_operator = serializers.BooleanField()


class HoldingsSerializer(serializers.Serializer[Any]):
    """A person with what they have here now, and when they were away, the last time first.

    `returning`: the roles that they would have again if they were back now.
    """

    person = PersonDetail()
    roles = RoleRef(many=True)
    groups = serializers.SerializerMethodField()
    delegations = DelegationRef(many=True)
    absences = AbsenceSerializer(many=True)
    returning = RoleRef(many=True)

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_groups(self, row: Any) -> list[str]:
        return [str(each.public_id) for each in row["groups"]]


class OrphanSerializer(serializers.Serializer[Orphan]):
    """A project that nobody owns any more.

    `offer`: the one that waits for an answer; `candidates`: to whom Remit offers it next, by
    itself where somebody owned it once. Neither: somebody here must find an owner.
    """

    project = ProjectRef()
    unit = serializers.CharField(source="project.unit.slug")
    state = serializers.ChoiceField(choices=ProjectState.values, source="project.state")
    last_owner = Person(allow_null=True)
    owned_until = serializers.DateTimeField(allow_null=True)
    offer = ChangeSerializer(allow_null=True)
    candidates = CandidateSerializer(many=True)


class OrphanOfferInput(WhyInput):
    """Who shall own it. `version`: of the project, as you saw it."""

    person = PublicId()


class RefusedPartSerializer(serializers.Serializer[Any]):
    """`gone` of `known` would have gone at once; `group`: of which they are members."""

    part = serializers.ChoiceField(choices=("people", "groups", "group", "members"))
    group = serializers.UUIDField(source="group.public_id", allow_null=True, default=None)
    gone = serializers.IntegerField()
    known = serializers.IntegerField()


class DirectoryRunSerializer(serializers.Serializer[RunRow]):
    """One reading of the directory. `error`: why it ended early; `refused`: what was not done.

    `counts`: figures of what it changed, by name.
    """

    id = serializers.IntegerField(source="run.pk")
    started_at = serializers.DateTimeField(source="run.started_at")
    ended_at = serializers.DateTimeField(source="run.ended_at", allow_null=True)
    has_all_people = serializers.BooleanField(source="run.has_all_people")
    has_all_groups = serializers.BooleanField(source="run.has_all_groups")
    counts = serializers.DictField(child=serializers.IntegerField(), source="run.counts")
    error = serializers.CharField(source="run.error")
    refused = RefusedPartSerializer(many=True)
    is_confirmed = serializers.BooleanField(source="run.is_confirmed")


class DirectorySerializer(serializers.Serializer[DirectoryStanding]):
    """How the directory is: when all people, and all groups, were last read to the end."""

    is_on = serializers.BooleanField()
    people_read_at = serializers.DateTimeField(allow_null=True)
    groups_read_at = serializers.DateTimeField(allow_null=True)
