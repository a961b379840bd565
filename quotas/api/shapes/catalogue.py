"""What can be asked for, as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quotas.models import Offering, Preset, PresetLine, Region, Resource, Zone, ZoneKind
from quotas.queries.accounts import Fill, room_word


class FillFigures(serializers.Serializer[Any]):
    """How full something is, in base units."""

    promised = serializers.IntegerField()
    size = serializers.IntegerField()
    free = serializers.IntegerField()


class Room(serializers.Serializer[Any]):
    """Room as a word for everybody; as figures for those who may see them."""

    word = serializers.ChoiceField(choices=["ample", "tight", "none", "unknown"])
    figures = FillFigures(allow_null=True)


def room(fill: Fill | None, *, with_figures: bool) -> dict[str, Any]:
    """The Room of a fill."""
    figures = None
    if fill is not None and with_figures:
        figures = {"promised": fill.promised, "size": fill.size, "free": fill.free}
    return {"word": room_word(fill), "figures": figures}


class RegionSerializer(serializers.ModelSerializer[Region]):
    class Meta:
        model = Region
        fields = ("slug", "name")


class ZoneSerializer(serializers.ModelSerializer[Zone]):
    """A place within a region; known by both slugs, "geneva.compute-a"."""

    id = serializers.SerializerMethodField()
    region = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    kind = serializers.ChoiceField(choices=ZoneKind.values)

    class Meta:
        model = Zone
        fields = ("id", "region", "slug", "name", "kind")

    def get_id(self, zone: Zone) -> str:
        return f"{zone.region.slug}.{zone.slug}"


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    """What is counted. Amounts are integers of `unit` ("" counts, "B" bytes), in `step`s.

    Of an access (`is_access`) a project has 1 or 0: it is granted or not.
    """

    unit = serializers.ChoiceField(choices=["", "B"])

    class Meta:
        model = Resource
        fields = ("slug", "name", "unit", "step", "is_access")


class OfferingSerializer(serializers.ModelSerializer[Offering]):
    """A resource in a zone, and how much of what can be promised there is promised."""

    zone = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(source="zone.kind", choices=ZoneKind.values)
    resource = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    unit = serializers.ChoiceField(source="resource.unit", choices=["", "B"])
    step = serializers.IntegerField(source="resource.step")
    is_access = serializers.BooleanField(
        source="resource.is_access", help_text="It is granted or not: 1 or 0."
    )
    is_retired = serializers.SerializerMethodField()
    room = serializers.SerializerMethodField()

    class Meta:
        model = Offering
        fields = (
            "slug", "zone", "kind", "resource", "unit", "step", "is_access",
            "is_retired", "room",
        )  # fmt: skip

    def get_zone(self, offering: Offering) -> str:
        return f"{offering.zone.region.slug}.{offering.zone.slug}"

    def get_is_retired(self, offering: Offering) -> bool:
        return offering.retired_at is not None

    @extend_schema_field(Room)
    def get_room(self, offering: Offering) -> dict[str, Any]:
        fill = self.context["fills"][offering.pk]
        return room(fill, with_figures=self.context["with_figures"])


class PresetLineSerializer(serializers.ModelSerializer[PresetLine]):
    offering = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = PresetLine
        fields = ("offering", "increase")


class PresetSerializer(serializers.ModelSerializer[Preset]):
    """A named set of increases that fills the lines of a request."""

    region = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    lines = PresetLineSerializer(many=True)

    class Meta:
        model = Preset
        fields = ("slug", "name", "region", "lines")
