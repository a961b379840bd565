"""A few rows that the tests of this app talk about."""

from datetime import UTC, datetime, timedelta

from projects.actions.delegations import grant_root
from projects.actions.people import make_user
from projects.actions.units import make_unit
from projects.models import Delegation, Unit, User
from projects.states import Power

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def person(name: str) -> User:
    return make_user(subject=name, name=name.capitalize())


def tree() -> dict[str, Unit]:
    """org/ep/atlas and org/it."""
    org = make_unit(slug="org", name="Everybody", parent=None, now=NOW)
    ep = make_unit(slug="ep", name="Physics", parent=org, now=NOW)
    return {
        "org": org,
        "ep": ep,
        "atlas": make_unit(slug="atlas", name="ATLAS", parent=ep, now=NOW),
        "it": make_unit(slug="it", name="Computing", parent=org, now=NOW),
    }


def root(user: User, unit: Unit, *powers: Power, depth: int = 2, days: int = 100) -> Delegation:
    return grant_root(
        user=user,
        unit=unit,
        powers=powers or [Power.DECIDE_QUOTA, Power.MANAGE_MEMBERS],
        depth=depth,
        starts_at=NOW,
        ends_at=NOW + timedelta(days=days),
        now=NOW,
    )
