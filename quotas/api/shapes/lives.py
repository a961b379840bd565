"""The life of a project, its people, and what waits for somebody's yes, as they go in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import ProjectAct, ProjectChange, ProjectHold
from projects.states import ChangeKind, ChangeState, ProjectActKind, Role
from quotas.api.fields import Input, PublicId, Slug, Text, Whole
from quotas.queries.lives import GoingBack, Redraw

from .ledger import AccountHolder, LoanSerializer, account_holder
from .people import Person, ProjectRef, ProjectSerializer
from .units import RefusalShape, refusal

MAX_SLUG = 125


class MemberInput(Input):
    """A person or a group, one of the two, and the role that they shall have.

    `seen`: the role that you saw them have, null for none: 412 where it is another by now.
    """

    person = PublicId(required=False, allow_null=True, default=None)
    group = PublicId(required=False, allow_null=True, default=None)
    role = serializers.ChoiceField(choices=Role.values)
    seen = serializers.ChoiceField(choices=Role.values, required=False, allow_null=True)


class SeenInput(Input):
    """`version`: of what you saw; or send its ETag as If-Match."""

    version = Whole(required=False)


class WhyInput(SeenInput):
    reason = Text(required=False, default="")


class ExtendInput(WhyInput):
    """Its last day, and why it is needed so long."""

    until_on = serializers.DateField()


class ProjectMoveInput(WhyInput):
    """Into which unit, and why."""

    unit = Slug(max_length=MAX_SLUG)


class OfferInput(WhyInput):
    """Who shall own it, and the role that you have then; null: none."""

    person = PublicId()
    then = serializers.ChoiceField(choices=Role.values, required=False, allow_null=True)


class KeepInput(WhyInput):
    """Its new last day; null: it stays."""

    ends_on = serializers.DateField(allow_null=True)


class HoldInput(Input):
    """Why it must not end, and until the end of which day; null: until it is released."""

    reason = Text()
    until_on = serializers.DateField(required=False, allow_null=True, default=None)


class StewardInput(Input):
    """Who is offered the projects of leavers; null: as the nearest unit above says."""

    person = PublicId(allow_null=True)


class StewardSerializer(serializers.Serializer[Any]):
    """What the unit itself says."""

    unit = serializers.CharField(source="slug")
    steward = Person(allow_null=True)


class LoanKeepInput(Input):
    """`seen`: what you saw outstanding, in base units: 412 where it is another amount by now."""

    seen = Whole()
    reason = Text(required=False, default="")


class LoanExtendInput(LoanKeepInput):
    """The last day of the loan."""

    until_on = serializers.DateField()


class LoanAskInput(Input):
    """Until the end of which day you need it, and why; null: for good."""

    until_on = serializers.DateField(allow_null=True)
    reason = Text(required=False, default="")


class AnswerChangeInput(SeenInput):
    """What you say to whoever asked; who declines says why."""

    answer = Text(required=False, default="")


class ChangeSerializer(serializers.ModelSerializer[ProjectChange]):
    """A change of a project that somebody must agree to.

    extend: until `until_on`; move: into `to_unit`; hand over: to `to_person`, after which
    `asked_by` has the role `then_role`; loan: `loan` until `until_on`, null for good. `asked_by`
    null: the site asks. `expires_at`: then it lapses.
    """

    project = ProjectRef()
    kind = serializers.ChoiceField(choices=ChangeKind.values)
    state = serializers.ChoiceField(choices=ChangeState.values)
    asked_by = Person(allow_null=True)
    to_person = Person(source="to_user", allow_null=True)
    to_unit = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    then_role = serializers.SerializerMethodField()
    loan = LoanSerializer(source="lent", allow_null=True)
    answered_by = Person(allow_null=True)

    class Meta:
        model = ProjectChange
        fields = (
            "id", "project", "kind", "state", "asked_by", "to_person", "to_unit", "until_on",
            "loan", "then_role", "reason", "answer", "answered_by", "answered_at", "expires_at",
            "created_at", "version",
        )  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=Role.values, allow_null=True))
    def get_then_role(self, change: ProjectChange) -> str | None:
        return change.then_role or None


class HoldSerializer(serializers.ModelSerializer[ProjectHold]):
    """What keeps a project from ending."""

    made_by = Person()

    class Meta:
        model = ProjectHold
        fields = ("reason", "until_on", "made_by", "made_at")


class ProjectActSerializer(serializers.ModelSerializer[ProjectAct]):
    """Something that was done with a project; a null actor: the calendar.

    `delegation`: by which authority, where it took one. `data`: days, ids and amounts.
    """

    kind = serializers.ChoiceField(choices=ProjectActKind.values)
    actor = Person(allow_null=True)
    delegation = serializers.IntegerField(source="delegation_id", allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]  # its name in the API

    class Meta:
        model = ProjectAct
        fields = ("id", "kind", "actor", "delegation", "reason", "data", "at")


class OutcomeSerializer(serializers.Serializer[Any]):
    """The project, and the change that waits for a yes; null: it is done."""

    project = ProjectSerializer()
    change = ChangeSerializer(allow_null=True)


class GoingBackSerializer(serializers.Serializer[Any]):
    """What it has of an offering: `free` goes back when it closes, `in_use` as its use falls."""

    offering = serializers.CharField(source="offering.slug")
    quota = serializers.IntegerField(source="account.balance")
    free = serializers.IntegerField()
    in_use = serializers.IntegerField(source="stays")

    def to_representation(self, instance: GoingBack) -> dict[str, Any]:
        return super().to_representation(instance)


class LifeSerializer(serializers.Serializer[Any]):
    """How long a project lasts, and what stands between it and its end.

    `renewable_until`: the last day until which an owner extends it without asking anybody.
    """

    state = serializers.CharField()
    ends_on = serializers.DateField(allow_null=True)
    closes_on = serializers.DateField(allow_null=True)
    renewable_until = serializers.DateField()
    hold = HoldSerializer(allow_null=True)
    changes = ChangeSerializer(many=True)
    going_back = GoingBackSerializer(many=True)


class RedrawSerializer(serializers.Serializer[Any]):
    """Where an offering is drawn from today, and from where then; `short`: what lacks there."""

    offering = serializers.CharField(source="offering.slug")
    quota = serializers.IntegerField(source="account.balance")
    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()
    short = serializers.IntegerField()

    @extend_schema_field(AccountHolder)
    def get_before(self, row: Redraw) -> dict[str, Any]:
        return account_holder(row.before)

    @extend_schema_field(AccountHolder)
    def get_after(self, row: Redraw) -> dict[str, Any]:
        return account_holder(row.after)

    def get_moves(self, row: Redraw) -> bool:
        return not row.is_same


class MovePlan(serializers.Serializer[Any]):
    """What a move would do. `is_asked`: it would wait for a yes; `refusal`: why not now."""

    is_asked = serializers.BooleanField()
    offerings = RedrawSerializer(many=True)
    refusal = serializers.SerializerMethodField()

    @extend_schema_field(RefusalShape(allow_null=True))
    def get_refusal(self, plan: Any) -> dict[str, Any] | None:
        return refusal(plan["refused"])
