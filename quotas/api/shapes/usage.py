"""Use over time, quota that is not used, and what was returned of it. Amounts in base units."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quotas.api.fields import Input, Text, Whole
from quotas.models import QuotaReturn, UnitUsage, UnusedQuota, UsagePeak

from .ledger import AccountHolder, account_holder
from .people import Person, ProjectRef


class UsageDaySerializer(serializers.ModelSerializer[UsagePeak]):
    """The highest use of a limit on a day; `limit` was in force then, -1: unlimited."""

    endpoint = serializers.CharField(source="limit.endpoint.slug")
    key = serializers.CharField(source="limit.key")
    unit = serializers.CharField(source="limit.unit")
    limit = serializers.IntegerField(source="limit_seen", allow_null=True)

    class Meta:
        model = UsagePeak
        fields = ("endpoint", "key", "unit", "day", "used", "limit")


class UnitUsageSerializer(serializers.ModelSerializer[UnitUsage]):
    """What many projects used of a limit on a day, each at its peak, and were promised.

    `used` is of `known_count` of `project_count` projects; `seen_count` were seen on the day,
    the others within three days before.
    """

    endpoint = serializers.CharField(source="limit.endpoint.slug")
    key = serializers.CharField(source="limit.key")
    unit = serializers.CharField(source="limit.unit")
    promised = serializers.IntegerField(source="quota")

    class Meta:
        model = UnitUsage
        fields: tuple[str, ...] = (
            "endpoint", "key", "unit", "day", "used", "promised", "seen_count", "known_count",
            "project_count",
        )  # fmt: skip


class ZoneUsageSerializer(UnitUsageSerializer):
    """The same of the whole site; `capacity`: how much could be promised, null: not known."""

    capacity = serializers.SerializerMethodField()

    class Meta(UnitUsageSerializer.Meta):
        fields = (*UnitUsageSerializer.Meta.fields, "capacity")

    def get_capacity(self, row: UnitUsage) -> int | None:
        found: int | None = self.context["capacity"](row.limit_id, row.day)
        return found


class UnusedSerializer(serializers.ModelSerializer[UnusedQuota]):
    """How much of a quota could be returned, and what says so.

    `peak` on `peak_on` is the highest use of the limit, seen on `day_count` of 90 days, of what is
    `promised` of it: in all zones that it counts.
    """

    project = ProjectRef(source="account.project")
    offering = serializers.CharField(source="account.offering.slug")
    unit = serializers.CharField(source="account.offering.resource.unit")
    quota = serializers.IntegerField(source="balance")
    left = serializers.SerializerMethodField()
    endpoint = serializers.CharField(source="limit.endpoint.slug")
    key = serializers.CharField(source="limit.key")

    class Meta:
        model = UnusedQuota
        fields = (
            "project", "offering", "unit", "quota", "amount", "left", "endpoint", "key", "peak",
            "peak_on", "day_count", "promised", "found_at",
        )  # fmt: skip

    def get_left(self, row: UnusedQuota) -> int:
        return row.balance - row.amount


class FreedSerializer(serializers.Serializer[Any]):
    """What would be free of an offering, were all that is not used returned."""

    offering = serializers.CharField(source="offering.slug")
    unit = serializers.CharField(source="offering.resource.unit")
    amount = serializers.IntegerField()
    project_count = serializers.IntegerField()


class SuggestionSerializer(serializers.Serializer[Any]):
    """What a project could return of a quota, as of now; send `quota` back as `seen`."""

    offering = serializers.CharField(source="offering.slug")
    unit = serializers.CharField(source="offering.resource.unit")
    quota = serializers.IntegerField(source="account.balance")
    amount = serializers.IntegerField()
    left = serializers.IntegerField()
    endpoint = serializers.CharField(source="evidence.limit.endpoint.slug")
    key = serializers.CharField(source="evidence.limit.key")
    peak = serializers.IntegerField(source="evidence.peak")
    peak_on = serializers.DateField(source="evidence.peak_on")
    day_count = serializers.IntegerField(source="evidence.day_count")
    taken = serializers.IntegerField(source="evidence.taken")
    promised = serializers.IntegerField(source="evidence.promised")


class QuotaReturnSerializer(serializers.ModelSerializer[QuotaReturn]):
    """Quota that a project returned. Until `undo_until` it can have it again, once."""

    offering = serializers.CharField(source="account.offering.slug")
    unit = serializers.CharField(source="account.offering.resource.unit")
    home = serializers.SerializerMethodField()
    lent = serializers.SerializerMethodField(help_text="How much of it was on loan.")
    returned_by = Person(source="act.actor", allow_null=True)
    returned_at = serializers.DateTimeField(source="act.at")
    undone_at = serializers.DateTimeField(source="undone_by.at", allow_null=True, default=None)

    class Meta:
        model = QuotaReturn
        fields = (
            "id", "offering", "unit", "amount", "lent", "home", "returned_by", "returned_at",
            "undo_until", "undone_at", "undone_amount",
        )  # fmt: skip

    @extend_schema_field(AccountHolder)
    def get_home(self, row: QuotaReturn) -> dict[str, Any]:
        return account_holder(row.home)

    def get_lent(self, row: QuotaReturn) -> int:
        return sum(row.loans.values())


class ReturnInput(Input):
    """How much to return; `seen`: the quota that you saw, 412 where it is another by now."""

    offering = Text(max_length=125)
    amount = Whole()
    seen = Whole()


class UndoInput(Input):
    """How much to have again, null: all of it; `as_much`: what of that is there."""

    amount = Whole(required=False, allow_null=True, default=None)
    as_much = serializers.BooleanField(required=False, default=False)


class AskBackInput(Input):
    """What you say to its owners and managers."""

    reason = Text(required=False, default="")
