"""How rows become what is sent: what a shape says of its fields is read once in a process.

The framework makes the fields of a shape anew for each list, and of a nested one for each row,
which takes several times as long as to read the values. The values are the same.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import cache
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Manager, Model
from django.utils import timezone
from rest_framework import serializers
from rest_framework.fields import SkipField, is_simple_callable

# The class of a serializer; as a type of its own it cannot be the key of a cache.
Shape = Any
Reader = Callable[[Any], Any]
NOTHING: Mapping[str, Any] = {}
# Not shown at all, as the framework leaves out a field that its row lacks.
_SKIPPED = object()


def show_all(
    shape: Shape,
    rows: Iterable[Any],
    context: Mapping[str, Any] = NOTHING,
    names: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """What `shape(rows, many=True, context=context).data` has. names: of fields, None: all."""
    return _shown(shape, rows, _Showing(context), names)


@dataclass
class _Showing:
    """One answer that is made: what its shapes are told, and a shape of each kind."""

    context: Mapping[str, Any]
    zone: tzinfo = field(default_factory=timezone.get_current_timezone)
    _shapes: dict[Shape, serializers.BaseSerializer[Any]] = field(default_factory=dict)

    def of(self, shape: Shape) -> serializers.BaseSerializer[Any]:
        """The one whose methods are called; its fields are never made."""
        if shape not in self._shapes:
            self._shapes[shape] = shape(context=self.context)
        return self._shapes[shape]


# Makes of a row and the answer that it is for what is sent.
_Column = Callable[[Any, _Showing], Any]


def _shown(
    shape: Shape, rows: Iterable[Any], showing: _Showing, names: Collection[str] | None = None
) -> list[dict[str, Any]]:
    if _has_own_way(shape):
        found = [showing.of(shape).to_representation(row) for row in rows]
        return found if names is None else [{name: each[name] for name in names} for each in found]
    columns = [each for each in _columns(shape) if names is None or each[0] in names]
    made = [{name: column(row, showing) for name, column in columns} for row in rows]
    for each in made:
        for name in [name for name, value in each.items() if value is _SKIPPED]:
            del each[name]
    return made


def _has_own_way(shape: Shape) -> bool:
    """Whether it says by itself what is shown of a row."""
    usual = serializers.Serializer.to_representation
    return getattr(shape, "to_representation", None) is not usual


@cache
def _columns(shape: Shape) -> tuple[tuple[str, _Column], ...]:
    """What is shown of a row, by name. The fields belong to a shape that is told nothing."""
    fields: Mapping[str, Any] = shape().fields
    return tuple(
        (name, _column(shape, each)) for name, each in fields.items() if not each.write_only
    )


def _column(shape: Shape, each: Any) -> _Column:
    if type(each) is serializers.SerializerMethodField:
        method = getattr(shape, each.method_name)
        return lambda row, showing: method(showing.of(shape), row)
    read = _reader(each)
    if isinstance(each, serializers.ListSerializer):
        child = type(each.child)
        return _unless_none(read, lambda value, showing: _shown(child, _every(value), showing))
    if isinstance(each, serializers.BaseSerializer):
        kind = type(each)
        return _unless_none(read, lambda value, showing: _shown(kind, [value], showing)[0])
    if type(each) is serializers.DateTimeField and not {"format", "timezone"} & vars(each).keys():
        return _unless_none(read, lambda value, showing: _moment(each, value, showing.zone))
    write = _writer(each)
    return _unless_none(read, lambda value, _showing: write(value))


def _unless_none(read: Reader, write: _Column) -> _Column:
    def column(row: Any, showing: _Showing) -> Any:
        value = read(row)
        return value if value is None or value is _SKIPPED else write(value, showing)

    return column


def _every(value: Any) -> Iterable[Any]:
    found: Iterable[Any] = value.all() if isinstance(value, Manager) else value
    return found


def _reader(each: Any) -> Reader:
    """What reads the field's value from a row, as `Field.get_attribute` does."""
    if isinstance(each, serializers.PrimaryKeyRelatedField):
        return _key_reader(each)
    if isinstance(each, serializers.ManyRelatedField):
        return lambda row: _by_framework(each, row)
    names: Sequence[str] = each.source_attrs

    def read(row: Any) -> Any:
        value = row
        try:
            for name in names:
                value = value[name] if isinstance(value, Mapping) else getattr(value, name)
                if callable(value) and is_simple_callable(value):
                    value = value()
        except (AttributeError, KeyError, ObjectDoesNotExist):
            return _by_framework(each, row)
        return value

    return read


def _key_reader(each: Any) -> Reader:
    """What reads which row another one names, without a look at that."""
    *way, name = each.source_attrs

    def read(row: Any) -> Any:
        if not way and isinstance(row, Model):
            value = row.serializable_value(name)
        else:
            value = _by_framework(each, row)
        return getattr(value, "pk", value)

    return read


def _by_framework(each: Any, row: Any) -> Any:
    """As the framework reads it: it knows what else to show where a row lacks something."""
    try:
        return each.get_attribute(row)
    except SkipField:
        return _SKIPPED


def _writer(each: Any) -> Reader:
    """What makes the value to be sent, as `Field.to_representation` does; never of None."""
    kind = type(each)
    if isinstance(each, serializers.PrimaryKeyRelatedField):
        pk_field = each.pk_field
        return _same if pk_field is None else pk_field.to_representation
    if kind is serializers.SlugRelatedField and "__" not in each.slug_field:
        slug_field = each.slug_field
        return lambda value: getattr(value, slug_field)
    if kind is serializers.ListField:
        write = _writer(each.child)
        return lambda value: [None if one is None else write(one) for one in value]
    if kind is serializers.ChoiceField:
        known = each.choice_strings_to_values
        choose = each.to_representation
        return lambda value: known.get(value, value) if type(value) is str else choose(value)
    return _PLAIN.get(kind) or _guarded(each)


def _guarded(each: Any) -> Reader:
    """The short way for the values that are expected."""
    write: Reader = each.to_representation
    if type(each) is serializers.BooleanField:
        return lambda value: value if isinstance(value, bool) else write(value)
    if type(each) is serializers.DateField and "format" not in vars(each):
        return lambda value: value.isoformat() if type(value) is date else write(value)
    return write


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[type, Reader] = {
    serializers.IntegerField: int,
    serializers.CharField: str,
    serializers.SlugField: str,
    serializers.ReadOnlyField: _same,
}


def _moment(each: Any, value: Any, zone: tzinfo) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return each.to_representation(value)
    try:
        text = value.astimezone(zone).isoformat()
    except OverflowError:
        return each.to_representation(value)
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text
