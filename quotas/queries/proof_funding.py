"""Do the acts of people on envelopes agree with history? As `proof_checks` asks of decisions.

What an envelope had left is not asked: `audit_ledger` adds that up.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Min

from projects.models import (
    Delegation,
    GroupMembership,
    Membership,
    ProjectPlacement,
    Unit,
    UnitPlacement,
)
from projects.states import ROLES_ABOVE_READER, Power
from quotas.models import Account, DelegationBound, EnvelopeAct, EnvelopeActKind, Transfer

from .bounds import matches
from .proof_amounts import Sums, consumed
from .proof_checks import chain, deputised, path_then, reaches, was_member
from .proof_findings import Finding, compare
from .proof_history import SLACK, History, Net, absences_behind, by_column, surely_held, units_of

KNOWN_RULES = (2, 3, 4, 5, 6)
SIGNS = {EnvelopeActKind.FUND: 1, EnvelopeActKind.TAKE_BACK: -1}


@dataclass(frozen=True)
class Acts:
    """What history says about the moments of some acts. transfers: by acts' ids; declared:
    {(unit id, offering id): since when there is an envelope, None where nobody noted it}."""

    history: History
    transfers: dict[int, list[Transfer]]
    declared: dict[tuple[int, int], datetime | None]


def check_act(act: EnvelopeAct, acts: Acts, sums: Sums) -> Iterator[Finding]:
    """Everything about one act of a person; in the order of their ids, as totals were consumed."""
    proof, history = act.snapshot, acts.history
    if proof.get("rule_version") not in KNOWN_RULES:
        yield Finding.of(act, "rules", f"one of {KNOWN_RULES}", proof.get("rule_version"))
        return
    leaf = history.links[act.delegation_id or 0]
    said = proof.get("chain", [])
    yield from _columns(act, proof)
    yield from chain(act, said, leaf, [Power.MANAGE_ENVELOPES], history)
    yield from _people(act, proof, leaf, acts)
    yield from _places(act, proof, said, history)
    yield from _moved(act, proof, acts.transfers.get(act.pk, []))
    if act.kind == EnvelopeActKind.FUND:
        yield from _bounds(act, proof, leaf, history, sums)


def _columns(act: EnvelopeAct, proof: Mapping[str, Any]) -> Iterator[Finding]:
    pairs = [
        ("person in the proof", act.actor_id, proof.get("person")),
        ("power in the proof", Power.MANAGE_ENVELOPES.value, proof.get("power")),
        ("unit in the proof", act.unit_id, proof.get("unit")),
        ("offering in the proof", act.offering.slug, proof.get("offering")),
        ("delegation in the proof", act.delegation_id, proof.get("delegation")),
    ]
    if act.kind in SIGNS:
        amount = SIGNS[EnvelopeActKind(act.kind)] * act.amount
        pairs.append(("amount in the proof", amount, proof.get("amount")))
    yield from compare(act, pairs)


def _people(
    act: EnvelopeAct, proof: Mapping[str, Any], leaf: Delegation, acts: Acts
) -> Iterator[Finding]:
    """Whoever acted held the delegation; nothing went to where a project of theirs draws from."""
    person = act.actor_id or 0
    if leaf.user_id is not None:
        yield from compare(act, [(f"holder of D-{leaf.pk}", leaf.user_id, act.actor_id)])
    elif not was_member(person, act.at, proof, leaf, acts.history):
        yield Finding.of(act, f"member of the group of D-{leaf.pk}", act.actor_id, "nobody")
    people = sorted({person} | deputised(leaf, acts.history))
    yield from compare(act, [("effective people", people, proof.get("effective_people"))])
    unit_id = _receiver(act, acts.transfers.get(act.pk, []))
    for person_id in people:
        for project_id in acts.history.roles if unit_id is not None else ():
            if acts.history.had_a_role(person_id, project_id, act.at) and _drew(
                project_id, unit_id, act, acts
            ):
                name = f"role of person {person_id} in a project that draws from it"
                yield Finding.of(act, name, "none", project_id)


def _receiver(act: EnvelopeAct, transfers: Collection[Transfer]) -> int | None:
    """The id of the unit whose envelope got something; None: nobody's."""
    if act.kind == EnvelopeActKind.FUND:
        return act.unit_id
    return next((each.credit.unit_id for each in transfers), None)


def _drew(project_id: int, unit_id: int | None, act: EnvelopeAct, acts: Acts) -> bool:
    """Whether the project surely drew from a unit's envelope directly, as far as history tells."""
    history = acts.history
    places = history.places.get(project_id, [])
    here = next((row.unit_id for row in places if surely_held(row, act.at)), None)
    by_id = {unit.pk: unit for unit in history.units.values()}
    while here is not None and here != unit_id:
        key = (here, act.offering_id)
        if key in acts.declared:
            since = acts.declared[key]
            if since is None or since <= act.at + SLACK:
                return False
        rows = [row for row in history.parents.get(here, []) if surely_held(row, act.at)]
        unit = by_id.get(here)
        here = rows[0].parent_id if rows else unit.parent_id if unit is not None else None
    return here is not None


def _places(
    act: EnvelopeAct, proof: Mapping[str, Any], said: Sequence[Mapping[str, Any]], history: History
) -> Iterator[Finding]:
    """The unit stood where the proof says, and every link reached it; and what paid, if it did."""
    path = str(proof.get("unit_path", ""))
    units, problems = path_then(act, path, history)
    yield from problems
    if problems:
        return
    yield from compare(act, [("unit", act.unit_id, units[-1].pk if units else None)])
    if act.kind in SIGNS:
        # The mandate holds for what pays, which stands above: that path is a part of this one.
        path = str(proof.get("source_path", ""))
        units, problems = path_then(act, path, history)
        yield from problems
    yield from reaches(act, said, units, path, history)


def _moved(
    act: EnvelopeAct, proof: Mapping[str, Any], transfers: Collection[Transfer]
) -> Iterator[Finding]:
    """It moved what it says, between the envelope and the account that the proof names."""
    net = 0
    for each in transfers:
        into, other = each.credit.unit_id == act.unit_id, each.debit.unit_id == act.unit_id
        net += each.amount * (int(into) - int(other))
        source = each.debit_id if into else each.credit_id
        yield from compare(act, [("source", source, proof.get("source"))])
        yield from compare(act, [("offering of its transfer", act.offering_id, each.offering_id)])
    sign = SIGNS.get(EnvelopeActKind(act.kind), 0)
    yield from compare(act, [("moved by its transfers", net, sign * act.amount)])


def _bounds(
    act: EnvelopeAct, proof: Mapping[str, Any], leaf: Delegation, history: History, sums: Sums
) -> Iterator[Finding]:
    """No bound of any link was passed, with what was funded by it before."""
    said = {each["bound"]: each for each in proof.get("bounds", ())}
    nets = history.nets.get((act.unit_id, act.offering_id), [])
    touched = []
    for link_id in leaf.chain_ids:
        link = history.links[link_id]
        about = [row for row in history.bounds.get(link_id, []) if matches(row, act.offering)]
        if not about:
            yield Finding.of(act, f"bound of D-{link_id} on {act.offering.slug}", "one", "none")
        for bound in about:
            touched.append(bound.pk)
            name = f"bound {bound.pk} of D-{link_id}"
            told = said.get(bound.pk, {})
            yield from consumed(act, name, link, bound, act.amount, told, nets, sums)
    yield from compare(act, [("bounds in the proof", sorted(touched), sorted(said))])


def acts_of_people(acts: Sequence[EnvelopeAct]) -> Acts:
    """What is needed to check some acts; a fixed number of queries."""
    ids = {each for act in acts if act.delegation for each in act.delegation.chain_ids}
    links = Delegation.objects.select_related("unit").in_bulk(ids)
    people = {each.actor_id for each in acts if each.actor_id is not None}
    people |= {link.grantor_id for link in links.values() if link.grantor_id is not None}
    groups = by_column(GroupMembership.objects.filter(user__in=people), "user")
    held = {row.group_id for rows in groups.values() for row in rows}
    working = Membership.objects.filter(role__in=ROLES_ABOVE_READER)
    own = list(working.filter(user__in=people)) + list(working.filter(group__in=held))
    roles = by_column(own, "project")
    places = by_column(
        ProjectPlacement.objects.filter(project__in=list(roles)).select_related("unit"), "project"
    )
    paths = {str(each.snapshot.get("unit_path", "")) for each in acts}
    paths |= {link.unit.path for link in links.values()}
    paths |= {row.unit.path for rows in places.values() for row in rows}
    units = units_of(paths)
    bounds = DelegationBound.objects.filter(delegation__in=ids).order_by("pk")
    history = History(
        lines={},
        links=links,
        bounds=by_column(bounds, "delegation"),
        moved={},
        nets=_nets(acts, list(bounds)),
        units=units,
        parents=by_column(UnitPlacement.objects.filter(unit__in=[*units.values()]), "unit"),
        places=places,
        openings={},
        roles=roles,
        groups_of=groups,
        absences=absences_behind(links.values()),
    )
    rows = Transfer.objects.filter(envelope_act__in=acts).select_related("debit", "credit")
    return Acts(
        history=history,
        transfers=by_column(rows, "envelope_act"),
        declared=_declared(list(units.values()), {each.offering_id for each in acts}),
    )


def _declared(
    units: Collection[Unit], offering_ids: Collection[int]
) -> dict[tuple[int, int], datetime | None]:
    held = Account.objects.filter(unit__in=units, offering__in=offering_ids)
    found: dict[tuple[int, int], datetime | None] = dict.fromkeys(
        held.values_list("unit", "offering")
    )
    noted = EnvelopeAct.objects.filter(
        kind=EnvelopeActKind.DECLARE, unit__in=units, offering__in=offering_ids
    )
    rows = noted.order_by().values_list("unit", "offering").annotate(first=Min("at"))
    return found | {(unit, offering): first for unit, offering, first in rows}


def _nets(
    acts: Sequence[EnvelopeAct], bounds: Collection[DelegationBound]
) -> dict[tuple[int, int], list[Net]]:
    """{(unit id, offering id): what people moved} as far back as a window of these reaches."""
    found: dict[tuple[int, int], list[Net]] = defaultdict(list)
    if not acts:
        return found
    days = max((each.window_days for each in bounds), default=0)
    rows = EnvelopeAct.objects.filter(
        kind__in=list(SIGNS),
        unit__in={each.unit_id for each in acts},
        offering__in={each.offering_id for each in acts},
        delegation__isnull=False,
        at__gt=min(each.at for each in acts) - timedelta(days=days) - SLACK,
        pk__lte=max(each.pk for each in acts),
    ).annotate(above=F("delegation__ancestors"))
    for row in rows.only("kind", "unit", "offering", "amount", "delegation", "at"):
        links = frozenset({*row.above, row.delegation_id})
        amount = SIGNS[EnvelopeActKind(row.kind)] * row.amount
        found[row.unit_id, row.offering_id].append(Net(row.pk, links, amount, row.at))
    return found
