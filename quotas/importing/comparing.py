"""The figures of one project beside what Remit can say of them: quota, and what is in doubt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from portal.lib.amounts import format_amount
from projects.models import Project
from quotas.delivery.readings import in_base_units
from quotas.models import Limit, Transfer
from quotas.queries.accounts import balances
from quotas.states import KeptWhy

from .answers import Answers
from .contradictions import Contradiction, Kind, shown
from .explaining import Doubt, Explained, Found, explain
from .plans import Plan, Verdict
from .room import Room
from .scanning import Read
from .shape import Shape

KINDS: Final = {
    KeptWhy.UNLIMITED: Kind.UNLIMITED,
    KeptWhy.SHARED: Kind.SHARED,
    KeptWhy.TOTAL: Kind.TOTAL,
    KeptWhy.DIFFERS: Kind.DIFFERS,
    KeptWhy.STEP: Kind.STEP,
    KeptWhy.UNFED: Kind.UNFED,
}
MOST_NAMED: Final = 5


@dataclass
class Compared:
    """to_draw: {offering id: base units} that taking it over would draw from envelopes."""

    result: Explained
    to_draw: dict[int, int]
    contradictions: list[Contradiction] = field(default_factory=list)


def found_of(shape: Shape, read: Read) -> dict[int, Found]:
    """{limit id: Found} of what was read, in base units."""
    found = {}
    for pk, figures in read.figures.items():
        for each in shape.by_endpoint.get(pk, ()):
            figure = figures.get(each.limit.key)
            if figure is not None:
                found[each.limit.pk] = Found(
                    in_base_units(figure.limit, each.limit),
                    in_base_units(figure.used, each.limit),
                    in_base_units(figure.reserved, each.limit),
                )
    return found


def compare_plan(shape: Shape, answers: Answers, plan: Plan, read: Read) -> Compared:
    """What the figures of a project make, under the answers."""
    found = found_of(shape, read)
    slugs = {each.slug: pk for pk, each in shape.offerings.items()}
    said = {slugs[slug]: amount for slug, amount in plan.answer.quota.items() if slug in slugs}
    before: Mapping[int, int] = {}
    held: dict[int, int] = {}
    if plan.candidate.project is not None:
        before = balances(plan.candidate.project)
        held = _held(shape, plan, plan.candidate.project, before)
        if plan.verdict == Verdict.OURS:
            found = {pk: each for pk, each in found.items() if pk in plan.kept}
    result = explain(shape, found, answers, said=said, held=held)
    compared = Compared(
        result,
        {
            pk: amount - before.get(pk, 0)
            for pk, amount in result.quota.items()
            if amount > before.get(pk, 0)
        },
    )
    compared.contradictions = _contradictions(shape, answers, plan, read, found, result)
    return compared


def _held(shape: Shape, plan: Plan, project: Project, before: Mapping[int, int]) -> dict[int, int]:
    """What the ledger has for good: all but offerings that only kept limits could tell of, and
    that nothing was ever booked of."""
    booked = set(
        Transfer.objects.filter(credit__project=project).values_list("offering", flat=True)
    )
    here = set(plan.candidate.parts)
    open_ids: set[int] = set()
    told: set[int] = set()
    for pk, managed in shape.managed.items():
        is_new = managed.limit.endpoint.identity_id in here
        ids = {each.offering.pk for each in managed.feeds}
        if pk in plan.kept or is_new:
            open_ids |= ids
        elif not managed.is_shared:
            told |= ids
    return {
        pk: before.get(pk, 0)
        for pk in shape.offerings
        if pk in booked or pk in told or pk not in open_ids
    }


def _contradictions(
    shape: Shape,
    answers: Answers,
    plan: Plan,
    read: Read,
    found: Mapping[int, Found],
    result: Explained,
) -> list[Contradiction]:
    said = []

    def add(kind: Kind, subject: str, figures: str, *, is_answered: bool = False) -> None:
        is_accepted = kind in answers.accept
        key = next(iter(plan.candidate.everywhere.values())).external_id
        said.append(
            Contradiction(kind, subject, plan.label, figures, is_answered or is_accepted, key)
        )

    for pk, words in read.failed.items():
        add(Kind.UNREAD, shape.endpoints[pk].slug, shown(words))
    for doubt in result.kept.values():
        if doubt.why in KINDS:
            add(
                KINDS[doubt.why], doubt.managed.name,
                _figures(doubt, found[doubt.managed.limit.pk]), is_answered=doubt.is_answered,
            )  # fmt: skip
    for change in result.changes.values():
        if change.is_below_use:
            limit = change.managed.limit
            words = f"{_amount(change.wanted, limit)}, {_amount(change.floor, limit)} in use"
            add(Kind.BELOW, change.managed.name, words)
    for pk, each in found.items():
        if each.floor is not None and not each.is_unlimited and each.floor > (each.limit or 0):
            managed = shape.managed[pk]
            words = f"limit {_amount(each.limit, managed.limit)}, {_use(each, managed.limit)}"
            if each.limit is not None and plan.verdict != Verdict.OURS:
                add(Kind.USAGE, managed.name, words)
    return said


def _figures(doubt: Doubt, found: Found) -> str:
    limit = doubt.managed.limit
    parts = ["unlimited" if found.is_unlimited else f"limit {_amount(found.limit, limit)}"]
    if doubt.words:
        is_sum = doubt.words.isdigit()
        said = _amount(int(doubt.words), limit) if is_sum else doubt.words
        parts.append(f"its parts {said}" if is_sum else f"between {said}")
    parts.append(_use(found, limit))
    return ", ".join(parts)


def _use(found: Found, limit: Limit) -> str:
    return "use not told" if found.floor is None else f"{_amount(found.floor, limit)} in use"


def _amount(amount: int | None, limit: Limit) -> str:
    return "nothing" if amount is None else format_amount(amount, limit.quota_unit)


def shortfalls(room: Room) -> list[Contradiction]:
    """What envelopes and pools lack, once all projects were drawn."""
    found = []
    for row in room.shortfalls.values():
        if not row.lacking:
            continue
        named = ", ".join(row.projects[:MOST_NAMED])
        rest = len(row.projects) - MOST_NAMED
        named += f" and {rest} more" if rest > 0 else ""
        amount = format_amount(row.lacking, row.offering.resource.quota_unit)
        found.append(
            Contradiction(
                Kind.ROOM, f"{row.holder}: {row.offering.slug}", named, f"{amount} short",
                row.how == "keep" or Kind.ROOM in room.answers.accept, row.holder,
            )
        )  # fmt: skip
    return found
