"""Webhooks, their calls and tries, as they go out and as they are asked for."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from projects.models import Webhook, WebhookAttempt, WebhookCall
from projects.outgoing.event_types import PING, TYPES, type_of
from projects.states import CallState, WebhookState
from quotas.api.fields import Input, Text, Whole, YesNo
from quotas.api.shapes.operations import EventSerializer
from quotas.api.shapes.people import Person

EXAMPLE: dict[str, Any] = {
    "name": "Tickets", "url": "https://tickets.example.org/remit", "project": "atlas-reco",
    "types": ["request.submitted", "request.approved"],
}  # fmt: skip


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook: told of its project or unit, or, with neither, of what its owner is told."""

    id = serializers.UUIDField(source="public_id")
    owner = Person(help_text="It is told what they may see.")
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    unit = serializers.SlugRelatedField(slug_field="slug", read_only=True, allow_null=True)
    types = serializers.ListField(
        child=serializers.CharField(), source="verbs", help_text="None: events of all types."
    )
    state = serializers.ChoiceField(choices=WebhookState.values)
    may_have = serializers.SerializerMethodField(
        help_text="Whether you could have it. False for your own: nothing is sent any more."
    )
    due = serializers.SerializerMethodField(help_text="How many calls wait.")
    after = serializers.SerializerMethodField(
        help_text="Up to which place of the feed its calls are written."
    )

    class Meta:
        model = Webhook
        fields = (
            "id", "name", "url", "owner", "project", "unit", "types", "state", "state_why",
            "may_have", "due", "failing_since", "failure_count", "held_until",
            "old_secret_until", "after", "created_at", "version",
        )  # fmt: skip

    def get_may_have(self, webhook: Webhook) -> bool:
        return webhook in self.context["had"]

    def get_due(self, webhook: Webhook) -> int:
        return int(self.context["due"].get(webhook.pk, 0))

    def get_after(self, webhook: Webhook) -> str:
        return f"{webhook.after_xid}.{webhook.after_id}"


class NewWebhookSerializer(WebhookSerializer):
    """A webhook with its secret, which no other answer has; null where the call came again."""

    secret = serializers.SerializerMethodField()

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]  # one more

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_secret(self, webhook: Webhook) -> str:
        return str(self.context["secret"])


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    """One try: the status that the receiver answered, or null and why there was none."""

    class Meta:
        model = WebhookAttempt
        fields = ("at", "status", "words", "took_ms")


class CallSerializer(serializers.ModelSerializer[WebhookCall]):
    """One call: the event that it tells of (null: a test, or not yours to see any more), and its
    tries, the newest first."""

    id = serializers.CharField(source="message_id", help_text="As in `webhook-id`.")
    type = serializers.SerializerMethodField(help_text="Empty where it is not yours to see.")
    event = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=CallState.values)
    tries = AttemptSerializer(many=True)

    class Meta:
        model = WebhookCall
        fields = ("id", "type", "event", "state", "attempts", "due_at", "ended_at", "tries")

    def get_type(self, call: WebhookCall) -> str:
        if call.event is None:
            return PING
        return type_of(call.event) if self._is_seen(call) else ""

    @extend_schema_field(EventSerializer(allow_null=True))
    def get_event(self, call: WebhookCall) -> Any:
        return EventSerializer(call.event).data if self._is_seen(call) else None

    def _is_seen(self, call: WebhookCall) -> bool:
        return call.event_id in self.context["seen"]


class TypesSerializer(serializers.Serializer[Any]):
    """The types of events that a webhook can choose."""

    types = serializers.ListField(child=serializers.ChoiceField(choices=sorted(TYPES)))


class WebhookTerms(Input):
    name = Text()
    url = Text()
    types = serializers.ListField(child=Text(), default=list, help_text="None: of all types.")


class WebhookInput(WebhookTerms):
    """A new one: of a project or a unit, or neither: for what you are told of yourself."""

    project = Text(default="", help_text="Slug of a project that you own or manage.")
    unit = Text(default="", help_text="Slug of a unit in which you decide, fund or audit.")


class WebhookChangeInput(WebhookTerms):
    """What it is to be; its place stays."""

    version = Whole(required=False, help_text="The one you saw, unless If-Match says it.")


class WebhookSwitchInput(Input):
    missed = YesNo(default=False, help_text="Send also what happened since it stopped.")


class WebhookReplayInput(Input):
    """From where on: a moment of the last 30 days, or a place of the feed."""

    since = serializers.DateTimeField(required=False)
    after = serializers.CharField(required=False, help_text="`place` of an event; what follows it.")

    default_error_messages = {"one": _("Send `since` or `after`.")}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("since" in attrs) == ("after" in attrs):
            raise serializers.ValidationError({"since": [self.error_messages["one"]]})
        return attrs
