"""Who of a project waits for a role at an identity service, as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import User
from quotas.queries.holders import BY_HAND, MissingHolder
from quotas.states import Missing

from .people import Holder


class MissingMember(serializers.Serializer[Any]):
    """Somebody without an id at an identity service, and why.

    `reason`: by hand: no rule finds them, the operators give the id; else what looking for them
    came to. `words`: what matched, for those who repair there; empty for others.
    """

    endpoint = serializers.CharField(source="identity.slug")
    holder = serializers.SerializerMethodField()
    roles = serializers.ListField(child=serializers.CharField())
    reason = serializers.ChoiceField(choices=[BY_HAND, *Missing.values])
    sentence = serializers.CharField()
    words = serializers.SerializerMethodField()
    looked_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(Holder)
    def get_holder(self, row: MissingHolder) -> dict[str, Any]:
        kind = "person" if isinstance(row.holder, User) else "group"
        return {"kind": kind, "id": row.holder.public_id, "name": str(row.holder)}

    def get_words(self, row: MissingHolder) -> str:
        return row.words if self.context["may_read"](row.identity) else ""


class MissingMembers(serializers.Serializer[Any]):
    """Everybody who waits, by service."""

    waiting = MissingMember(many=True)
