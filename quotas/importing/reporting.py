"""What an import found and did, as operators read it: every contradiction, and the way out."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from portal.lib.amounts import format_amount
from portal.lib.plain import one_line

from .contradictions import TITLES, WAYS, Contradiction, Kind
from .plans import Verdict
from .running import Applied, Looked

MOST_LINES = 20


def looked_lines(looked: Looked, *, most: int = MOST_LINES) -> Iterator[str]:
    """The report of a look. most: how many projects are named of each contradiction; 0: all."""
    total = len(looked.plans)
    yield f"{_counted(total, 'project')}: " + ", ".join(
        f"{looked.count(verdict):,} {verdict}" for verdict in Verdict
    )
    yield from looked.notes
    yield from _changes(looked)
    yield from _found(looked)
    unanswered = looked.unanswered
    for kind in Kind:
        rows = [each for each in unanswered if each.kind == kind]
        if rows:
            yield ""
            yield from _kind_lines(kind, rows, most)
    answered = len(looked.contradictions) - len(unanswered)
    yield ""
    if answered:
        yield f"Answered: {_counted(answered, 'contradiction')}."
    if unanswered:
        yield f"Waiting for an answer: {_counted(len(unanswered), 'contradiction')}."
    else:
        yield "No contradiction waits for an answer."


def _changes(looked: Looked) -> Iterator[str]:
    if not looked.changes:
        yield "No limit will be written: what is taken over stays as it is."
        return
    total = sum(looked.changes.values())
    yield f"{_counted(total, 'limit')} will be written, as the answers say:"
    for name, count in sorted(looked.changes.items()):
        yield f"  {name} of {_counted(count, 'project')}"


def _found(looked: Looked) -> Iterator[str]:
    for row in looked.found:
        amount = format_amount(row.found, row.offering.resource.quota_unit)
        verb = "issued for" if row.how == "issue" else "funded from above for"
        yield f"{row.offering.slug}: {amount} will be {verb} {row.holder}."


def _kind_lines(kind: Kind, rows: Collection[Contradiction], most: int) -> Iterator[str]:
    yield f"{kind}: {TITLES[kind]} ({len(rows):,})."
    yield f"  Way out: {WAYS[kind]}."
    for subject, some in _by_subject(rows).items():
        margin = "  "
        if subject:
            yield f"  {subject}"
            margin = "    "
        shown = some[:most] if most else some
        for each in shown:
            yield margin + ": ".join(filter(None, (each.project, each.figures)))
        if len(some) > len(shown):
            yield f"{margin}and {len(some) - len(shown):,} more (--all names them)"


def _by_subject(rows: Iterable[Contradiction]) -> dict[str, list[Contradiction]]:
    found: dict[str, list[Contradiction]] = defaultdict(list)
    for each in rows:
        found[each.subject].append(each)
    return dict(sorted(found.items()))


def applied_lines(done: Applied) -> Iterator[str]:
    """What a run did, and what it could not do."""
    if done.is_nothing:
        yield "Nothing to do: all that can be taken over is."
    else:
        yield (
            f"Taken over: {_counted(done.imported, 'project')}, with "
            f"{_counted(done.balances, 'opening balance')} and "
            f"{_counted(done.kept, 'limit')} kept as they are. Answered since: "
            f"{_counted(done.answered, 'project')}. Tags put: {done.tagged:,}. People made known: "
            f"{done.people:,}."
        )
    for label, words in sorted(done.failed.items()):
        yield f"Not taken over: {label}: {one_line(words)}"
    for label, words in sorted(done.untagged.items()):
        yield f"Without its tag until the next run: {label}: {one_line(words)}"


def _counted(count: int, what: str) -> str:
    """ "1 project", "2 projects"."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")
