"""The whole cast as columns of a table, and the table as text that a person reads.

A row is a verb in a state; under each of the cast stands what comes of it through either door.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from projects.models import Delegation, User
from projects.states import REPAIRING, Role
from quotas.models import DelegationBound, Resource
from quotas.tests.site import Site, join, make_helper

# {column: whose name stands in tests}.
CAST = {
    "stranger": "mallory",
    "reader": "rita",
    "member": "bob",
    "manager": "max",
    "owner": "alice",
    "endorser": "enzo",
    "delegate": "dana",
    "head": "erin",
    "deputy": "debby",
    "root": "otto",
    "helpdesk": "hilda",
    "operator": "oscar",
    "auditor": "audrey",
    "repairer": "remy",
}
# Columns are headed by so many letters.
LETTERS = 4
WIDTH = LETTERS + 1


def make_cast(site: Site, since: datetime) -> Site:
    """Everybody holds what their column says, and nothing else.

    Enzo may add 10 steps of anything in ATLAS, from Dana, who may add 128; Debby stands in for
    Erin, the head of EP; Otto holds the root and operates nothing; Oscar only operates; Remy
    repairs all zones of ATLAS; Hilda asks for others in EP.
    """
    for name in ("max", "enzo", "debby", "oscar", "remy"):
        site.people[name] = User.objects.create(
            subject=name, name=name.capitalize(), is_operator=name == "oscar", password="!"
        )
    User.objects.filter(subject="otto").update(is_operator=False)
    site.otto.is_operator = False
    join(site.project, site.people["max"], Role.MANAGER, since)
    make_helper(site)
    for name, depth in (("otto", 5), ("erin", 4), ("dana", 3)):
        Delegation.objects.filter(pk=site.delegations[name].pk).update(depth=depth)
        site.delegations[name].depth = depth
    dana, erin = site.delegations["dana"], site.delegations["erin"]
    enzo = _hold(site, "enzo", dana, since, dana.powers, depth=1)
    for resource in Resource.objects.all():
        DelegationBound.objects.create(
            delegation=enzo, resource=resource, per_decision=10 * resource.step
        )
    debby = _hold(
        site, "debby", erin, since, erin.powers, depth=3, is_deputy=True,
        ends_at=since + timedelta(days=300),
    )  # fmt: skip
    remy = _hold(site, "remy", None, since, list(REPAIRING), unit=site.units["atlas"])
    for each in (debby, remy):
        DelegationBound.objects.create(delegation=each)
    return site


def _hold(
    site: Site, name: str, parent: Delegation | None, since: datetime, powers: Collection[str],
    **more: Any,
) -> Delegation:  # fmt: skip
    terms = {"starts_at": since, "created_at": since, "powers": list(powers), **more}
    if parent is not None:
        terms |= {
            "parent": parent, "ancestors": parent.chain_ids, "grantor": parent.user,
            "unit": parent.unit,
        }  # fmt: skip
    made = Delegation.objects.create(user=site.people[name], **terms)
    site.delegations[name] = made
    return made


def parse(table: str) -> dict[tuple[str, str], dict[str, int]]:
    """{(verb, state): {column: status}} of a table; words of a verb are joined by dashes."""
    head, *rows = [line.split() for line in table.strip().splitlines()]
    assert head[2:] == [each[:LETTERS] for each in CAST]
    return {
        (verb, state): dict(zip(CAST, map(int, cells), strict=True)) for verb, state, *cells in rows
    }


def as_text(found: dict[tuple[str, str], dict[str, str]]) -> str:
    """The table as it is written; what differs between the doors stands as "page/api"."""
    lines = [f"{'verb':<12}{'state':<11}" + "".join(f"{each[:LETTERS]:<{WIDTH}}" for each in CAST)]
    for (verb, state), cells in found.items():
        row = "".join(f"{cells[column]:<{WIDTH}}" for column in CAST)
        lines.append(f"{verb:<12}{state:<11}{row}")
    return "\n".join(line.rstrip() for line in lines)


def drive(
    rows: Iterable[tuple[str, str]], prepare: Callable[[str], object],
    send: Callable[[str, str, str, object], int],
) -> dict[tuple[str, str], dict[str, str]]:  # fmt: skip
    """What really comes of every cell, each undone afterwards; a state is made once.

    prepare: makes a state; send: (door, verb, person, what was prepared) gives the status.
    """
    by_state: dict[str, list[str]] = {}
    order = list(rows)
    for verb, state in order:
        by_state.setdefault(state, []).append(verb)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for state, verbs in by_state.items():
        with transaction.atomic():
            made = prepare(state)
            for verb in verbs:
                found[verb, state] = {
                    column: _both(verb, person, made, send) for column, person in CAST.items()
                }
            transaction.set_rollback(True)
    return {each: found[each] for each in order}


def _both(
    verb: str, person: str, made: object, send: Callable[[str, str, str, object], int]
) -> str:
    statuses = []
    for door in ("page", "api"):
        with transaction.atomic():
            statuses.append(str(send(door, verb, person, made)))
            transaction.set_rollback(True)
    return "/".join(dict.fromkeys(statuses))
