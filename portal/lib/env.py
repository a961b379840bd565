"""Strict readers of the environment: a wrong value is one sentence that names the way out."""

import os
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from portal.lib.networks import Network, networks_from

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
# Longer than anybody plans ahead.
MOST_DAYS = 3660


class Refused(SystemExit):
    """The settings refuse to start.

    A SystemExit, so that whatever read them (manage.py, a web server, a worker) ends with
    the sentences alone and status 1, not with a traceback around them.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = list(sentences)
        super().__init__("\n".join(self.sentences))


def text(name: str, default: str = "", *, choices: Iterable[str] = ()) -> str:
    """The value without white space around it; an empty one counts as not given."""
    value = os.environ.get(name, "").strip() or default
    allowed = list(choices)
    if allowed and value not in allowed:
        raise Refused([f"{name} is {value!r}: use one of {', '.join(allowed)}."])
    return value


def boolean(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in TRUE | FALSE:
        return value in TRUE
    raise Refused([f"{name} is {value!r}, which is neither yes nor no: use on or off."])


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """Both bounds belong to the range."""
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise Refused([f"{name} is {value!r}, not a whole number: use {low} to {high}."]) from None
    if not low <= number <= high:
        raise Refused([f"{name} is {number}, out of range: use {low} to {high}."])
    return number


def seconds(name: str, default: float, *, low: float, high: float) -> float:
    """A duration; both bounds belong to the range."""
    return number(name, default, low=low, high=high, kind="a number of seconds")


def number(name: str, default: float, *, low: float, high: float, kind: str = "a number") -> float:
    """Both bounds belong to the range; kind: what it is called where it is wrong."""
    value = text(name)
    if not value:
        return default
    try:
        found = float(value)
    except ValueError:
        found = float("nan")
    # Written so that NaN fails too.
    if not low <= found <= high:
        raise Refused([f"{name} is {value!r}: use {kind}, {low:g} to {high:g}."])
    return found


def items(name: str, default: Iterable[str] = ()) -> list[str]:
    """Values with commas between them."""
    value = text(name)
    if not value:
        return list(default)
    found = [item.strip() for item in value.split(",")]
    if "" in found:
        raise Refused([f"{name} has an empty item: write a,b,c without a comma too many."])
    return found


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def weekdays(name: str, default: Iterable[str]) -> list[int]:
    """Days of the week by their first three letters, Monday is 0; "none" is none, not all seven."""
    found = [each.lower() for each in items(name, default)]
    if found == ["none"]:
        return []
    unknown = [each for each in found if each not in DAYS]
    if unknown:
        raise Refused([f"{name} has {unknown[0]!r}: use {', '.join(DAYS)}, or none."])
    if len(set(found)) == len(DAYS):
        raise Refused([f"{name} names every day of the week: leave one to work on."])
    return sorted({DAYS.index(each) for each in found})


def days(name: str, default: Iterable[int]) -> list[int]:
    """Numbers of days, most first; "none" is none."""
    return sorted(_numbers(name, default, "numbers of days", MOST_DAYS), reverse=True)


def percents(name: str, default: Iterable[int]) -> list[int]:
    """Whole per cents from 1 to 100, lowest first; "none" is none."""
    found = _numbers(name, default, "whole per cents", 100)
    if 0 in found:
        raise Refused([f"{name} has '0': write whole per cents from 1, or none."])
    return sorted(found)


def _numbers(name: str, default: Iterable[int], what: str, most: int) -> set[int]:
    found = items(name, [str(each) for each in default])
    if found == ["none"]:
        return set()
    wrong = [each for each in found if not each.isdecimal() or not 0 <= int(each) <= most]
    if wrong:
        raise Refused([f"{name} has {wrong[0]!r}: write {what} up to {most}, or none."])
    return {int(each) for each in found}


def pattern(name: str, default: str) -> str:
    """A regular expression."""
    found = text(name, default)
    try:
        re.compile(found)
    except re.error as error:
        raise Refused([f"{name} is no regular expression: {error}."]) from None
    return found


def networks(name: str) -> list[Network]:
    """Networks with commas between them; none by default."""
    try:
        return networks_from(items(name))
    except ValueError as error:
        raise Refused(
            [f"{name}: {str(error)!r} is no network: write 10.1.0.0/16, with commas."]
        ) from None


def url(name: str, *, schemes: Iterable[str]) -> str:
    """Empty when not given. The value is never shown: it may hold a password."""
    value = text(name)
    if not value:
        return ""
    allowed = list(schemes)
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 reading it is the check
    except ValueError:
        raise Refused([f"{name} is not a URL: its host or port cannot be read."]) from None
    if parts.scheme not in allowed:
        starts = " or ".join(f"{scheme}://" for scheme in allowed)
        raise Refused([f"{name} does not begin with {starts}: write it as a URL."])
    return value
