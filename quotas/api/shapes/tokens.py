"""Tokens and service accounts, as they go out and as they are asked for."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.actions.tokens import DEFAULT_DAYS
from projects.models import ApiToken, Project, ServiceAccount
from projects.queries.tokens import standing
from projects.states import TokenScope
from quotas.api.fields import Input, PublicId, Slug, Text, Whole

from .people import Person


class Place(serializers.Serializer[Any]):
    """Where a service account acts: in a project, or in a unit and what is below it."""

    kind = serializers.ChoiceField(choices=["project", "unit"])
    slug = serializers.CharField()
    name = serializers.CharField()


class ServiceAccountSerializer(serializers.ModelSerializer[ServiceAccount]):
    """A program of a project or a unit. What it does is done by its owner."""

    id = serializers.UUIDField(source="public_id")
    owner = Person()
    place = serializers.SerializerMethodField()
    live_tokens = serializers.SerializerMethodField(help_text="How many of its are in force.")
    created_by = Person()
    closed_by = Person(allow_null=True)

    class Meta:
        model = ServiceAccount
        fields = (
            "id", "name", "purpose", "owner", "place", "live_tokens", "created_at", "created_by",
            "closed_at", "closed_by",
        )  # fmt: skip

    @extend_schema_field(Place)
    def get_place(self, account: ServiceAccount) -> dict[str, str]:
        place = account.place
        if isinstance(place, Project):
            return {"kind": "project", "slug": place.slug, "name": place.name}
        return {"kind": "unit", "slug": place.slug, "name": place.label}

    def get_live_tokens(self, account: ServiceAccount) -> int:
        return int(self.context["live"][account.pk])


class Bearer(serializers.Serializer[Any]):
    """Who bears a token: a person, or a service account."""

    kind = serializers.ChoiceField(choices=["person", "service_account"])
    id = serializers.UUIDField()
    name = serializers.CharField()


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its secret, which nobody can show again."""

    id = serializers.CharField(source="public_id", help_text="`remit_<id>_<secret>`.")
    bearer = serializers.SerializerMethodField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=TokenScope.values))
    networks = serializers.ListField(
        child=serializers.CharField(), help_text="CIDR; empty: from anywhere."
    )
    state = serializers.SerializerMethodField()
    created_by = Person()
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    revoked_by = Person(allow_null=True)

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = (
            "id", "name", "bearer", "scopes", "networks", "state", "created_at", "created_by",
            "ends_at", "last_used_at", "revoked_at", "revoked_by",
        )  # fmt: skip

    @extend_schema_field(Bearer)
    def get_bearer(self, token: ApiToken) -> dict[str, Any]:
        found = token.service_account or token.person
        kind = "person" if token.service_account is None else "service_account"
        return {"kind": kind, "id": found.public_id, "name": str(found)}

    @extend_schema_field(serializers.ChoiceField(choices=["live", "ended", "revoked"]))
    def get_state(self, token: ApiToken) -> str:
        return standing(token, self.context["now"])


class NewTokenSerializer(TokenSerializer):
    """A token with its text, once."""

    token = serializers.SerializerMethodField(
        help_text="What programs send: `Authorization: Bearer …`. Shown this once; null where an "
        "answer is repeated for its Idempotency-Key."
    )

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_token(self, token: ApiToken) -> str | None:
        text: str | None = self.context["text"]
        return text


class TokenInput(Input):
    """A token of one's own, or of a service account that one owns."""

    name = Text(help_text="What it is for.")
    scopes = serializers.ListField(child=Text(), help_text=", ".join(TokenScope.values))
    networks = serializers.ListField(
        child=Text(), default=list, help_text="CIDR, from which it may be used; empty: anywhere."
    )
    ends_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text=f"Null: in {DEFAULT_DAYS} days."
    )
    service_account = PublicId(allow_null=True, default=None)


class RotateInput(Input):
    """When the old secret ends, and the new one."""

    overlap_hours = Whole(default=0, help_text="For how long the old one goes on, at most 168.")
    ends_at = serializers.DateTimeField(allow_null=True, default=None)

    def validate_overlap_hours(self, hours: int) -> timedelta:
        # What is far beyond is refused by the domain all the same.
        return timedelta(hours=min(max(hours, -1), 1000))


class ServiceAccountInput(Input):
    """A program of a project or of a unit: name one of both."""

    name = Text()
    purpose = Text(default="")
    project = Slug(required=False)
    unit = Slug(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("project" in attrs) == ("unit" in attrs):
            raise serializers.ValidationError(
                {"project": [_("Name a project or a unit, one of the two.")]}
            )
        return attrs
