"""Slugs, amounts and placeholders as a site's file writes them."""

import re
from decimal import Decimal, InvalidOperation

from portal.lib.amounts import AmountError, parse_amount

from .document import Text, Value
from .problems import Problems

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"<([^<>]*)>")


def slug(text: Text, most: int, problems: Problems) -> str | None:
    """A name of small letters, digits and single hyphens, or None with a problem."""
    if SLUG.fullmatch(text.value) and len(text.value) <= most:
        return text.value
    problems.add(
        text.line,
        f"{text.value[:80]!r} must be small letters, digits and hyphens, at most {most} of them.",
    )
    return None


def amount(value: Value | None, *, unit: str, step: int) -> int | None:
    """An amount in base units from "512" or "16TiB", or None with a problem."""
    text = value.text() if value is not None else None
    if value is None or text is None:
        return None
    return read_amount(text, unit=unit, step=step, problems=value.problems)


def read_amount(text: Text, *, unit: str, step: int, problems: Problems) -> int | None:
    """As `amount`, from a text."""
    if text.value.startswith(("-", "\N{MINUS SIGN}", "+")):
        problems.add(text.line, f"{text.value} must be an amount without a sign, zero or more.")
        return None
    try:
        return parse_amount(text.value, unit=unit, current=0, step=step)
    except AmountError as error:
        problems.add(text.line, error.sentence)
        return None


def factor(text: Text, problems: Problems) -> Decimal | None:
    """An overcommit factor such as "4" or "1.25", or None with a problem."""
    try:
        found = Decimal(text.value)
    except InvalidOperation:
        found = Decimal(0)
    if not (found.is_finite() and 0 < found < 1000) or found != round(found, 3):
        problems.add(
            text.line,
            f"{text.value} is no overcommit factor; write one like 4 or 1.25, below 1000.",
        )
        return None
    return found


def count(text: Text, problems: Problems) -> int | None:
    """A whole number from 1 to 1,000,000, or None with a problem."""
    if re.fullmatch(r"[0-9]{1,7}", text.value) and 1 <= int(text.value) <= 1_000_000:
        return int(text.value)
    problems.add(text.line, f"{text.value} is no factor; write a whole number from 1 on.")
    return None


def whole(text: Text, most: int, problems: Problems) -> int | None:
    """A whole number from 1 to `most`, or None with a problem."""
    if re.fullmatch(r"[0-9]{1,9}", text.value) and 1 <= int(text.value) <= most:
        return int(text.value)
    problems.add(text.line, f"{text.value} must be a whole number from 1 to {most}.")
    return None


def placeholders(text: str) -> set[str]:
    """{"type"} for "gigabytes_<type>"."""
    return set(_PLACEHOLDER.findall(text))


def fill(text: str, words: dict[str, str]) -> str:
    """The text with each <word> replaced; one that is not given stays as it is."""
    return _PLACEHOLDER.sub(lambda match: words.get(match[1], match[0]), text)
