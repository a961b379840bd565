"""A project with its figures, as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Project

from .ledger import LimitSerializer, LoanSerializer, QuotaSerializer, ServiceSerializer
from .people import ProjectSerializer


class ProjectDetail(ProjectSerializer):
    """A project with its quota, its limits as last seen, its services and its loans."""

    quota = serializers.SerializerMethodField()
    limits = serializers.SerializerMethodField()
    services = serializers.SerializerMethodField()
    loans = serializers.SerializerMethodField()

    class Meta(ProjectSerializer.Meta):
        fields = (*ProjectSerializer.Meta.fields, "quota", "limits", "services", "loans")  # type: ignore[assignment]  # longer

    @extend_schema_field(QuotaSerializer(many=True))
    def get_quota(self, project: Project) -> Any:
        return QuotaSerializer(self.context["quota"], many=True).data

    @extend_schema_field(LimitSerializer(many=True))
    def get_limits(self, project: Project) -> Any:
        return LimitSerializer(self.context["limits"], many=True).data

    @extend_schema_field(ServiceSerializer(many=True))
    def get_services(self, project: Project) -> Any:
        return ServiceSerializer(self.context["services"], many=True).data

    @extend_schema_field(LoanSerializer(many=True))
    def get_loans(self, project: Project) -> Any:
        return LoanSerializer(self.context["loans"], many=True).data
