"""The kinds of values that go in: strict, so that nothing is guessed from a wrong type."""

import re
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_MAX_ID_DIGITS = 18
_MOST = 2**63 - 1
_NUMBER = re.compile(r"-?[0-9]{1,19}")


@extend_schema_field({"type": "integer", "format": "int64"})
class Whole(serializers.Field):
    """A whole number of 64 bits; its range is the domain's question. 1.0, "1" and true are none."""

    default_error_messages = {
        "whole": _("Give a whole number, without quotes or a fraction."),
        "far": _("That number is further from 0 than any that is counted here."),
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("whole")
        if not -_MOST - 1 <= data <= _MOST:
            self.fail("far")
        return int(data)

    def to_representation(self, value: int) -> int:
        return value


class Text(serializers.CharField):
    """A text; whether it may be empty or that long is the domain's question."""

    default_error_messages = {"text": _("Give a text.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False} | kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("text")
        return super().to_internal_value(data)


class Slug(serializers.SlugField):
    """The name of a thing in addresses, as it is written: nothing around it is cut off."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PublicId(serializers.UUIDField):
    """An id of ours, written the one way it is sent out."""

    def to_internal_value(self, data: Any) -> UUID:
        found = super().to_internal_value(data) if isinstance(data, str) else None
        if found is None or str(found) != data.lower():
            self.fail("invalid", value=str(data)[:60])
        return found


@extend_schema_field({"type": "boolean"})
class YesNo(serializers.Field):
    """true or false, nothing that looks like it."""

    default_error_messages = {"yes_no": _("Give true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("yes_no")
        return bool(data)

    def to_representation(self, value: bool) -> bool:
        return value


class Amounts(serializers.DictField):
    """{offering slug: amount in base units}; which slugs there are is the domain's question."""

    child = Whole()


class AmountsByLine(serializers.DictField):
    """{line id: amount in base units}. JSON keys are texts, the ids come out as numbers."""

    child = Whole()
    default_error_messages = {"line": _("A line is named by its id, a whole number.")}

    def to_internal_value(self, data: Any) -> Any:
        amounts = super().to_internal_value(data)
        wrong = [key for key in amounts if not is_id(key)]
        if wrong:
            sentence = self.error_messages["line"]
            raise serializers.ValidationError({str(key): [sentence] for key in wrong})
        return {int(key): amount for key, amount in amounts.items()}


def is_id(text: str) -> bool:
    """Whether a text is the number of a row, written the one way it is written."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_ID_DIGITS
    return is_number and str(int(text)) == text


class LineIds(serializers.ListField):
    """The ids of lines, each once."""

    child = Whole()
    default_error_messages = {"twice": _("Name each line once.")}

    def to_internal_value(self, data: Any) -> list[int]:
        ids = super().to_internal_value(data)
        if len(set(ids)) != len(ids):
            self.fail("twice")
        return list(ids)


class Input(serializers.Serializer[Any]):
    """A body. A name that is not known is an error: it is likely a typing mistake."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(
                {str(name)[:60]: [_("There is no such field here.")] for name in sorted(unknown)}
            )
        return super().to_internal_value(data)


class NumberInAddress(serializers.IntegerField):
    """A whole number in a query string: digits alone, with a minus before them or without."""

    def to_internal_value(self, data: Any) -> int:
        if not (isinstance(data, int) or _NUMBER.fullmatch(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class YesNoInAddress(YesNo):
    """true or false in a query string."""

    def to_internal_value(self, data: Any) -> bool:
        return super().to_internal_value({"true": True, "false": False}.get(data))


class Filters(serializers.Serializer[Any]):
    """The filters of a list, from the query string; only declared ones exist.

    context: `also`, the names of what else the list takes.
    """

    def to_internal_value(self, data: Any) -> Any:
        if unknown := set(data) - set(self.fields) - self.context["also"]:
            raise serializers.ValidationError(
                {str(name)[:60]: [_("There is no such filter here.")] for name in sorted(unknown)}
            )
        return super().to_internal_value(data)
