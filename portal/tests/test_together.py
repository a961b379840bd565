"""Several statements as one: what comes back, in which order, and what an error leaves behind."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Count, F
from django.test.utils import CaptureQueriesContext

from portal.lib.inserts import added, inserting, key_of, next_keys
from portal.lib.row_makers import of_json
from portal.lib.together import Rows, Values, Written, together
from projects.models import ApiToken, Event, Project, Unit, User

BEGAN = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
RENAME = "UPDATE projects_unit SET name = %s WHERE path LIKE %s RETURNING 1"
BROKEN = Written("SELECT 1 / (pk - pk) FROM (SELECT 1 AS pk) AS one", [])


@pytest.fixture
def org(db: None) -> Unit:
    """A unit with one below it, which has a project."""
    top = Unit.objects.create(slug="org", name="Organisation", path="org/")
    below = Unit.objects.create(slug="ep", name="Physics", parent=top, path="org/ep/")
    Project.objects.create(slug="p", name="Project", unit=below, created_at=BEGAN)
    return top


def test_answers_come_in_the_order_of_the_parts_by_one_query(org: Unit) -> None:
    with CaptureQueriesContext(connection) as said:
        units, nobody, paths = together(
            Rows(Unit.objects.order_by("-path"), ["parent"]),
            Rows(User.objects.all()),
            Values(Unit.objects.order_by("path"), ["path", "parent"]),
        )
    assert len(said) == 1
    assert [each.slug for each in units] == ["ep", "org"]
    assert nobody == []
    assert paths == [("org/", None), ("org/ep/", org.pk)]


def test_rows_are_what_their_querysets_would_give(org: Unit) -> None:
    rows = Project.objects.annotate(above=F("unit__parent__slug"))
    ((found,),) = together(Rows(rows, ["unit", "unit__parent", "unit__parent__parent"], ["above"]))
    expected = rows.select_related("unit__parent").get()
    fields = [each.attname for each in Project._meta.concrete_fields]
    assert {name: getattr(found, name) for name in fields} == {
        name: getattr(expected, name) for name in fields
    }
    with CaptureQueriesContext(connection) as said:
        assert (found.unit, found.unit.parent, found.above) == (expected.unit, org, "org")
        assert found.unit.parent.parent is None
    assert len(said) == 0
    found.name = "Renamed"
    found.save(update_fields=["name"])
    assert Project.objects.get().name == "Renamed"


def test_what_is_not_read_of_related_rows_is_asked_for_by_who_wants_it(org: Unit) -> None:
    ((found,),) = together(Rows(Project.objects.all(), ["unit"], only=["unit__path"]))
    with CaptureQueriesContext(connection) as said:
        assert (found.slug, found.unit.pk, found.unit.path) == ("p", found.unit_id, "org/ep/")
    assert len(said) == 0
    assert found.unit.get_deferred_fields() >= {"slug", "name"}
    assert found.unit.slug == "ep"


def test_a_row_has_the_types_of_its_columns_or_is_refused(org: Unit) -> None:
    Event.objects.create(at=BEGAN, verb="seen", data={"share": 0.5})
    ((found,),) = together(Rows(Event.objects.all()))
    assert vars(found) | {"_state": None} == vars(Event.objects.get()) | {"_state": None}
    with pytest.raises(TypeError, match=r"ApiToken\.digest"):
        together(Rows(ApiToken.objects.all()))


@pytest.mark.parametrize(
    "field",
    [models.BinaryField(), ArrayField(models.DateTimeField()), models.DecimalField(max_digits=16)],
)
def test_a_field_that_json_does_not_carry_is_refused(field: "models.Field[Any, Any]") -> None:
    with pytest.raises(TypeError, match="ask for `Values`"):
        of_json(field)


@pytest.mark.parametrize("field", [ArrayField(models.BigIntegerField()), models.JSONField()])
def test_what_json_has_a_value_for_stays_as_it_is(field: "models.Field[Any, Any]") -> None:
    assert of_json(field) is None


def test_a_row_is_put_in_order_by_what_nobody_asked_for(org: Unit) -> None:
    by_name = Values(Unit.objects.order_by("-name"), ["slug"])
    assert together(by_name) == [[("ep",), ("org",)]]
    counted = Unit.objects.order_by().values("parent").annotate(count=Count("pk"))
    assert sorted(together(Values(counted.filter(parent=org), ["parent", "count"]))[0]) == [
        (org.pk, 1)
    ]


def test_moments_come_as_texts_that_can_be_read_back(org: Unit) -> None:
    (((moment,),),) = together(Values(Project.objects.all(), ["created_at"]))
    assert datetime.fromisoformat(moment) == BEGAN


def test_what_can_find_nothing_is_not_asked(org: Unit) -> None:
    with CaptureQueriesContext(connection) as said:
        assert together() == []
        nothing = Values(Unit.objects.filter(pk__in=[]), ["pk"])
        assert together(Rows(Unit.objects.none()), nothing) == [[], []]
    assert len(said) == 0
    found = together(Rows(Unit.objects.none()), Values(Unit.objects.order_by("pk")[:1], ["slug"]))
    assert found == [[], [("org",)]]


def test_a_part_that_writes_tells_how_many_rows_and_the_others_see_what_was(org: Unit) -> None:
    changed, none, names = together(
        Written(RENAME, ["New", "org/%"]),
        Written(RENAME, ["Other", "other/%"]),
        Values(Unit.objects.order_by("path"), ["name"]),
    )
    assert (len(changed), none) == (2, [])
    assert names == [("Organisation",), ("Physics",)]
    assert set(Unit.objects.values_list("name", flat=True)) == {"New"}


def test_an_error_in_one_part_undoes_them_all(org: Unit) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        together(Written(RENAME, ["New", "%"]), BROKEN)
    assert set(Unit.objects.values_list("name", flat=True)) == {"Organisation", "Physics"}


def test_what_is_rolled_back_afterwards_was_never_written(org: Unit) -> None:
    with transaction.atomic():
        together(Written(RENAME, ["New", "%"]))
        transaction.set_rollback(True)
    assert set(Unit.objects.values_list("name", flat=True)) == {"Organisation", "Physics"}


def test_a_row_names_another_that_the_same_statement_adds(org: Unit) -> None:
    unit = Unit(slug="new", name="New", parent=org, path="cern/new/")
    rows = [Project(slug=each, name=each, created_at=BEGAN) for each in ("one", "two")]
    keys, row_keys = together(inserting([unit]), inserting(rows, {"unit_id": key_of(0)}))
    added([unit], keys)
    added(rows, row_keys)
    found = Project.objects.filter(slug__in=["one", "two"]).order_by("pk")
    assert list(found.values_list("pk", "slug", "unit")) == [
        (rows[0].pk, "one", unit.pk), (rows[1].pk, "two", unit.pk)
    ]  # fmt: skip
    assert Unit.objects.get(slug="new") == unit


def test_what_is_added_is_what_a_model_saves(org: Unit) -> None:
    """With a column that the database fills, JSON, a moment, and keys that were taken before."""
    facts = {"verb": "said", "at": BEGAN, "unit": org, "data": {"a": [1, None], "b": "'%s"}}
    saved = Event.objects.create(**facts)
    ((key,),) = together(next_keys(Event, 1))
    other = Event(pk=key[0], **facts)
    added([other], together(inserting([other]))[0])
    columns = [each.attname for each in Event._meta.concrete_fields if each.attname != "id"]
    rows = Event.objects.filter(pk__in=[saved.pk, other.pk]).order_by("pk").values_list(*columns)
    assert rows[0] == rows[1]
    assert other.pk > saved.pk
