"""The immutable snapshot that a decision stores: why it was allowed at that moment.

It holds ids, terms and figures only; names are looked up by whoever reads it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from projects.models import Delegation
from projects.queries.viewers import Viewer
from projects.states import ProjectState
from quotas.models import Account, DelegationBound, RequestLine
from quotas.queries.authority import Mandate
from quotas.queries.bounds import Used, period_of

from .bench import Bench
from .booking import Accounts
from .spending import Spent

# Raised with every change of the rules of authority, so that an old proof is checked by
# the rules of its day. 1: bounds as written, of one decision. 2: windows and totals. 3: windows
# go on with what is replaced, and a deputy's grantor holds what they stand in by. 4: of a
# project that is proposed one decides that there is one, too. 5: nobody stands in for whoever left.
# 6: what is done with a project under a delegation is proved by its chain, too.
RULE_VERSION = 6

# {line id: what each condition of a rule found}, as JSON values.
Verdicts = Mapping[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class Evidence:
    """What a grant rests on besides its mandates; amounts by lines' ids."""

    accounts: Accounts
    spent: Spent
    granted: Mapping[int, int]
    # By a rule: why it held.
    verdicts: Verdicts = field(default_factory=dict)


def snapshot(
    bench: Bench,
    lines: Collection[RequestLine],
    mandates: Mapping[int, Mandate],
    evidence: Evidence | None,
) -> dict[str, Any]:
    """The proof of a decision as JSON values.

    mandates: {line id: the mandate used}; evidence: None where nothing is granted.
    """
    viewer, version = bench.viewer, bench.policy_version
    used = {mandate.delegation.pk: mandate for mandate in mandates.values()}
    return {
        "rule_version": RULE_VERSION,
        "person": viewer.user.pk,
        "actor": bench.actor.pk if bench.actor else None,
        "policy_version": version.pk if version else None,
        "effective_people": sorted(
            {viewer.user.pk, *(each for mandate in used.values() for each in mandate.deputised)}
        ),
        "memberships": memberships(viewer, used.values()),
        "project": bench.project.pk,
        # Then whoever decides decides that there is one, too.
        "is_proposed": bench.project.state == ProjectState.PROPOSED,
        "unit": bench.project.unit_id,
        "unit_path": bench.project.unit.path,
        "chains": {
            str(pk): [link_terms(link, mandate.bounds[link.pk]) for link in mandate.chain]
            for pk, mandate in used.items()
        },
        "lines": [_line(line, mandates[line.pk], evidence) for line in lines],
    }


def memberships(viewer: Viewer, mandates: Collection[Mandate]) -> list[dict[str, Any]]:
    """The rows by which the person is in the groups whose mandates they use."""
    groups = {each.delegation.group_id for each in mandates}
    return [
        {
            "membership": row.pk,
            "group": row.group_id,
            "starts_at": row.starts_at.isoformat(),
            "ends_at": row.ends_at.isoformat() if row.ends_at else None,
        }
        for row in viewer.memberships
        if row.group_id in groups
    ]


def link_terms(link: Delegation, bounds: Collection[DelegationBound]) -> dict[str, Any]:
    """The terms of one delegation of a chain."""
    return {
        "delegation": link.pk,
        "parent": link.parent_id,
        "grantor": link.grantor_id,
        "user": link.user_id,
        "group": link.group_id,
        "is_deputy": link.is_deputy,
        "powers": sorted(link.powers),
        "unit": link.unit_id,
        "unit_path": link.unit.path,
        "depth": link.depth,
        "starts_at": link.starts_at.isoformat(),
        "ends_at": link.ends_at.isoformat() if link.ends_at else None,
        "bounds": [_terms(row) for row in bounds],
    }


def _terms(row: DelegationBound) -> dict[str, Any]:
    return {
        "bound": row.pk,
        "resource": row.resource_id,
        "zone": row.zone_id,
        "per_decision": row.per_decision,
        "window_days": row.window_days,
        "total": row.total,
        "period_days": row.period_days,
    }


def _line(line: RequestLine, mandate: Mandate, evidence: Evidence | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "line": line.pk,
        "offering": line.offering.slug,
        "wanted": line.wanted,
        "delegation": mandate.delegation.pk,
    }
    if evidence is None:
        return found | {"balance": None, "granted": None, "source": None, "bounds": []}
    balance = evidence.accounts.balance(line)
    increase = evidence.granted[line.pk] - balance
    source = evidence.accounts.source.get(line.offering_id)
    if line.pk in evidence.verdicts:
        found["verdict"] = evidence.verdicts[line.pk]
    return found | {
        "balance": balance,
        "granted": evidence.granted[line.pk],
        "source": _source(source) if source else None,
        "bounds": consumption(mandate, line, increase, evidence.spent.before[line.pk]),
    }


def _source(account: Account) -> dict[str, Any]:
    return {
        "account": account.pk,
        "holder": account.holder,
        "unit": account.unit_id,
        "balance": account.balance,
    }


def consumption(
    mandate: Mandate, line: RequestLine, increase: int, used: Used
) -> list[dict[str, Any]]:
    """What the line adds to each bound of the chain that is about it, root to leaf.

    Each with what was consumed before; nothing where nothing is added.
    """
    if increase <= 0:
        return []
    about = {row.pk for row in mandate.bounds_on(line.offering)}
    return [
        {
            "bound": row.pk,
            "delegation": link.pk,
            "per_decision": row.per_decision,
            "window_used": used.in_window(row, line.offering),
            "total": row.total,
            "period": None if row.total is None else period_of(link, row, used.now),
            "total_used": None if row.total is None else used.of_total(row),
            "increase": increase,
        }
        for link in mandate.chain
        for row in mandate.bounds[link.pk]
        if row.pk in about
    ]
