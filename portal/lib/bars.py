"""Where the pieces of a bar begin and end: geometry only, as SVG percentages.

Pure: knows amounts, but no colour, no word and no markup. Widths are strings such as
"37.5%", never localised, so that they can stand in an attribute.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["track", "used", "reserved", "pending", "over"]

_LEAST = 0.75  # per cent: what exists can be seen
_ENDS = {0.0: "0%", 100.0: "100%"}  # where most pieces begin or end
_LABEL_ROOM = 240  # px: the narrowest that a bar of parts gets
_LABEL_CHAR, _LABEL_PAD = 6.5, 8  # px


class Piece(NamedTuple):
    """One stretch of a bar."""

    kind: Kind
    x: str
    width: str


class Bar(NamedTuple):
    """Pieces in drawing order; `limit_x` is the tick, `gap_x` parts used from reserved."""

    pieces: tuple[Piece, ...]
    limit_x: str | None
    gap_x: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One zone of a shared limit; `has_label` is false where the name would not fit."""

    label: str
    x: str
    width: str
    has_label: bool


def percent(amount: float, whole: float) -> str:
    """Return a share, kept within 0 and 100, as "37.5%"; of nothing it is "0%"."""
    share = 0.0 if whole <= 0 else min(max(100 * amount / whole, 0.0), 100.0)
    return _text(share)


def quota_bar(
    used: int,
    limit: int | None,
    *,
    reserved: int = 0,
    pending: int = 0,
    scale: int | None = None,
) -> Bar:
    """Lay out used | reserved | free up to the limit, and what is asked for around it.

    pending: the change asked for; more lies beyond the limit, less is hatched before it,
    and what is in use beyond that is over.
    scale: the amount that fills the width, for bars that must compare with each other.
    limit None: there is none to draw.
    """
    taken = used + reserved
    edge = taken if limit is None else limit
    full = scale_of(used, limit, reserved=reserved, pending=pending) if scale is None else scale
    pieces: list[Piece | None] = [_piece("track", 0, full if limit is None else edge, full)]
    pieces.append(_piece("used", 0, min(used, edge), full))
    pieces.append(_piece("reserved", min(used, edge), min(taken, edge), full))
    if limit is not None:
        after = max(edge + pending, 0)
        lowest = min(edge, after)
        pieces.append(_piece("over", lowest, taken, full))
        # Less is hatched where nothing is in use; what is in use would be over.
        start = max(lowest, taken) if pending < 0 else edge
        pieces.append(_piece("pending", start, max(edge, after), full))
    if full <= 0:
        pieces = [Piece("track", "0%", "100%")]  # an empty trough, not an empty place
    is_over = limit is not None and taken > edge + min(pending, 0)
    gap = percent(used, full) if used and reserved and not is_over else None
    return Bar(_kept(pieces), None if limit is None else percent(limit, full), gap)


def fill_bar(now: int, add: int, limit: int) -> Bar:
    """Lay out what is taken now, what a decision would add or free, and what is too much."""
    after = max(now + add, 0)
    full = max(limit, now, after)
    if full <= 0:
        return Bar((Piece("track", "0%", "100%"),), "0%")
    low, high = min(now, after), max(now, after)
    pieces = [
        _piece("track", 0, limit, full),
        _piece("used", 0, min(low, limit), full),
        _piece("pending", min(low, limit), min(high, limit), full),
        _piece("over", limit, after, full),
    ]
    return Bar(_kept(pieces), percent(limit, full))


def parts_bar(items: Iterable[tuple[str, int]], scale: int) -> tuple[Part, ...]:
    """Lay the parts of one limit end to end, on the scale of the bar above them."""
    parts, start = [], 0
    for label, amount in items:
        if amount > 0:
            width = percent(amount, scale)
            room = float(width[:-1]) / 100 * _LABEL_ROOM
            has_label = room >= _LABEL_CHAR * len(label) + _LABEL_PAD
            parts.append(Part(label, percent(start, scale), width, has_label))
        start += max(amount, 0)
    return tuple(parts)


def scale_of(used: int, limit: int | None, *, reserved: int = 0, pending: int = 0) -> int:
    """Return the amount that fills the width of `quota_bar`, for the parts below it."""
    taken = used + reserved
    return taken if limit is None else max(limit, taken, limit + pending)


def short_names(names: Sequence[str]) -> list[str]:
    """Return what tells names apart: "a", "b" of "compute-a", "compute-b"."""
    stem = names[0].rpartition("-")[0] + "-" if len(names) > 1 else ""
    has_stem = all(name.startswith(stem) and name != stem for name in names)
    return [name.removeprefix(stem) for name in names] if has_stem else list(names)


def _piece(kind: Kind, start: int, end: int, full: int) -> Piece | None:
    if end <= start or full <= 0:
        return None
    width = min(max(100 * (end - start) / full, _LEAST), 100.0)
    x = min(100 * start / full, 100 - width)
    return Piece(kind, _text(x), _text(width))


def _kept(pieces: Iterable[Piece | None]) -> tuple[Piece, ...]:
    return tuple(piece for piece in pieces if piece is not None)


def _text(share: float) -> str:
    if share in _ENDS:
        return _ENDS[share]
    return f"{share:.2f}".rstrip("0").rstrip(".") + "%"
