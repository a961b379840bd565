"""The shape of a refusal; quotas/api/errors.py writes it."""

from typing import Any

from rest_framework import serializers


class FieldError(serializers.Serializer[Any]):
    """A sentence about one place in the body."""

    pointer = serializers.CharField(help_text="A JSON pointer into the body, as a fragment.")
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """Why something was refused (RFC 9457)."""

    type = serializers.CharField(
        help_text="The address of the page about the code, relative to the site."
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="For programs; it never changes its meaning.")
    detail = serializers.CharField(help_text="A sentence for people, in the caller's language.")
    errors = FieldError(many=True)  # type: ignore[assignment]  # a field, as the problem calls it
    facts = serializers.DictField(
        child=serializers.JSONField(), help_text="The figures behind it, in base units."
    )
    links = serializers.DictField(
        child=serializers.CharField(),
        help_text="Where it leads on, relative to the site: `explain` is why no more is possible "
        "and who can help, `waiting` for whom a request waits.",
    )
