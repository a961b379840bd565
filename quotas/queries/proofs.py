"""Why was this allowed? A decision's stored proof with the names of now, and what a check says.

Everything but names is read from the snapshot: terms, figures and places as they were then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from projects.models import Delegation, Group, Unit, User
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from projects.states import Power
from quotas.models import Decision, DecisionLine, Holder, Resource, Zone

from .policy_words import stored_words
from .proof_amounts import Sums
from .proof_checks import check
from .proof_findings import Finding
from .proof_history import history_of
from .requests import visible_requests

Row = Mapping[str, Any]


@dataclass(frozen=True)
class BoundThen:
    """A bound's terms in the proof; base units of `resource` (None: of anything)."""

    pk: int
    resource: Resource | None
    zone: Zone | None
    per_decision: int | None
    window_days: int
    total: int | None
    period_days: int | None

    @property
    def unit(self) -> str:
        return self.resource.unit if self.resource is not None else ""

    @property
    def sentence(self) -> str:
        """Return "vCPU in compute-a: 128 a decision (in 30 days), 500 in all"."""
        words = {
            "resource": self.resource.name if self.resource is not None else _("anything"),
            "zone": _(" in %(zone)s") % {"zone": self.zone.name} if self.zone is not None else "",
            "days": self.window_days,
            "period": self.period_days,
            "amount": format_amount(self.per_decision or 0, self.unit),
            "total": format_amount(self.total or 0, self.unit),
        }
        if self.per_decision is None:
            parts = [_("%(resource)s%(zone)s: any amount a decision") % words]
        else:
            said = _("%(resource)s%(zone)s: %(amount)s a decision (in %(days)s days)")
            parts = [said % words]
        if self.total is not None and self.period_days is not None:
            parts.append(_("%(total)s every %(period)s days") % words)
        elif self.total is not None:
            parts.append(_("%(total)s in all") % words)
        return ", ".join(parts)


@dataclass(frozen=True)
class LinkThen:
    """One delegation of a chain as it was; `revoked_at` is of now."""

    number: int
    holder: User | Group | None
    grantor: User | None
    is_deputy: bool
    unit: str
    powers: tuple[str, ...]
    depth: int
    starts_at: datetime
    ends_at: datetime | None
    revoked_at: datetime | None
    bounds: tuple[BoundThen, ...]


@dataclass(frozen=True)
class Consumed:
    """What a line consumed of one bound of its chain. dimension: "per_decision" or "total"."""

    link: LinkThen
    dimension: str
    written: int
    before: int
    after: int
    days: int | None

    @property
    def left(self) -> int:
        return self.written - self.after

    @property
    def added(self) -> int:
        return self.after - self.before


@dataclass(frozen=True)
class LineThen:
    """One line of a decision: the figures then, and by which chain it was allowed.

    source_name: who paid; source_left: what it had before, None where it is not for the reader;
    verdicts: what each condition of a rule said, where a rule decided.
    """

    row: DecisionLine
    wanted: int
    balance: int | None
    source_name: str
    source_left: int | None
    chain: tuple[LinkThen, ...]
    consumed: tuple[Consumed, ...]
    verdicts: tuple[str, ...]

    @property
    def unit(self) -> str:
        return self.row.line.offering.resource.unit


@dataclass(frozen=True)
class WhyAllowed:
    """The proof of one decision.

    effective: the people whose interest counts, the deciding one first. has_terms: whether
    terms and figures are for the reader; else only names, amounts and the verdict of the check.
    """

    decision: Decision
    effective: tuple[User | None, ...]
    groups: tuple[Group | None, ...]
    unit: str
    rule_version: int
    chains: tuple[tuple[LinkThen, ...], ...]
    lines: tuple[LineThen, ...]
    findings: tuple[Finding, ...]
    has_terms: bool

    @property
    def still_holds(self) -> bool:
        return not self.findings

    @property
    def names(self) -> list[list[str]]:
        """Of each chain, root first; where two lines had the same people, once."""
        said = [[_name(link.holder) for link in chain] for chain in self.chains]
        return [each for number, each in enumerate(said) if each not in said[:number]]


def visible_decisions(viewer: Viewer) -> QuerySet[Decision]:
    """The decisions on the requests that the person may see, with what their proof names."""
    return Decision.objects.filter(request__in=visible_requests(viewer)).select_related(
        "actor", "person", "request__project__unit", "request__requester", "policy_version__policy"
    )


def why_allowed(viewer: Viewer, decision: Decision) -> WhyAllowed:
    """decision: from `visible_decisions`; a fixed number of queries."""
    proof = decision.snapshot
    has_terms = may_see_figures(viewer, decision.request.project.unit.path)
    names = _Names.load([proof])
    chains = {
        int(pk): tuple(names.link(each) for each in chain)
        for pk, chain in proof.get("chains", {}).items()
    }
    rows = list(
        DecisionLine.objects.filter(decision=decision)
        .select_related("line__offering__resource", "line__offering__zone__region", "source__unit")
        .order_by("pk")
    )
    stored = {each["line"]: each for each in proof.get("lines", [])}
    offerings = {row.line.offering.slug: row.line.offering for row in rows}
    said = stored_words(decision, offerings, with_figures=has_terms)
    people = [decision.person_id]
    people += [each for each in proof.get("effective_people", []) if each != decision.person_id]
    return WhyAllowed(
        decision=decision,
        effective=tuple(names.users.get(each) for each in people),
        groups=tuple(names.groups.get(each["group"]) for each in proof.get("memberships", [])),
        unit=Unit(path=proof.get("unit_path", "")).label,
        rule_version=proof.get("rule_version", 0),
        chains=tuple(chains.values()),
        lines=tuple(
            _line(row, stored.get(row.line_id, {}), chains, said.get(row.line_id, ()), has_terms)
            for row in rows
        ),
        findings=tuple(check_one(decision)),
        has_terms=has_terms,
    )


def check_one(decision: Decision) -> list[Finding]:
    """What `verify_decisions` would find about this one decision now; empty: it still holds."""
    return list(check(decision, history_of([decision]), Sums(is_partial=True)))


def _line(
    row: DecisionLine,
    stored: Row,
    chains: Mapping[int, tuple[LinkThen, ...]],
    verdicts: Iterable[str],
    has_terms: bool,
) -> LineThen:
    chain = chains.get(row.delegation_id, ())
    source = stored.get("source") or {}
    return LineThen(
        row=row,
        wanted=stored.get("wanted", row.line.wanted),
        balance=row.before,
        source_name=_source(row),
        source_left=source.get("balance") if has_terms else None,
        chain=chain,
        consumed=tuple(_consumed(stored.get("bounds", []), chain)) if has_terms else (),
        verdicts=tuple(verdicts),
    )


def _source(row: DecisionLine) -> str:
    if row.source is None:
        return ""
    if row.source.holder == Holder.UNIT and row.source.unit is not None:
        return row.source.unit.label
    return _("the pool")


def _consumed(stored: Iterable[Row], chain: Sequence[LinkThen]) -> Iterable[Consumed]:
    links = {each.number: each for each in chain}
    bounds = {bound.pk: bound for link in chain for bound in link.bounds}
    for each in stored:
        link, bound = links.get(each["delegation"]), bounds.get(each["bound"])
        if link is None or bound is None:
            continue
        for dimension, used, days in (
            ("per_decision", "window_used", bound.window_days),
            ("total", "total_used", bound.period_days),
        ):
            written, before = each.get(dimension), each.get(used)
            if written is not None and before is not None:
                after = before + each["increase"]
                yield Consumed(link, dimension, written, before, after, days)


@dataclass(frozen=True)
class _Names:
    """What the ids of a proof are called now."""

    users: Mapping[int, User]
    groups: Mapping[int, Group]
    resources: Mapping[int, Resource]
    zones: Mapping[int, Zone]
    revoked: Mapping[int, datetime | None]

    @classmethod
    def load(cls, proofs: Collection[Row]) -> "_Names":
        """Five queries, whatever the number of proofs and links."""
        links = [
            link for each in proofs for chain in each.get("chains", {}).values() for link in chain
        ]
        bounds = [row for link in links for row in link.get("bounds", [])]
        users = {link[key] for link in links for key in ("user", "grantor") if link.get(key)}
        users |= {pk for each in proofs for pk in each.get("effective_people", [])}
        users |= {each["person"] for each in proofs if each.get("person")}
        groups = {link["group"] for link in links if link["group"]}
        groups |= {row["group"] for each in proofs for row in each.get("memberships", [])}
        found = Delegation.objects.filter(pk__in={link["delegation"] for link in links})
        return cls(
            users=User.objects.in_bulk(users),
            groups=Group.objects.in_bulk(groups),
            resources=Resource.objects.in_bulk({row["resource"] for row in bounds} - {None}),
            zones=Zone.objects.select_related("region").in_bulk(
                {row["zone"] for row in bounds} - {None}
            ),
            revoked=dict(found.values_list("pk", "revoked_at")),
        )

    def link(self, stored: Row) -> LinkThen:
        return LinkThen(
            number=stored["delegation"],
            holder=self.users.get(stored["user"]) or self.groups.get(stored["group"]),
            grantor=self.users.get(stored.get("grantor") or 0),
            is_deputy=stored.get("is_deputy", False),
            unit=Unit(path=stored["unit_path"]).label,
            powers=tuple(str(Power(each).label) for each in stored.get("powers", [])),
            depth=stored.get("depth", 0),
            starts_at=datetime.fromisoformat(stored["starts_at"]),
            ends_at=datetime.fromisoformat(stored["ends_at"]) if stored["ends_at"] else None,
            revoked_at=self.revoked.get(stored["delegation"]),
            bounds=tuple(self.bound(row) for row in stored.get("bounds", [])),
        )

    def bound(self, row: Row) -> BoundThen:
        return BoundThen(
            pk=row.get("bound", 0),
            resource=self.resources.get(row["resource"] or 0),
            zone=self.zones.get(row["zone"] or 0),
            per_decision=row["per_decision"],
            window_days=row.get("window_days", 30),
            total=row.get("total"),
            period_days=row.get("period_days"),
        )


def _name(holder: User | Group | None) -> str:
    return str(holder) if holder is not None else _("somebody")
