"""Does one decision agree with history? Each check tells what it finds, or nothing.

Checked by the rules of the day: version 1 knew bounds as written, 2 windows and totals, 3 windows
that go on with what is replaced, and deputies who end with their grantor's hold.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from projects.models import Delegation, GroupMembership, Unit
from projects.states import Power
from quotas.models import Decision, DecisionKind, DecisionLine, DelegationBound

from .proof_amounts import Sums, amounts, bounds
from .proof_findings import Finding, Judged, compare
from .proof_history import History, may_have_held
from .proof_rules import rule

KNOWN_RULES = (1, 2, 3, 4, 5, 6)


def check(decision: Decision, history: History, sums: Sums) -> Iterator[Finding]:
    """Everything about one decision; in the order of their ids, as totals were consumed."""
    proof = decision.snapshot
    version = proof.get("rule_version")
    if version not in KNOWN_RULES:
        yield Finding(decision.pk, "rules", f"one of {KNOWN_RULES}", version)
        return
    lines = history.lines.get(decision.pk, [])
    yield from _columns(decision, proof, lines)
    yield from _proposed(decision, proof, history)
    yield from _lines(decision, proof, lines)
    powers = [Power.DECIDE_QUOTA]
    if history.was_proposed(decision):
        powers.append(Power.DECIDE_PROJECTS)
    for row in {row.delegation_id: row for row in lines}.values():
        said = proof.get("chains", {}).get(str(row.delegation_id), [])
        yield from chain(decision, said, row.delegation, powers, history)
    yield from _people(decision, proof, lines, history)
    yield from _place(decision, proof, history)
    for row in lines:
        if row.granted is not None:
            yield from amounts(decision, row, history)
            yield from rule(decision, row, proof)
            yield from bounds(decision, proof, row, history, sums)


def _proposed(decision: Decision, proof: Mapping[str, Any], history: History) -> Iterator[Finding]:
    if proof["rule_version"] > 3:
        pair = ("project was proposed", history.was_proposed(decision), proof.get("is_proposed"))
        yield from compare(decision, [pair])


def _columns(
    decision: Decision, proof: Mapping[str, Any], lines: list[DecisionLine]
) -> Iterator[Finding]:
    yield from compare(
        decision,
        [
            ("person in the proof", decision.person_id, proof.get("person")),
            ("project in the proof", decision.request.project_id, proof.get("project")),
        ],
    )
    if proof["rule_version"] > 1:
        yield from compare(
            decision,
            [
                ("actor in the proof", decision.actor_id, proof.get("actor")),
                ("rule cited", decision.policy_version_id, proof.get("policy_version")),
            ],
        )
    if decision.policy_version is None:
        yield from compare(decision, [("who acted", decision.person_id, decision.actor_id)])
    # Who adopts a limit asks and decides at one moment; so does a rule what others ask for.
    is_adopted = (
        decision.policy_version_id is None
        and decision.request.asked_by_id is None
        and decision.request.submitted_at == decision.at
    )
    asked = {decision.request.requester_id, decision.request.asked_by_id}
    if decision.person_id in asked and not is_adopted:
        yield Finding(decision.pk, "person", "nobody who asked for it", decision.person_id)
    if not lines:
        yield Finding(decision.pk, "lines", "at least one", 0)
    if decision.kind != DecisionKind.APPROVE and any(row.granted is not None for row in lines):
        yield Finding(decision.pk, f"amounts of a decision to {decision.kind}", None, "some")


def _lines(
    decision: Decision, proof: Mapping[str, Any], lines: list[DecisionLine]
) -> Iterator[Finding]:
    said = {each["line"]: each for each in proof.get("lines", ())}
    yield from compare(
        decision,
        [("lines in the proof", sorted(row.line_id for row in lines), sorted(said))],
    )
    for row in lines:
        each = said.get(row.line_id)
        if each is None:
            continue
        name = f"line {row.line_id}"
        pairs = [
            (f"{name} delegation", row.delegation_id, each.get("delegation")),
            (f"{name} offering", row.line.offering.slug, each.get("offering")),
        ]
        if row.granted is not None:
            pairs.append((f"{name} quota before", row.before, each.get("balance")))
        if proof["rule_version"] > 1:
            source = each.get("source") or {}
            pairs.append((f"{name} granted", row.granted, each.get("granted")))
            pairs.append((f"{name} source", row.source_id, source.get("account")))
        yield from compare(decision, pairs)


def chain(
    judged: Judged, said: Sequence[Mapping[str, Any]], leaf: Delegation,
    powers: Collection[Power], history: History,
) -> Iterator[Finding]:  # fmt: skip
    """The chain is there as the proof says, and every link of it was in force with the powers."""
    yield from compare(
        judged,
        [(f"chain of D-{leaf.pk}", leaf.chain_ids, [each["delegation"] for each in said])],
    )
    for terms in said:
        link = history.links.get(terms["delegation"])
        if link is None:
            continue
        name = f"D-{link.pk}"
        yield from compare(
            judged,
            [
                (f"{name} {key}", value, terms[key])
                for key, value in _terms(link, history).items()
                if key in terms
            ],
        )
        for power in powers:
            if power not in link.powers:
                yield Finding.of(judged, f"{name} powers", power.value, link.powers)
        moment = f"{judged.at:%Y-%m-%d %H:%M:%S}"
        if not may_have_held(link, judged.at):
            yield Finding.of(judged, f"{name} in force at {moment}", "yes", "no")
        if link.revoked_at is not None and not may_have_held(_Until(link), judged.at):
            revoked = f"{link.revoked_at:%Y-%m-%d %H:%M:%S}"
            yield Finding.of(judged, f"{name} revoked", f"after {moment}", revoked)
        if judged.snapshot["rule_version"] > 2 and not _grantor_held(link, judged.at, history):
            held = f"grantor of {name} holding D-{link.parent_id} at {moment}"
            yield Finding.of(judged, held, "yes", "no")
        if judged.snapshot["rule_version"] > 4 and _grantor_had_left(link, judged.at, history):
            yield Finding.of(judged, f"grantor of {name} at the site at {moment}", "yes", "no")


def _grantor_held(link: Delegation, at: datetime, history: History) -> bool:
    """Whether whom a deputy stands in for held the delegation above then; of others: True."""
    above = history.links.get(link.parent_id or 0)
    if not link.is_deputy or above is None or link.grantor_id is None:
        return True
    if above.user_id is not None:
        return above.user_id == link.grantor_id
    return bool(_memberships(link.grantor_id, at, above, history))


def _grantor_had_left(link: Delegation, at: datetime, history: History) -> bool:
    """Whether whom a deputy stands in for was gone then."""
    grantor = link.grantor_id if link.is_deputy else None
    return grantor is not None and history.had_left(grantor, at)


class _Until:
    """A delegation's time until it was revoked."""

    def __init__(self, link: Delegation) -> None:
        self.starts_at, self.ends_at = link.starts_at, link.revoked_at


def _terms(link: Delegation, history: History) -> dict[str, Any]:
    rows = history.bounds.get(link.pk, [])
    return {
        "grantor": link.grantor_id,
        "user": link.user_id,
        "group": link.group_id,
        "is_deputy": link.is_deputy,
        "powers": sorted(link.powers),
        "unit": link.unit_id,
        "depth": link.depth,
        "starts_at": link.starts_at.isoformat(),
        "ends_at": link.ends_at.isoformat() if link.ends_at else None,
        "bounds": _BoundTerms(rows),
    }


class _BoundTerms:
    """The terms of bounds, compared by the keys that a proof of its day has."""

    def __init__(self, rows: list[DelegationBound]) -> None:
        self.rows = [
            {
                "bound": row.pk,
                "resource": row.resource_id,
                "zone": row.zone_id,
                "per_decision": row.per_decision,
                "window_days": row.window_days,
                "total": row.total,
                "period_days": row.period_days,
            }
            for row in rows
        ]

    def __eq__(self, said: object) -> bool:
        if not isinstance(said, list) or len(said) != len(self.rows):
            return False
        return all(
            all(row[key] == value for key, value in each.items())
            for row, each in zip(self.rows, said, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # compared, never kept in a set

    def __str__(self) -> str:
        return str(self.rows)


def _people(
    decision: Decision, proof: Mapping[str, Any], lines: list[DecisionLine], history: History
) -> Iterator[Finding]:
    """Whoever decided held the delegation, and nobody in whose stead has an interest."""
    people = {decision.person_id}
    for row in {row.delegation_id: row for row in lines}.values():
        leaf = history.links.get(row.delegation_id, row.delegation)
        if leaf.user_id is not None:
            yield from compare(
                decision, [(f"holder of D-{leaf.pk}", leaf.user_id, decision.person_id)]
            )
        elif not _was_member(decision, proof, leaf, history):
            yield Finding(
                decision.pk, f"member of the group of D-{leaf.pk}", decision.person_id, "nobody"
            )
        people |= deputised(leaf, history)
    if proof["rule_version"] > 1:
        yield from compare(
            decision, [("effective people", sorted(people), proof.get("effective_people"))]
        )
    for person_id in sorted(people):
        if history.had_a_role(person_id, decision.request.project_id, decision.at):
            yield Finding(decision.pk, f"role of person {person_id} in the project", "none", "one")
    version = decision.policy_version
    if version is not None and decision.person_id != version.policy.person_id:
        yield Finding(
            decision.pk, "whose rule it was", version.policy.person_id, decision.person_id
        )


def _was_member(
    decision: Decision, proof: Mapping[str, Any], leaf: Delegation, history: History
) -> bool:
    """By the row that the proof cites; version 1 cites groups only."""
    if proof["rule_version"] > 1:
        return was_member(decision.person_id, decision.at, proof, leaf, history)
    held = _memberships(decision.person_id, decision.at, leaf, history)
    return bool(held) and leaf.group_id in proof.get("groups", [])


def was_member(
    person_id: int, at: datetime, proof: Mapping[str, Any], leaf: Delegation, history: History
) -> bool:
    """Whether the person was in the group that holds a delegation, by a row that is cited."""
    cited = {
        each["membership"]: each["starts_at"]
        for each in proof.get("memberships", [])
        if each["group"] == leaf.group_id
    }
    held = _memberships(person_id, at, leaf, history)
    return any(cited.get(row.pk) == row.starts_at.isoformat() for row in held)


def _memberships(
    person_id: int, at: datetime, leaf: Delegation, history: History
) -> list[GroupMembership]:
    return [
        row
        for row in history.groups_of.get(person_id, [])
        if row.group_id == leaf.group_id and may_have_held(row, at)
    ]


def deputised(leaf: Delegation, history: History) -> set[int]:
    found: set[int] = set()
    link: Delegation | None = leaf
    while link is not None and link.is_deputy and link.grantor_id is not None:
        found.add(link.grantor_id)
        link = history.links.get(link.parent_id or 0)
    return found


def _place(decision: Decision, proof: Mapping[str, Any], history: History) -> Iterator[Finding]:
    """The project lay where the proof says, below the unit of every link."""
    path = str(proof.get("unit_path", ""))
    units, problems = path_then(decision, path, history)
    yield from problems
    if problems:
        return
    places = history.places.get(decision.request.project_id, [])
    here = [row.unit_id for row in places if may_have_held(row, decision.at)]
    last = units[-1].pk if units else None
    if last not in here:
        yield Finding(decision.pk, "unit of the project", here, last)
    for said in proof.get("chains", {}).values():
        yield from reaches(decision, said, units, path, history)


def path_then(judged: Judged, path: str, history: History) -> tuple[list[Unit], list[Finding]]:
    """The units of a path, root first, and what of it is wrong for that moment."""
    units: list[Unit] = []
    for slug in (each for each in path.split("/") if each):
        unit = history.units.get(slug)
        if unit is None or not history.lay_below(unit, units[-1] if units else None, judged.at):
            name = f"unit {slug} on the path {path}"
            return units, [Finding.of(judged, name, "there", "elsewhere")]
        units.append(unit)
    return units, []


def reaches(
    judged: Judged, said: Sequence[Mapping[str, Any]], units: Sequence[Unit], path: str,
    history: History,
) -> Iterator[Finding]:  # fmt: skip
    """The unit of every link of a chain lies on the path."""
    on_path = {unit.pk for unit in units}
    for terms in said:
        link = history.links.get(terms["delegation"])
        if link is not None and link.unit_id not in on_path:
            yield Finding.of(judged, f"unit of D-{link.pk}", f"one of {path}", link.unit.slug)
