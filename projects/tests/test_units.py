"""The tree of units: paths, moves and their history."""

import pytest

from portal.lib.errors import Conflict
from projects.actions.units import make_unit, move_unit
from projects.models import Unit, UnitPlacement
from projects.tests.rows import LATER, NOW, tree

pytestmark = pytest.mark.django_db


def test_make_unit_has_the_path_of_its_parents() -> None:
    assert tree()["atlas"].path == "org/ep/atlas/"


def test_move_unit_takes_its_subtree_along() -> None:
    units = tree()

    move_unit(unit=units["ep"], parent=units["it"], now=LATER)

    assert Unit.objects.get(slug="atlas").path == "org/it/ep/atlas/"
    assert set(
        UnitPlacement.objects.filter(unit=units["ep"]).values_list(
            "parent__slug", "starts_at", "ends_at"
        )
    ) == {("org", NOW, LATER), ("it", LATER, None)}


def test_move_unit_to_the_top() -> None:
    units = tree()

    move_unit(unit=units["ep"], parent=None, now=LATER)

    assert Unit.objects.get(slug="atlas").path == "ep/atlas/"


@pytest.mark.parametrize("below", ["ep", "atlas"])
def test_move_unit_below_itself_is_a_conflict(below: str) -> None:
    units = tree()

    with pytest.raises(Conflict):
        move_unit(unit=units["ep"], parent=units[below], now=LATER)

    assert Unit.objects.get(slug="atlas").path == "org/ep/atlas/"


def test_nothing_is_put_below_a_retired_unit() -> None:
    units = tree()
    Unit.objects.filter(slug="it").update(retired_at=NOW)

    with pytest.raises(Conflict):
        move_unit(unit=units["ep"], parent=units["it"], now=LATER)
    units["it"].refresh_from_db()
    with pytest.raises(Conflict):
        make_unit(slug="cm", name="CM", parent=units["it"], now=LATER)


def test_move_unit_does_not_touch_a_sibling_that_begins_alike() -> None:
    units = tree()
    make_unit(slug="ep-old", name="Old", parent=units["org"], now=NOW)

    move_unit(unit=units["ep"], parent=None, now=LATER)

    assert Unit.objects.get(slug="ep-old").path == "org/ep-old/"
