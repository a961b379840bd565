"""What is shown of rows is what the framework would show, field by field."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework import serializers

from projects.models import Delegation, Project
from quotas.api.fields import Whole
from quotas.api.shapes.people import DelegationSerializer, ProjectSerializer
from quotas.api.showing import show_all
from quotas.tests.site import Site

MOMENT = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


class Inner(serializers.Serializer[Any]):
    name = serializers.CharField(source="__str__")
    owner = serializers.CharField(source="of.owner", default=None)
    told = serializers.SerializerMethodField()

    def get_told(self, row: Any) -> Any:
        return self.context["told"]


class Outer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    on = serializers.DateField()
    count = serializers.IntegerField()
    whole = Whole()
    is_there = serializers.BooleanField()
    kind = serializers.ChoiceField(choices=["a", "b"])
    words = serializers.ListField(child=serializers.ChoiceField(choices=["a", "b"]))
    inner = Inner()
    others = Inner(many=True)
    itself = Inner(source="*")
    missing = serializers.CharField(required=False)
    nothing = serializers.CharField(source="gone.name", allow_null=True)


def row(**changes: Any) -> Any:
    inner = SimpleNamespace(of=SimpleNamespace(owner="Alice"))
    values = {
        "id": UUID(int=7), "at": MOMENT, "on": date(2026, 11, 21), "count": 3, "whole": 4,
        "is_there": True, "kind": "a", "words": ["a", None, "b"], "inner": inner,
        "others": [inner, SimpleNamespace()], "gone": None,
    }  # fmt: skip
    return SimpleNamespace(**values | changes)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
def test_values_are_what_the_framework_makes_of_them(zone: str) -> None:
    rows = [
        row(), row(missing="there", at=None, inner=None, kind="", on=None),
        row(at=MOMENT.astimezone(timezone.get_fixed_timezone(60)), is_there="yes", kind="c"),
    ]  # fmt: skip
    context = {"told": [1, 2]}
    with timezone.override(zone):
        assert show_all(Outer, rows, context) == Outer(rows, many=True, context=context).data


def test_rows_may_be_mappings_and_fields_be_chosen() -> None:
    rows = [vars(row())]
    assert show_all(Outer, rows, {"told": 1}, ["count", "at"]) == [
        {"at": "2026-11-21T23:30:00Z", "count": 3}
    ]


def test_models_are_shown_as_by_the_framework(site: Site) -> None:
    projects = list(Project.objects.select_related("unit").order_by("pk"))
    context: dict[str, Any] = {"roles": {projects[0].pk: {"owner"}}}
    by_framework: Any = ProjectSerializer(projects, many=True, context=context).data
    assert show_all(ProjectSerializer, projects, context) == by_framework

    delegations = list(Delegation.objects.order_by("pk"))
    context = {"live": {delegations[0].pk}}
    by_framework = DelegationSerializer(delegations, many=True, context=context).data
    assert show_all(DelegationSerializer, delegations, context) == by_framework
    assert by_framework[0]["created_at"] is not None
