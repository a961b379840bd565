"""Statements that the server plans once for each connection: what is answered is never another."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import Error, connection, connections, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from portal.lib.compiled import compiled, compiled_each, compiled_rows
from portal.lib.lookups import is_of
from portal.lib.prepared import Prepared
from portal.lib.together import Part, Rows, Values
from projects.models import Group


@compiled
def named(*, name: Any) -> Sequence[Part]:
    rows = Group.objects.filter(name=name)
    return [Values(rows.order_by("pk"), ["external_id"]), Rows(rows.order_by("pk"))]


@compiled_each
def found_anew(*, name: Any) -> Sequence[Part]:
    return [Rows(Group.objects.filter(name=name).order_by("pk"))]


@compiled_rows
def locked(*, keys: Any) -> QuerySet[Group]:
    return Group.objects.filter(is_of("pk", keys)).order_by("pk").select_for_update()


def group(key: str, name: str = "100%") -> Group:
    return Group.objects.create(issuer="idp", external_id=key, name=name)


def plans() -> list[tuple[int, int]]:
    """(how often by a plan for any values, by one for these values) of what is prepared here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements ORDER BY 1")
        return list(cursor.fetchall())


def keys(name: str) -> list[tuple[str]]:
    return named(name=name)[0]


@pytest.fixture
def two(database_copy: object) -> Iterator[None]:
    connection.close()
    group("a")
    group("b", "50%")
    yield
    connection.close()


@pytest.mark.usefixtures("two")
def test_a_statement_is_prepared_once_and_carried_out_by_one_plan() -> None:
    assert plans() == []
    assert [keys("100%"), keys("50%"), keys("none")] == [[("a",)], [("b",)], []]
    assert plans() == [(3, 0)]
    Group.objects.filter(external_id="b").update(name="100%")
    assert keys("100%") == [("a",), ("b",)]


@pytest.mark.usefixtures("two")
def test_what_is_logged_has_the_values() -> None:
    with CaptureQueriesContext(connection) as said:
        keys("50%")
    (one,) = said.captured_queries
    assert one["sql"].count("'50%'") == 2


@pytest.mark.usefixtures("two")
def test_numbers_of_any_size_and_lists_are_one_statement() -> None:
    asked = Prepared("SELECT %s::bigint, %s::bigint[], '%%'", [None] * 2, ["one", "many"])
    for one, many in ((1, [2]), (70_000, [3, 5_000_000_000]), (5_000_000_000, [])):
        assert asked.rows({"one": one, "many": many}) == [(one, many, "%")]
    # An empty list too, which is of no type that the driver knows.
    assert asked.rows({"one": 7, "many": [None, 2]}) == [(7, [None, 2], "%")]
    assert plans() == [(4, 0)]


@pytest.mark.usefixtures("two")
def test_what_depends_on_its_values_is_planned_for_them_each_time() -> None:
    assert [each.name for each in found_anew(name="50%")[0]] == ["50%"]
    assert found_anew(name="none") == [[]]
    assert plans() == []


@pytest.mark.usefixtures("two")
def test_a_value_is_never_part_of_the_statement() -> None:
    asked = Prepared("SELECT %s || %s || '%%s'", ["it's 5%s", None], [None, "said"])
    assert asked.rows({"said": "'; DROP TABLE x --"}) == [("it's 5%s'; DROP TABLE x --%s",)]


@pytest.mark.usefixtures("two")
def test_rows_are_locked_by_a_prepared_statement_too() -> None:
    with transaction.atomic():
        ids = [each.pk for each in Group.objects.order_by("pk")]
        assert [each.external_id for each in locked(keys=ids[:1])] == ["a"]
        assert [each.external_id for each in locked(keys=ids)] == ["a", "b"]
        assert plans() != []
    with transaction.atomic():
        assert locked(keys=ids[1:])[0].name == "50%"


@pytest.mark.usefixtures("two")
def test_after_what_was_rolled_back_statements_are_prepared_anew() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        group("c")
        assert keys("100%") == [("a",), ("c",)]
        raise ZeroDivisionError
    assert keys("100%") == [("a",)]
    with transaction.atomic():
        with pytest.raises(Error), transaction.atomic():
            assert keys("50%") == [("b",)]
            group("a")  # is there already
        assert keys("50%") == [("b",)]
    assert keys("50%") == [("b",)]


@pytest.mark.parametrize("forget", ["DISCARD ALL", "DEALLOCATE ALL"])
@pytest.mark.usefixtures("two")
def test_a_session_that_forgot_its_statements_gets_them_again(forget: str) -> None:
    assert keys("50%") == [("b",)]
    with connection.cursor() as cursor:
        cursor.execute(forget)
    assert keys("50%") == [("b",)]


def elsewhere(act: Callable[[], object]) -> None:
    """Do it on another connection."""

    def run() -> None:
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)


@pytest.mark.usefixtures("two")
def test_others_rows_are_seen_at_once_and_only_once_committed() -> None:
    assert keys("100%") == [("a",)]
    elsewhere(lambda: group("c"))
    assert keys("100%") == [("a",), ("c",)]


@pytest.fixture
def table(database_copy: object) -> Iterator[None]:
    execute("CREATE TABLE changing (id int, said text)", "INSERT INTO changing VALUES (1, '7')")
    yield
    execute("DROP TABLE changing")
    connection.close()


@pytest.mark.usefixtures("table")
def test_tables_that_another_connection_changes_are_read_as_they_are() -> None:
    asked = Prepared("SELECT id, said FROM changing WHERE id = %s", [None], ["id"])
    assert asked.rows({"id": 1}) == [(1, "7")]
    elsewhere(lambda: execute("CREATE INDEX changing_id ON changing (id)", "ANALYZE changing"))
    elsewhere(lambda: execute("ALTER TABLE changing ADD COLUMN more int"))
    assert asked.rows({"id": 1}) == [(1, "7")]


@pytest.mark.usefixtures("table")
def test_a_column_of_another_type_fails_one_transaction_and_then_no_more() -> None:
    """As while a site is upgraded: whoever is refused once is served by the next statement."""
    asked = Prepared("SELECT id, said FROM changing WHERE id = %s", [None], ["id"])
    assert asked.rows({"id": 1}) == [(1, "7")]
    elsewhere(lambda: execute("ALTER TABLE changing ALTER COLUMN said TYPE int USING said::int"))
    with pytest.raises(Error, match="cached plan"), transaction.atomic():
        asked.rows({"id": 1})
    assert asked.rows({"id": 1}) == [(1, 7)]


@pytest.mark.usefixtures("two")
def test_without_them_everything_is_sent_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a pooler."""
    monkeypatch.delitem(connection.settings_dict["OPTIONS"], "prepare_threshold")
    connection.close()
    assert [keys("100%"), keys("50%")] == [[("a",)], [("b",)]]
    with transaction.atomic():
        assert len(locked(keys=[each.pk for each in Group.objects.order_by("pk")])) == 2
    assert plans() == []
