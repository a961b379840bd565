"""Floors of lists of the API: the framework's own list view and ModelSerializers.

Each with as many fields as Remit's list of the same name sends, at the same depth, of fifty rows.
"""

from typing import Any

from django.db.models import QuerySet
from rest_framework.authentication import SessionAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import CharField, ModelSerializer, SlugRelatedField
from rest_framework.views import exception_handler

from projects.models import Event, Project, User
from quotas.models import Account, QuotaRequest, RequestLine, Transfer

ROWS = 50


class FloorList(ListAPIView[Any]):
    """The framework as it comes: no paging, no filter, the session's person."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = DefaultContentNegotiation
    pagination_class = None
    filter_backends = []

    def get_exception_handler(self) -> Any:
        return exception_handler


class PersonFields(ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("public_id", "name")


class ProjectName(ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ("slug", "name")


class LineFields(ModelSerializer[RequestLine]):
    offering = SlugRelatedField[Any](slug_field="slug", read_only=True)

    class Meta:
        model = RequestLine
        fields = (
            "id", "offering", "state", "wanted", "balance_seen", "level", "waits_since",
            "remind_at", "escalate_at",
        )  # fmt: skip


class RequestFields(ModelSerializer[QuotaRequest]):
    project = ProjectName()
    requester = PersonFields()
    asked_by = PersonFields()
    lines = LineFields(many=True)

    class Meta:
        model = QuotaRequest
        fields = (
            "id", "project", "requester", "asked_by", "nudged_at", "reason", "until_on",
            "all_or_nothing", "version", "created_at", "submitted_at", "updated_at", "lines",
        )  # fmt: skip


class RequestList(FloorList):
    serializer_class = RequestFields

    def get_queryset(self) -> QuerySet[QuotaRequest]:
        rows = QuotaRequest.objects.select_related("project", "requester", "asked_by")
        return rows.prefetch_related("lines__offering").order_by("-pk")[:ROWS]


class ProjectFields(ModelSerializer[Project]):
    unit = SlugRelatedField[Any](slug_field="slug", read_only=True)
    unit_path = CharField(source="unit.path")

    class Meta:
        model = Project
        fields = (
            "slug", "public_id", "name", "description", "purpose", "unit", "unit_path", "kind",
            "state", "ends_on", "closes_on", "pk", "version", "created_at",
        )  # fmt: skip


class ProjectList(FloorList):
    serializer_class = ProjectFields

    def get_queryset(self) -> QuerySet[Project]:
        return Project.objects.select_related("unit").order_by("slug")[:ROWS]


class EventFields(ModelSerializer[Event]):
    actor = SlugRelatedField[Any](slug_field="public_id", read_only=True)
    project = SlugRelatedField[Any](slug_field="slug", read_only=True)
    unit = SlugRelatedField[Any](slug_field="slug", read_only=True)

    class Meta:
        model = Event
        fields = (
            "id", "token", "at", "actor", "verb", "project", "unit", "subject_kind", "subject_id",
            "data",
        )  # fmt: skip


class EventList(FloorList):
    serializer_class = EventFields

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.select_related("actor", "project", "unit").order_by("pk")[:ROWS]


class AccountOwner(ModelSerializer[Account]):
    slug = CharField(source="project.slug", default=None)

    class Meta:
        model = Account
        fields = ("holder", "slug")


class TransferFields(ModelSerializer[Transfer]):
    offering = SlugRelatedField[Any](slug_field="slug", read_only=True)
    debit = AccountOwner()
    credit = AccountOwner()
    actor = PersonFields()
    request = CharField(source="decision_line.decision.request_id", default=None)
    delegation = CharField(source="decision_line.delegation_id", default=None)

    class Meta:
        model = Transfer
        fields = (
            "id", "offering", "debit", "credit", "amount", "kind", "actor", "decision_line",
            "request", "delegation", "note", "at",
        )  # fmt: skip


class TransferList(FloorList):
    serializer_class = TransferFields

    def get_queryset(self) -> QuerySet[Transfer]:
        rows = Transfer.objects.filter(credit__project__slug=self.kwargs["slug"]).select_related(
            "offering", "debit__project", "credit__project", "actor", "decision_line__decision"
        )
        return rows.order_by("-pk")[:ROWS]
