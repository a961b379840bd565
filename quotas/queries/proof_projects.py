"""Does what somebody did with a project under a delegation agree with history?

As `proof_checks` asks of decisions: loans left longer, ends, units, suspensions, closings.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from projects.models import (
    Delegation,
    GroupMembership,
    Membership,
    ProjectAct,
    ProjectPlacement,
    UnitPlacement,
)
from projects.states import ROLES_ABOVE_READER, Power, ProjectActKind
from quotas.models import DelegationBound, Loan, Offering, Transfer, TransferKind

from .bounds import rooms, tightest
from .proof_checks import chain, deputised, path_then, reaches, was_member
from .proof_findings import Finding, compare
from .proof_history import History, absences_behind, by_column, may_have_held, units_of

# Loans were proved by the chain before all else was.
LOANS = (ProjectActKind.LOAN_EXTEND, ProjectActKind.LOAN_KEEP)
KNOWN_RULES = {True: (5, 6), False: (6,)}


@dataclass(frozen=True)
class Lives:
    """What history says about the moments of some acts. transfers: by acts' ids, with their
    loans; offerings: by slug."""

    history: History
    transfers: dict[int, list[Transfer]]
    loans: dict[int, Loan]
    offerings: dict[str, Offering]


def check_life(act: ProjectAct, lives: Lives) -> Iterator[Finding]:
    """Everything about one act of a person under a delegation."""
    proof = act.snapshot
    known = KNOWN_RULES[act.kind in LOANS]
    if proof.get("rule_version") not in known:
        yield Finding.of(act, "rules", f"one of {known}", proof.get("rule_version"))
        return
    power = Power.DECIDE_QUOTA if act.kind in LOANS else Power.DECIDE_PROJECTS
    yield from _proved(act, proof, act.delegation_id or 0, power, lives.history)
    here = [
        row.unit_id
        for row in lives.history.places.get(act.project_id, [])
        if may_have_held(row, act.at)
    ]
    if proof.get("unit") not in here:
        yield Finding.of(act, "unit of the project", here, proof.get("unit"))
    if act.kind == ProjectActKind.MOVE:
        yield from compare(act, [("unit moved to", act.data.get("after"), proof.get("unit"))])
        if left := proof.get("left"):
            yield from compare(act, [("unit left", act.data.get("before"), left.get("unit"))])
            yield from _proved(act, left, left.get("delegation", 0), power, lives.history)
    if act.kind in LOANS:
        yield from _loan(act, proof, lives)


def _proved(
    act: ProjectAct, proof: Mapping[str, Any], leaf_id: int, power: Power, history: History
) -> Iterator[Finding]:
    """Whoever acted held the power over that unit then, and had no part in the project."""
    yield from compare(
        act,
        [
            ("person in the proof", act.actor_id, proof.get("person")),
            ("project in the proof", act.project_id, proof.get("project")),
            ("delegation in the proof", leaf_id, proof.get("delegation", leaf_id)),
        ],
    )
    leaf = history.links.get(leaf_id)
    if leaf is None:
        yield Finding.of(act, f"delegation D-{leaf_id}", "there", None)
        return
    said = proof.get("chain", [])
    yield from chain(act, said, leaf, [power], history)
    yield from _people(act, proof, leaf, history)
    path = str(proof.get("unit_path", ""))
    units, problems = path_then(act, path, history)
    yield from problems
    if not problems:
        last = units[-1].pk if units else None
        yield from compare(act, [("unit", proof.get("unit"), last)])
        yield from reaches(act, said, units, path, history)


def _people(
    act: ProjectAct, proof: Mapping[str, Any], leaf: Delegation, history: History
) -> Iterator[Finding]:
    person = act.actor_id or 0
    if leaf.user_id is not None:
        yield from compare(act, [(f"holder of D-{leaf.pk}", leaf.user_id, act.actor_id)])
    elif not was_member(person, act.at, proof, leaf, history):
        yield Finding.of(act, f"member of the group of D-{leaf.pk}", act.actor_id, "nobody")
    people = sorted({person} | deputised(leaf, history))
    yield from compare(act, [("effective people", people, proof.get("effective_people"))])
    for each in people:
        if history.had_a_role(each, act.project_id, act.at):
            yield Finding.of(act, f"role of person {each} in the project", "none", "one")


def _loan(act: ProjectAct, proof: Mapping[str, Any], lives: Lives) -> Iterator[Finding]:
    """It paid back and drew what it says, until the day it says, within the bounds as written."""
    amount, slug = act.data.get("amount"), act.data.get("offering", "")
    pairs = [(f"{name} in the proof", act.data.get(name), proof.get(name))
             for name in ("loan", "offering", "amount")]  # fmt: skip
    yield from compare(act, pairs)
    offering = lives.offerings.get(slug)
    if offering is None or not isinstance(amount, int):
        yield Finding.of(act, "offering and amount", "known", f"{amount} {slug}")
        return
    moved: dict[str, int] = defaultdict(int)
    for each in lives.transfers.get(act.pk, []):
        moved[each.kind] += each.amount
        yield from compare(act, [("offering of its transfer", offering.pk, each.offering_id)])
    is_lent = act.kind == ProjectActKind.LOAN_EXTEND
    kind = TransferKind.LOAN if is_lent else TransferKind.GRANT
    expected = {TransferKind.REPAY.value: amount, kind.value: amount}
    yield from compare(act, [("moved by its transfers", expected, dict(moved))])
    if is_lent:
        yield from _until(act, lives)
    # Counted when it was granted, it consumes nothing again: only the bounds as written hold.
    for link in (lives.history.links.get(each["delegation"]) for each in proof.get("chain", ())):
        if link is None:
            continue
        most = tightest(rooms(link, lives.history.bounds.get(link.pk, []), offering, None))
        if not most.covers(amount):
            yield Finding.of(act, f"bounds of D-{link.pk} as written", most.amount, amount)


def _until(act: ProjectAct, lives: Lives) -> Iterator[Finding]:
    day = date.fromisoformat(act.data["until"]) + timedelta(days=1)
    ends_at = timezone.make_aware(datetime.combine(day, time.min), timezone.get_default_timezone())
    lent = [lives.loans[each.pk] for each in lives.transfers.get(act.pk, [])
            if each.pk in lives.loans]  # fmt: skip
    yield from compare(act, [("end of the loan", [ends_at], [each.ends_at for each in lent])])


def lives_of(acts: Sequence[ProjectAct]) -> Lives:
    """What is needed to check some acts; a fixed number of queries."""
    ids = {each for act in acts if act.delegation for each in act.delegation.chain_ids}
    # A move rests on a second mandate: that by which a project was let go.
    ids |= {
        link["delegation"] for act in acts for link in act.snapshot.get("left", {}).get("chain", ())
    }
    links = Delegation.objects.select_related("unit").in_bulk(ids)
    people = {each.actor_id for each in acts if each.actor_id is not None}
    people |= {link.grantor_id for link in links.values() if link.grantor_id is not None}
    projects = {each.project_id for each in acts}
    proofs = [each.snapshot for each in acts]
    proofs += [each["left"] for each in proofs if "left" in each]
    paths = {str(each.get("unit_path", "")) for each in proofs}
    units = units_of({link.unit.path for link in links.values()} | paths)
    placed = ProjectPlacement.objects.filter(project__in=projects)
    working = Membership.objects.filter(project__in=projects, role__in=ROLES_ABOVE_READER)
    moved = Transfer.objects.filter(project_act__in=acts)
    return Lives(
        history=History(
            lines={},
            links=links,
            bounds=by_column(
                DelegationBound.objects.filter(delegation__in=ids).order_by("pk"), "delegation"
            ),
            moved={},
            nets={},
            units=units,
            parents=by_column(UnitPlacement.objects.filter(unit__in=[*units.values()]), "unit"),
            places=by_column(placed, "project"),
            openings={},
            roles=by_column(working, "project"),
            groups_of=by_column(GroupMembership.objects.filter(user__in=people), "user"),
            absences=absences_behind(links.values()),
        ),
        transfers=by_column(moved.order_by("pk"), "project_act"),
        loans={each.transfer_id: each for each in Loan.objects.filter(transfer__in=moved)},
        offerings={each.slug: each for each in Offering.objects.select_related("resource")},
    )
