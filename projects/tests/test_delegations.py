"""Handing authority on stays within what one holds, and ends with what it hangs on."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.actions import delegations
from projects.actions.delegations import Terms, grant_root, revoke, root_holders
from projects.actions.people import make_group, set_group_members
from projects.models import Delegation, Event, User
from projects.queries.viewers import live_delegations
from projects.states import Power
from projects.tests.rows import LATER, NOW, person, root, tree

pytestmark = pytest.mark.django_db

LEGAL: dict[str, Any] = {
    "powers": [Power.DECIDE_QUOTA],
    "starts_at": NOW,
    "ends_at": NOW + timedelta(days=50),
    "depth": 1,
}


def grant(*, parent: Delegation, grantor: User, now: datetime, **terms: Any) -> Delegation:
    """`delegations.grant` with terms named one by one."""
    return delegations.grant(parent=parent, grantor=grantor, terms=Terms(**terms), now=now)


def test_grant_knows_its_chain() -> None:
    units, otto, erin = tree(), person("otto"), person("erin")
    parent = root(otto, units["org"])

    made = grant(parent=parent, grantor=otto, user=erin, unit=units["ep"], now=NOW, **LEGAL)

    assert made.chain_ids == [parent.pk, made.pk]
    assert Event.objects.order_by("-id")[0].verb == "delegated"


def test_grant_by_a_member_of_the_group_that_holds_it() -> None:
    units, otto, erin = tree(), person("otto"), person("erin")
    heads = make_group(external_id="heads", name="Heads", now=NOW)
    set_group_members(group=heads, users=[erin], now=NOW)
    held = grant(
        parent=root(otto, units["org"]), grantor=otto, group=heads, unit=units["ep"], now=NOW,
        **LEGAL,
    )  # fmt: skip

    made = grant(
        parent=held, grantor=erin, user=person("dana"), unit=units["atlas"], now=NOW,
        **{**LEGAL, "depth": 0},
    )  # fmt: skip

    assert made.grantor == erin


@pytest.mark.parametrize(
    ("beyond", "dimension"),
    [
        ({"powers": [Power.AUDIT]}, "powers"),
        ({"powers": []}, "powers"),
        ({"unit": "it"}, "unit"),
        ({"unit": "org"}, "unit"),
        ({"depth": 2}, "depth"),
        ({"depth": -1}, "depth"),
        ({"starts_at": NOW - timedelta(seconds=1)}, "starts_at"),
        ({"ends_at": NOW + timedelta(days=101)}, "ends_at"),
        ({"ends_at": None}, "ends_at"),
        ({"ends_at": NOW}, "ends_at"),
    ],
)
def test_grant_beyond_the_parent_names_the_dimension(
    beyond: dict[str, Any], dimension: str
) -> None:
    units, otto = tree(), person("otto")
    parent = root(otto, units["ep"])
    terms = {**LEGAL, "unit": "atlas", **beyond}
    terms["unit"] = units[terms["unit"]]

    with pytest.raises(Invalid) as refused:
        grant(parent=parent, grantor=otto, user=person("erin"), now=NOW, **terms)

    assert list(refused.value.errors) == [dimension]
    assert Delegation.objects.count() == 1


def test_grant_of_what_one_does_not_hold_is_forbidden() -> None:
    units, otto, erin = tree(), person("otto"), person("erin")
    parent = root(otto, units["org"])

    with pytest.raises(Forbidden):
        grant(parent=parent, grantor=erin, user=person("dana"), unit=units["ep"], now=NOW, **LEGAL)


def test_grant_by_a_link_whose_chain_was_revoked_is_forbidden() -> None:
    units, otto, erin = tree(), person("otto"), person("erin")
    parent = root(otto, units["org"])
    held = grant(parent=parent, grantor=otto, user=erin, unit=units["ep"], now=NOW, **LEGAL)
    revoke(delegation=parent, actor=None, now=LATER)

    with pytest.raises(Forbidden):
        grant(
            parent=held, grantor=erin, user=person("dana"), unit=units["atlas"], now=LATER,
            **{**LEGAL, "depth": 0},
        )  # fmt: skip


def test_revoke_ends_everything_below() -> None:
    units, otto, erin = tree(), person("otto"), person("erin")
    parent = root(otto, units["org"])
    grant(parent=parent, grantor=otto, user=erin, unit=units["ep"], now=NOW, **LEGAL)

    revoke(delegation=parent, actor=None, now=LATER)

    assert live_delegations(NOW).count() == 2
    assert live_delegations(LATER).count() == 0


def test_revoke_by_the_grantor_and_by_those_above_only() -> None:
    units = tree()
    otto, erin, dana = person("otto"), person("erin"), person("dana")
    held = grant(
        parent=root(otto, units["org"]), grantor=otto, user=erin, unit=units["ep"], now=NOW, **LEGAL
    )
    below = grant(
        parent=held, grantor=erin, user=dana, unit=units["atlas"], now=NOW, **{**LEGAL, "depth": 0}
    )

    with pytest.raises(Forbidden):
        revoke(delegation=held, actor=dana, now=LATER)
    revoke(delegation=below, actor=otto, now=LATER)

    below.refresh_from_db()
    assert (below.revoked_at, below.revoked_by) == (LATER, otto)


def test_revoke_twice_is_a_conflict() -> None:
    units, otto = tree(), person("otto")
    parent = root(otto, units["org"])
    revoke(delegation=parent, actor=None, now=LATER)

    with pytest.raises(Conflict):
        revoke(delegation=parent, actor=None, now=LATER)


def test_root_holders_hold_the_powers_over_the_whole_unit_now() -> None:
    units = tree()
    otto, olga, audrey = person("otto"), person("olga"), person("audrey")
    root(otto, units["org"])
    root(olga, units["ep"])
    root(audrey, units["org"], Power.AUDIT)

    def holders(unit: str) -> set[int]:
        return root_holders(units[unit], [Power.DECIDE_QUOTA], NOW)

    assert holders("org") == {otto.pk}
    assert holders("atlas") == {otto.pk, olga.pk}
    assert root_holders(units["ep"], [Power.DECIDE_QUOTA], NOW + timedelta(days=100)) == set()


def test_grant_root_stands_on_nobody() -> None:
    units = tree()

    made = grant_root(
        user=person("otto"), unit=units["org"], powers=[Power.AUDIT, Power.DECIDE_QUOTA], depth=5,
        starts_at=NOW, ends_at=None, now=NOW,
    )  # fmt: skip

    assert (made.parent, made.grantor, made.ancestors) == (None, None, [])
    # In the order in which they are written down, however they were given.
    assert made.powers == [Power.DECIDE_QUOTA, Power.AUDIT]
