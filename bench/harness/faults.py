"""What a whole result lacks, a sentence each: none, and it is done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .commits import DIRTY
from .limits import LIMITS, Limit
from .rows import Row

PAGE = "docs/performance.md"
Parts = Sequence[Mapping[str, Any]]


def missing(rows: Sequence[Row], limits: Sequence[Limit] = LIMITS) -> Iterator[str]:
    """Limits that no row tells of, or only one that says why nothing could be measured."""
    for limit in limits:
        for size in limit.sizes or (None,):
            found = [row for row in rows if _is_of(row, limit, size)]
            where = f" on {size}" if size else ""
            if not found:
                yield f"{limit.name}: no row tells of {limit.words}{where}."
            elif all(row["holds"] is None for row in found):
                yield f"{limit.name}: not measured{where}: {found[0]['reason']}"


def unexplained(
    rows: Sequence[Row], told: Mapping[str, str], line: Callable[[Row], str]
) -> Iterator[str]:
    """Rows that miss their limit. told: {where it is said why: which rows are listed there}.

    line: a row as it is listed, so that the measured figure stands beside its reason.
    """
    for row in rows:
        if row["holds"] is False:
            said = f"{row['work']}, {row['size']}: misses {row['limit']}, and"
            anchor = row.get("explained", "").removeprefix(f"{PAGE}#")
            if anchor not in told:
                yield f"{said} nothing says why."
            elif line(row) not in told[anchor]:
                yield f"{said} what says why does not tell the figure."


def stale(
    rows: Sequence[Row], places: Mapping[str, str], limits: Sequence[Limit] = LIMITS
) -> Iterator[str]:
    """Limits that are explained though no row misses them any more, nor holds by little."""
    for name in places:
        limit = next((each for each in limits if each.name == name), None)
        if limit is None:
            yield f"{name}: is explained, and is no limit."
        elif not any(_is_of(row, limit, None) and _is_missed(row, limit) for row in rows):
            yield f"{name}: is explained, and is missed no more."


def busy(parts: Parts) -> Iterator[str]:
    """Parts that were begun while the machine did more than it has cores for, unasked."""
    for part in parts:
        on = part["machine"]
        load = on["load_at_start"][0]
        if load > on["cores"] and not on.get("may_be_busy"):
            said = f"load {load:g} on {on['cores']} cores"
            yield f"{_named(part)}: measured on a busy machine ({said})."


def mixed(parts: Parts, differ: Callable[[str, str], bool | None]) -> Iterator[str]:
    """Parts that were measured of another product than the newest one was.

    differ: whether two commits are not the same, None where nobody knows.
    """
    if not parts:
        return
    newest = max(parts, key=lambda each: str(each["machine"]["at"]))["machine"]["commit"]
    for part in parts:
        own = part["machine"]["commit"]
        if own.endswith(DIRTY):
            yield f"{_named(part)}: measured of changes that are not committed ({own})."
        elif (is_other := differ(own, newest)) is None:
            yield f"{_named(part)}: measured at {own}, which cannot be compared with {newest}."
        elif is_other:
            yield f"{_named(part)}: measured at {own}, which is another Remit than {newest}."


def _named(part: Mapping[str, Any]) -> str:
    return f"{part['part']} on {part['scale'] or 'its own site'}"


def _is_missed(row: Row, limit: Limit) -> bool:
    """Or would be by another run as likely as not."""
    found = row[limit.measure]
    return row["holds"] is False or (found is not None and limit.is_near(found))


def _is_of(row: Row, limit: Limit, size: str | None) -> bool:
    return (
        row["work"] == limit.work
        and row["limit"] == limit.words
        and (size is None or row["size"] == size)
    )
