"""What a bar says to those who cannot see it: the same figures, as a sentence."""

from collections.abc import Iterable

from portal.lib.amounts import format_amount, format_pair
from portal.lib.words import gettext as _

NEARLY_FULL = 90  # per cent, from which a bar warns


def is_nearly_full(used: int, limit: int | None, reserved: int = 0) -> bool:
    """Whether a limit above zero is taken to 90 % or more."""
    return bool(limit) and limit is not None and (used + reserved) * 100 >= limit * NEARLY_FULL


def quota_words(
    label: str, used: int, limit: int | None, *, unit: str, reserved: int, pending: int
) -> str:
    """Return "vCPU in geneva: 288 used, 8 reserved, 88 free of 384; 64 more asked for"."""
    said = [_("%(amount)s used") % {"amount": format_amount(used, unit)}]
    if reserved:
        said.append(_("%(amount)s reserved") % {"amount": format_amount(reserved, unit)})
    said.append(_room_words(used + reserved, limit, unit))
    words = ", ".join(said)
    if pending:
        words = f"{words}; {_asked_words(pending, unit)}"
    return _labelled(label, words)


def fill_words(label: str, now: int, add: int, limit: int, *, unit: str) -> str:
    """Return "Envelope: 9 TiB of 10 TiB now, 11 TiB after, 1 TiB too much"."""
    after = now + add
    words = _("%(now)s of %(limit)s now, %(after)s after") % {
        "now": format_amount(now, unit),
        "limit": format_amount(limit, unit),
        "after": format_amount(after, unit),
    }
    if after > limit:
        too_much = {"words": words, "amount": format_amount(after - limit, unit)}
        words = _("%(words)s, %(amount)s too much") % too_much
    return _labelled(label, words)


def fill_figures(now: int, add: int, limit: int, *, unit: str) -> str:
    """Return the figures beside such a bar: "380 → 444 of 500"."""
    said, whole = format_pair(now, limit, unit)
    figures = {"now": said, "after": format_pair(now + add, limit, unit)[0], "limit": whole}
    if add == 0:
        return _("%(now)s of %(limit)s") % figures
    return _("%(now)s → %(after)s of %(limit)s") % figures


def parts_words(label: str, items: Iterable[tuple[str, int]], *, unit: str) -> str:
    """Return "Parts of vCPU: compute-a 128, compute-b 192"."""
    said = ", ".join(f"{name} {format_amount(amount, unit)}" for name, amount in items)
    return _labelled(label, said or _("nothing yet"))


def _room_words(taken: int, limit: int | None, unit: str) -> str:
    if limit is None:
        return _("no limit known")
    facts = {"limit": format_amount(limit, unit), "room": format_amount(abs(limit - taken), unit)}
    if taken > limit:
        return _("%(room)s over the limit of %(limit)s") % facts
    return _("%(room)s free of %(limit)s") % facts


def _asked_words(pending: int, unit: str) -> str:
    amount = {"amount": format_amount(abs(pending), unit)}
    return (
        _("%(amount)s more asked for") % amount
        if pending > 0
        else _("%(amount)s less asked for") % amount
    )


def _labelled(label: str, words: str) -> str:
    return _("%(label)s: %(words)s") % {"label": label, "words": words} if label else words
