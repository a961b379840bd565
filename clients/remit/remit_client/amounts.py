"""How an amount is written: whole numbers of base units, as the API has them, and as people do.

Base units are counts ("") and bytes ("B"); prefixes are binary, as on the pages.
"""

import re
from fractions import Fraction
from typing import Any

BYTES = "B"
PREFIXES = ("", "K", "M", "G", "T", "P", "E")
_AMOUNT = re.compile(
    r"(?P<sign>[+\-\u2212]?)\s*(?P<number>[0-9]{1,20}(?:\.[0-9]{1,9})?)"
    r"\s*(?P<prefix>[KMGTPE])?(?P<suffix>I?B)?",
    re.IGNORECASE,
)


class AmountError(ValueError):
    """A text is no amount; the message says what to write instead."""


def parse(text: Any, unit: str, current: int | None = None) -> int:
    """The absolute amount in base units that a text or a whole number asks for.

    A leading sign is a change from `current`; None: changes are refused. A plain number of
    bytes is refused, as nobody means bytes: write 64GiB.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise AmountError(f"{text!r} is no amount: write {_example(unit)}")
    match = _AMOUNT.fullmatch(str(text).strip())
    if match is None:
        raise AmountError(f"“{text}” is no amount: write {_example(unit)}")
    size = _size(match, unit)
    if not match["sign"]:
        return size
    if current is None:
        raise AmountError(f"“{text}” is a change: write what it should be in the end")
    wanted = current + size if match["sign"] == "+" else current - size
    if wanted < 0:
        raise AmountError(f"“{text}” would take more than the {show(current, unit)} there is")
    return wanted


def _size(match: re.Match[str], unit: str) -> int:
    number = Fraction(match["number"])
    if unit != BYTES and (match["prefix"] or match["suffix"]):
        raise AmountError(f"“{match[0]}” has a unit, but this is a count: write 64")
    if unit == BYTES and not match["prefix"] and not match["suffix"] and number:
        raise AmountError(f"“{match[0]}” needs a unit: write {match['number']}GiB")
    size: Fraction = number * 1024 ** PREFIXES.index((match["prefix"] or "").upper())
    if size.denominator != 1:
        raise AmountError(f"“{match[0]}” is no whole number of {'bytes' if unit else 'things'}")
    return int(size)


def _example(unit: str) -> str:
    return "64GiB" if unit == BYTES else "64"


def show(value: int | None, unit: str) -> str:
    """As people say it: "64", "1.5 TiB"; exact, by a smaller prefix where two decimals are few."""
    if value is None:
        return "–"
    if unit != BYTES or value == 0:
        return str(value)
    sign, size = ("-", -value) if value < 0 else ("", value)
    power = min((size.bit_length() - 1) // 10, len(PREFIXES) - 1)
    while power and size * 100 % 1024**power:
        power -= 1
    hundredths = size * 100 // 1024**power
    number = f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")
    return f"{sign}{number} {PREFIXES[power] + 'iB' if power else BYTES}"


def change(value: int, unit: str) -> str:
    """With its sign."""
    return f"+{show(value, unit)}" if value > 0 else show(value, unit)
