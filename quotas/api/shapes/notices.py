"""What a person was told, as it goes out, and which of it they have seen."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import (
    ApiToken,
    Delegation,
    DirectoryRun,
    Project,
    ProjectChange,
    Unit,
    Webhook,
)
from projects.states import NoticeKind
from quotas.api.fields import Input, LineIds, Whole
from quotas.models import Announcement, QuotaRequest
from quotas.queries.notice_words import sentence_of
from quotas.queries.notices import NoticeRow

from .people import Person


class NoticeSubject(serializers.Serializer[Any]):
    """What it is about: the number of a request, a delegation, a change of a project or an
    announcement, the slug of a project or a unit, the id of a webhook, a token or a reading of the
    directory."""

    kind = serializers.ChoiceField(
        choices=[
            "request",
            "delegation",
            "unit",
            "webhook",
            "token",
            "project",
            "change",
            "directory",
            "announcement",
        ]
    )
    id = serializers.CharField()


class NoticeSerializer(serializers.Serializer[Any]):
    """One event of which one person was told. What they may no longer see is null."""

    id = serializers.IntegerField(source="notice.pk")
    kind = serializers.ChoiceField(choices=NoticeKind.values, source="notice.kind")
    at = serializers.DateTimeField(source="notice.at")
    read_at = serializers.DateTimeField(source="notice.read_at", allow_null=True)
    sentence = serializers.SerializerMethodField()
    actor = Person(allow_null=True, help_text="Null: Remit itself, or not yours to see.")
    verb = serializers.CharField(help_text="Of the event; empty where it is not yours to see.")
    subject = serializers.SerializerMethodField()

    def get_sentence(self, row: NoticeRow) -> str:
        return sentence_of(row)

    @extend_schema_field(NoticeSubject(allow_null=True))
    def get_subject(self, row: NoticeRow) -> dict[str, str] | None:
        found = row.subject
        if isinstance(found, QuotaRequest):
            return {"kind": "request", "id": str(found.pk)}
        if isinstance(found, Announcement):
            return {"kind": "announcement", "id": str(found.pk)}
        if isinstance(found, Project):
            return {"kind": "project", "id": found.slug}
        if isinstance(found, ProjectChange):
            return {"kind": "change", "id": str(found.pk)}
        if isinstance(found, Delegation):
            return {"kind": "delegation", "id": str(found.pk)}
        if isinstance(found, DirectoryRun):
            return {"kind": "directory", "id": str(found.pk)}
        if isinstance(found, Webhook):
            return {"kind": "webhook", "id": str(found.public_id)}
        if isinstance(found, ApiToken):
            return {"kind": "token", "id": found.public_id}
        return {"kind": "unit", "id": found.slug} if isinstance(found, Unit) else None


class ReadInput(Input):
    """Which notices were seen: these, or all up to one."""

    ids = LineIds(default=list, help_text="Of your notices; others are passed over.")
    newest = Whole(required=False, help_text="All that are not newer than the notice of this id.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["ids"]) == ("newest" in attrs):
            sentence = _("Name the notices in `ids`, or the last one in `newest`.")
            raise serializers.ValidationError({"ids": [sentence]})
        return attrs


class ReadSerializer(serializers.Serializer[Any]):
    """How many were not seen before."""

    count = serializers.IntegerField()
