"""How an amount is written for people, and how what people write becomes an amount.

Amounts are integers in base units: counts ("") or bytes ("B"). Prefixes are binary. What is
granted or not (an access) is 1 or 0, and said in words. This module knows no resource and no
model; it asks Django only for the reader's language.
"""

import re
import unicodedata
from fractions import Fraction
from functools import cache

from django.utils.formats import get_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

BYTES = "B"
ACCESS = "access"
MAX_AMOUNT = 2**62
MAX_TEXT = 40
THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"

_PREFIXES = ("", "K", "M", "G", "T", "P", "E")
_DECIMALS = 2
_LARGEST_LOWER = 10_000  # "1152 GiB" is exact and still readable, "1048577 MiB" is not

_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " "))
# "GB" is read as GiB: OpenStack itself says GB and counts in powers of two. "o" is French.
_AMOUNT = re.compile(
    r"(?P<sign>[+\-\u2212]?) ?"
    r"(?P<whole>[0-9]{1,3}(?:[ '\u2019][0-9]{3})+|[0-9]+)"
    r"(?:(?P<mark>[.,])(?P<decimals>[0-9]+))?"
    r" ?(?P<suffix>(?P<prefix>[KMGTPE])?(?:I?[BO])?)",
    re.IGNORECASE,
)


class AmountError(ValueError):
    """What was written is no amount; `sentence` tells its writer what to do instead."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def format_amount(value: int, unit: str) -> str:
    """Return the amount as people say it: "64", "12 000", "1.5 TiB", "1152 GiB".

    Exact wherever four digits or two decimals can be; otherwise rounded to two decimals,
    which is why every page carries `format_exact` in the title.
    """
    if unit == ACCESS and value in (0, 1):
        return pgettext("an access", "granted") if value else pgettext("an access", "not granted")
    if value < 0:
        return MINUS + format_amount(-value, unit)
    if unit != BYTES or value == 0:
        return _grouped(value)
    return _in_power(value, _written_power(value))


def format_pair(one: int, other: int, unit: str) -> tuple[str, str]:
    """Return two amounts that stand side by side in one unit, the larger's: "1.43 TiB", "1.75 TiB".

    An amount that two decimals would make nothing, or the same as the other, keeps its own unit.
    """
    if unit == BYTES and one and other and one != other:
        power = _written_power(max(abs(one), abs(other)))
        first, second = _hundredths(abs(one), power), _hundredths(abs(other), power)
        # What hundredths tell apart, texts do.
        if first and second and (first != second or (one < 0) != (other < 0)):
            return _in_hundredths(one, first, power), _in_hundredths(other, second, power)
    return format_amount(one, unit), format_amount(other, unit)


def format_change(value: int, unit: str) -> str:
    """Return a difference with its sign, a real minus: "+64", "−2 TiB", "0"; "grant", "revoke"."""
    if unit == ACCESS and value:
        return pgettext("an access", "grant") if value > 0 else pgettext("an access", "revoke")
    if unit == ACCESS:
        return _grouped(value)
    return f"+{format_amount(value, unit)}" if value > 0 else format_amount(value, unit)


def is_said_exactly(value: int, unit: str) -> bool:
    """Whether `format_amount` rounds nothing off."""
    if unit != BYTES or value == 0:
        return True
    return _is_short(abs(value), _written_power(abs(value)))


def format_exact(value: int, unit: str) -> str:
    """Return every digit, in base units: "2 199 023 255 552 B"."""
    sign = MINUS if value < 0 else ""
    return f"{sign}{_grouped(abs(value))}{THIN + unit if unit == BYTES else ''}"


def input_text(value: int, unit: str) -> str:
    """Return the shortest text that `parse_amount` reads as exactly `value` (not below zero)."""
    if value < 0:
        raise ValueError("an input never holds an amount below zero")
    if unit != BYTES or value == 0:
        return str(value)
    exact = [power for power in range(len(_PREFIXES)) if _is_short(value, power)]
    # What is exact in a prefix is a whole number in the one below, and only longer in those below.
    texts = [
        _plain(_hundredths(value, power)) + (_PREFIXES[power] or BYTES) for power in exact[-2:]
    ]
    return min(reversed(texts), key=len)


def parse_amount(text: str, *, unit: str, current: int, step: int) -> int:
    """Return the absolute amount in base units that `text` asks for.

    A leading sign means a change from `current`. Raises AmountError for everything that is
    not zero or a positive multiple of `step`; what is there already is never refused.
    """
    match = _AMOUNT.fullmatch(_cleaned(text))
    if match is None:
        raise AmountError(_not_an_amount(text, unit))
    size = _size(match, text, unit)
    sign = match["sign"]
    wanted = size if not sign else current + size if sign == "+" else current - size
    if wanted < 0:
        raise AmountError(
            _("%(text)s would take more than the %(current)s there is. The least is 0.")
            % {"text": _quoted(text), "current": format_amount(current, unit)}
        )
    if unit == ACCESS and wanted > 1:
        raise AmountError(
            _("%(text)s is too much: write 1 to have it granted, 0 not to.")
            % {"text": _quoted(text)}
        )
    if wanted > MAX_AMOUNT:
        raise AmountError(
            _("%(text)s is more than any cloud could hold. Look for a digit too many.")
            % {"text": _quoted(text)}
        )
    if wanted != current and wanted % step:
        raise AmountError(_off_step(text, wanted, unit, step))
    return int(wanted)


def _cleaned(text: str) -> str:
    """Bring the spaces people paste to one kind; refuse what cannot be shown or read."""
    if len(text) > MAX_TEXT:
        raise AmountError(
            _("That is too long for an amount: at most %(count)d characters.") % {"count": MAX_TEXT}
        )
    cleaned = text.translate(_SPACES).strip()
    if not cleaned:
        raise AmountError(_("Write an amount; 0 means nothing."))
    if any(unicodedata.category(char).startswith("C") for char in cleaned):
        raise AmountError(_("The amount holds characters that cannot be seen. Type it anew."))
    return cleaned


def _size(match: re.Match[str], text: str, unit: str) -> Fraction:
    """Return the size without its sign, in base units; it may still be broken."""
    whole = re.sub(r"[^0-9]", "", match["whole"])
    decimals = match["decimals"] or ""
    _refuse_two_readings(match, whole, decimals, text, unit)
    size = Fraction(int(whole + decimals), 10 ** len(decimals))
    if unit != BYTES:
        if match["suffix"]:
            raise AmountError(_not_an_amount(text, unit))
        return size
    if not match["suffix"] and size:
        plain = whole + ("." + decimals if decimals else "")
        raise AmountError(
            _("%(text)s needs a unit. Write %(plain)sG for GiB or %(plain)sT for TiB.")
            % {"text": _quoted(text), "plain": plain}
        )
    power = _PREFIXES.index((match["prefix"] or "").upper())
    return size * int(1024**power)


def _refuse_two_readings(
    match: re.Match[str], whole: str, decimals: str, text: str, unit: str
) -> None:
    """A thousand to one reader is one to another: "1,000", and "1.000" of things counted."""
    is_mark_of_thousands = match["mark"] == "," or unit != BYTES
    if match["mark"] and len(decimals) == 3 and is_mark_of_thousands and int(whole):
        choices = {"text": _quoted(text), "joined": whole + decimals, "whole": whole}
        if unit != BYTES:
            raise AmountError(
                _("%(text)s can be read in two ways. Write %(joined)s or %(whole)s.") % choices
            )
        choices["broken"] = f"{whole}.{decimals}"
        raise AmountError(
            _("%(text)s can be read in two ways. Write it as %(joined)s or %(broken)s.") % choices
        )


def _off_step(text: str, wanted: Fraction, unit: str, step: int) -> str:
    below = int(wanted // step) * step
    facts = {
        "text": _quoted(text),
        "step": format_amount(step, unit),
        "below": input_text(below, unit),
        "above": input_text(below + step, unit),
    }
    if step == 1 and unit != BYTES:
        return _("%(text)s is not a whole number. The nearest are %(below)s and %(above)s.") % facts
    return (
        _("%(text)s is not a multiple of %(step)s. The nearest are %(below)s and %(above)s.")
        % facts
    )


def _not_an_amount(text: str, unit: str) -> str:
    if unit == BYTES:
        sentence = _("%(text)s is not an amount. Write 768G, 1.5T, or a change: +256G.")
    elif unit == ACCESS:
        sentence = _("%(text)s is no answer. Write 1 to have it granted, 0 not to.")
    else:
        sentence = _("%(text)s is not a number. Write 64, or a change: +16.")
    return sentence % {"text": _quoted(text)}


def _quoted(text: str) -> str:
    return _("“%(text)s”") % {"text": text.strip()}


def _written_power(value: int) -> int:
    """The prefix in which an amount above zero is said: exact and readable if there is one."""
    power = _natural_power(value)
    if _is_short(value, power):
        return power
    is_low = value < _LARGEST_LOWER << 10 * (power - 1) if power > 1 else False
    if is_low and _is_short(value, power - 1):
        return power - 1
    rounds_up = _hundredths(value, power) >= 1024 * 100
    return power + 1 if rounds_up and power < len(_PREFIXES) - 1 else power


def _in_power(value: int, power: int) -> str:
    """With at most two decimals, rounded: "1.43 TiB"."""
    return _in_hundredths(value, _hundredths(abs(value), power), power)


def _in_hundredths(value: int, hundredths: int, power: int) -> str:
    """`_in_power` for who has counted how many hundredths that is, without the sign."""
    sign = MINUS if value < 0 else ""
    return f"{sign}{_decimal(hundredths)}{THIN}{_unit_name(power)}"


def _hundredths(value: int, power: int) -> int:
    """How many hundredths of the prefix, rounded; a half to the even one.

    In whole numbers: a page writes hundreds of amounts, and `Fraction` costs more than all else.
    """
    if power == 0:
        return value * 100
    bits = 10 * power
    whole, rest = value * 100 >> bits, value * 100 & (1 << bits) - 1
    half = 1 << bits - 1
    return whole + (rest > half or (rest == half and whole % 2 == 1))


def _natural_power(value: int) -> int:
    return min((value.bit_length() - 1) // 10, len(_PREFIXES) - 1)


def _is_short(value: int, power: int) -> bool:
    """Whether two decimals say it exactly."""
    return bool(value * 10**_DECIMALS & (1 << 10 * power) - 1 == 0)


def _unit_name(power: int) -> str:
    return f"{_PREFIXES[power]}iB" if power else BYTES


def _plain(hundredths: int) -> str:
    """Return at most two decimals with a full stop, no grouping: "1.5"."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def _decimal(hundredths: int) -> str:
    whole, rest = divmod(hundredths, 100)
    decimals = f"{rest:02d}".rstrip("0")
    return f"{_grouped(whole)}{_mark(get_language())}{decimals}" if decimals else _grouped(whole)


@cache
def _mark(language: str | None) -> str:
    """What stands before decimals in a language: asked of Django once, as it looks long."""
    return str(get_format("DECIMAL_SEPARATOR", language))


def _grouped(value: int) -> str:
    """Group by three from five digits on, as figures are set in text."""
    return f"{value:,}".replace(",", THIN) if value >= 10_000 else str(value)
