"""What a person wants by mail, letters and how mail is, as they go out and come in."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Letter
from projects.outgoing.mail_choices import Wanted
from projects.outgoing.mail_kinds import usual
from projects.queries.mail import MailStanding, about
from projects.states import LetterState, MailWay, NoticeKind
from quotas.api.fields import Input, Text, Whole

from .people import Person

EXAMPLE: dict[str, Any] = {
    "kinds": {"commented": "digest", "withdrawn": "off"},
    "digest_hour": 9,
}


class MailKind(serializers.Serializer[Any]):
    """One kind of notice: how it comes, what the person chose (null: nothing), what is usual."""

    kind = serializers.ChoiceField(choices=NoticeKind.values)
    way = serializers.ChoiceField(choices=MailWay.values)
    chosen = serializers.ChoiceField(choices=MailWay.values, allow_null=True)
    usual = serializers.ChoiceField(choices=MailWay.values)


class MailChoicesSerializer(serializers.Serializer[Wanted]):
    """What one gets by mail. All of it stands among one's notices too."""

    kinds = serializers.SerializerMethodField()
    digest_hour = serializers.IntegerField(
        source="own_hour", allow_null=True, help_text="Null: the site's hour."
    )
    digest_comes_at = serializers.IntegerField(
        source="hour", help_text="The hour, 0 to 23, of one's own time zone."
    )
    is_mail_on = serializers.SerializerMethodField(help_text="Whether this site sends mail.")

    @extend_schema_field(MailKind(many=True))
    def get_kinds(self, wanted: Wanted) -> list[dict[str, str | None]]:
        return [
            {
                "kind": str(kind),
                "way": str(wanted.way(kind)),
                "chosen": wanted.chosen.get(kind),
                "usual": str(usual(kind).way),
            }
            for kind in NoticeKind
        ]

    def get_is_mail_on(self, wanted: Wanted) -> bool:
        return bool(self.context["is_mail_on"])


class MailChoicesInput(Input):
    """The whole of it: a kind that is not named has what is usual again, so has the hour."""

    kinds = serializers.DictField(
        child=Text(), required=False, help_text="{kind: `at once`, `digest` or `off`}."
    )
    digest_hour = Whole(required=False, allow_null=True, help_text="0 to 23; null: the site's.")


class MailSerializer(serializers.Serializer[MailStanding]):
    """Where letters go, and how it is there."""

    is_on = serializers.BooleanField()
    server = serializers.CharField(help_text="Host and port; empty where there is none.")
    folder = serializers.CharField(help_text="Where letters are files instead, for trying out.")
    failing_since = serializers.DateTimeField(allow_null=True)
    failure_count = serializers.IntegerField()
    held_until = serializers.DateTimeField(allow_null=True)
    words = serializers.CharField(help_text="What was said when it last failed.")
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="{state: how many letters}."
    )
    oldest_due_at = serializers.DateTimeField(allow_null=True)
    last_sent_at = serializers.DateTimeField(allow_null=True)


class LetterSerializer(serializers.ModelSerializer[Letter]):
    """A letter: to whom, about what, and what became of it. What it says is kept nowhere."""

    person = Person()
    about = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=LetterState.values)
    words = serializers.CharField(help_text="The last that the mail server said of it.")

    class Meta:
        model = Letter
        fields = (
            "id", "person", "about", "is_digest", "state", "words", "try_count", "due_at",
            "next_try_at", "created_at", "ended_at",
        )  # fmt: skip

    def get_about(self, letter: Letter) -> str:
        return about(letter)
