"""Many decisions at once, as they come in."""

from rest_framework import serializers

from quotas.actions.bulk import VERBS
from quotas.api.fields import AmountsByLine, Input, Text, Whole


class ShownInput(Input):
    """A request as you read it, and those of its lines that are meant."""

    id = Whole()
    version = Whole()
    seen = AmountsByLine(help_text="{line id: the line's `balance` as you read it}")


class DecideManyInput(Input):
    """One verb for many requests: what is approved is granted as asked."""

    verb = serializers.ChoiceField(choices=[each.value for each in VERBS])
    requests = ShownInput(many=True)
    reason = Text(default="", help_text="Needed to decline or return; people read it.")
