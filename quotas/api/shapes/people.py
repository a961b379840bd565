"""People, groups, units, projects, members and delegations, as they go out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Delegation, Group, Membership, Project, Unit
from projects.states import Power, ProjectState, Role
from quotas.models import DelegationBound


class Person(serializers.Serializer[Any]):
    """A person, known by an id that never changes."""

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField(source="__str__")


class Holder(serializers.Serializer[Any]):
    """A person or a group: whoever holds a role, a delegation or a line's decision."""

    kind = serializers.ChoiceField(choices=["person", "group"])
    id = serializers.UUIDField()
    name = serializers.CharField()


def holder_of(row: Any) -> dict[str, Any]:
    """The Holder of a row with `user` and `group`, one of which is set."""
    found = row.user or row.group
    kind = "person" if row.user_id else "group"
    return {"kind": kind, "id": found.public_id, "name": str(found)}


class GroupSerializer(serializers.ModelSerializer[Group]):
    """A group of an identity provider, known there as `external_id`.

    `member_count`: how many people are in it now; null for who may not choose any group.
    """

    id = serializers.UUIDField(source="public_id")
    member_count = serializers.SerializerMethodField()

    class Meta:
        model = Group
        fields = ("id", "name", "issuer", "external_id", "member_count")

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_member_count(self, group: Group) -> int | None:
        sizes: dict[int, int] | None = self.context["sizes"]
        return sizes.get(group.pk, 0) if sizes is not None else None


class UnitSerializer(serializers.ModelSerializer[Unit]):
    """A node of the organisation's tree. `path` is the slugs from the root."""

    # Fields, as the unit calls them; the base class has attributes of these names.
    parent = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)  # type: ignore[assignment]
    label = serializers.CharField(help_text="The path as people write it: `IT/CM`.")  # type: ignore[assignment]
    is_retired = serializers.SerializerMethodField()

    class Meta:
        model = Unit
        fields = ("slug", "name", "path", "label", "parent", "is_retired")

    def get_is_retired(self, unit: Unit) -> bool:
        return unit.retired_at is not None


class ProjectRef(serializers.Serializer[Any]):
    """A project, as other things name it."""

    slug = serializers.CharField()
    name = serializers.CharField()


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project. `roles` are the caller's own in it, directly or through groups.

    `description` is what the clouds show, `purpose` what was told to those who decided.
    `ends_on`: its last day; null: it stays. `closes_on`: while it is closing, the last day on
    which it can be kept.
    """

    id = serializers.UUIDField(source="public_id")
    unit = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    unit_path = serializers.CharField(source="unit.path")
    state = serializers.ChoiceField(choices=ProjectState.values)
    roles = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = (
            "slug", "id", "name", "description", "purpose", "unit", "unit_path", "kind", "state",
            "ends_on", "closes_on", "roles", "version", "created_at",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=Role.values)))
    def get_roles(self, project: Project) -> list[str]:
        return sorted(self.context["roles"].get(project.pk, ()))


class Member(serializers.ModelSerializer[Membership]):
    """A role of a person, or of everybody in a group; `ends_at` is exclusive."""

    holder = serializers.SerializerMethodField()
    role = serializers.ChoiceField(choices=Role.values)

    class Meta:
        model = Membership
        fields = ("id", "holder", "role", "starts_at", "ends_at")

    @extend_schema_field(Holder)
    def get_holder(self, membership: Membership) -> dict[str, Any]:
        return holder_of(membership)


class Bound(serializers.ModelSerializer[DelegationBound]):
    """How much a delegation may give; a null resource or zone is any, a null amount all."""

    resource = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    zone = serializers.SerializerMethodField()

    class Meta:
        model = DelegationBound
        fields = ("resource", "zone", "per_decision", "window_days", "total", "period_days")

    def get_zone(self, bound: DelegationBound) -> str | None:
        return f"{bound.zone.region.slug}.{bound.zone.slug}" if bound.zone else None


class DelegationSerializer(serializers.ModelSerializer[Delegation]):
    """Who lets whom do what, where and until when. Its terms never change.

    `is_live`: in force now, with every link above it.
    """

    delegate = serializers.SerializerMethodField()
    grantor = Person(allow_null=True)
    unit = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    powers = serializers.ListField(child=serializers.ChoiceField(choices=Power.values))
    bounds = Bound(many=True)
    is_live = serializers.SerializerMethodField()

    class Meta:
        model = Delegation
        fields = (
            "id", "parent", "grantor", "delegate", "powers", "unit", "bounds", "depth",
            "is_deputy", "purpose", "starts_at", "ends_at", "revoked_at", "revoked_why", "replaces",
            "is_live", "created_at",
        )  # fmt: skip

    @extend_schema_field(Holder)
    def get_delegate(self, delegation: Delegation) -> dict[str, Any]:
        return holder_of(delegation)

    def get_is_live(self, delegation: Delegation) -> bool:
        return delegation.pk in self.context["live"]


class Me(serializers.Serializer[Any]):
    """Who calls, and what they may do somewhere."""

    id = serializers.UUIDField(source="user.public_id")
    name = serializers.CharField(source="user.__str__")
    issuer = serializers.CharField(source="user.issuer")
    subject = serializers.CharField(source="user.subject")
    language = serializers.CharField(source="user.language")
    time_zone = serializers.CharField(source="user.time_zone")
    is_operator = serializers.BooleanField()
    is_auditor = serializers.BooleanField()
    decides_for = serializers.SerializerMethodField(
        help_text="Paths of the units whose requests you may decide."
    )

    def get_decides_for(self, viewer: Any) -> list[str]:
        return list(viewer.paths(Power.DECIDE_QUOTA))
