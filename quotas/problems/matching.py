"""Which known problem an error is: by driver, code and the service's words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _noop

from .reading import BY_NATURE, Entry, Unreadable, merge, read

OWN_FILE = Path(__file__).with_name("known.yaml")


class Remedy(StrEnum):
    """What can be done about a problem from here."""

    WAIT = "wait"
    REREAD = "reread"
    RECREATE = "recreate"
    ADOPT = "adopt"
    SKIP_KEY = "skip_key"
    NONE = "none"


@dataclass(frozen=True)
class Problem:
    """One entry. `automatic`: its remedy needs no click. An id with dots is not known yet."""

    id: str
    title_text: str
    people: Mapping[str, str]
    operators_text: str
    fix_text: str
    remedy: Remedy
    automatic: bool = False
    codes: frozenset[str] = frozenset()
    drivers: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = field(default=None, compare=False)

    @property
    def is_known(self) -> bool:
        return "." not in self.id

    @property
    def title(self) -> str:
        return gettext(self.title_text)

    @property
    def for_people(self) -> str:
        """What requesters read, in their language; %(name)s is still to be filled in."""
        return self.people.get((get_language() or "en")[:2]) or gettext(self.people["en"])

    @property
    def for_operators(self) -> str:
        return gettext(self.operators_text)

    @property
    def fix(self) -> str:
        return gettext(self.fix_text)

    def matches(self, driver: str, code: str, words: str) -> bool:
        return (
            (not self.codes or code in self.codes)
            and (not self.drivers or driver in self.drivers)
            and (self.pattern is None or self.pattern.search(words) is not None)
        )

    def keys_in(self, words: str) -> list[str]:
        """The limits that the service's words name; empty without such a pattern."""
        found = self.pattern.search(words) if self.pattern else None
        named = found.groupdict().get("keys") if found else None
        return [each for each in re.split(r"[\s,;'\"]+", named or "") if each]


@dataclass(frozen=True)
class Known:
    """All that is known, in the order in which it is asked."""

    problems: tuple[Problem, ...]

    def match(self, driver: str, code: str, words: str) -> Problem:
        """The first that matches; else one of its own for this driver and code."""
        for each in self.problems:
            if each.matches(driver, code, words):
                return each
        return _unknown(driver, code)

    def by_id(self, problem_id: str) -> Problem | None:
        """The problem of that id, also one that nobody knows yet; None: there can be none."""
        for each in self.problems:
            if each.id == problem_id:
                return each
        parts = problem_id.split(".")
        is_unknown = len(parts) == 3 and parts[0] == "unknown"
        return _unknown(parts[1], parts[2]) if is_unknown else None

    def by_words(self) -> tuple[frozenset[str], bool]:
        """The codes for which the words decide, and whether they may for any code."""
        worded = [each for each in self.problems if each.pattern is not None]
        codes = frozenset(code for each in worded for code in each.codes)
        return codes, any(not each.codes for each in worded)


_UNKNOWN_PEOPLE = _noop(
    "%(name)s did not take the change, and nobody has said yet what to do about it. The cloud "
    "operators see it; what was granted stays yours."
)
_UNKNOWN_OPERATORS = _noop("No entry among the known problems matches this driver, code and words.")
_UNKNOWN_FIX = _noop(
    "The service's own words are all there is. Once somebody knows more, add an entry to the "
    "file that KNOWN_PROBLEMS names."
)


def _unknown(driver: str, code: str) -> Problem:
    return Problem(
        id=f"unknown.{driver}.{code or 'none'}",
        title_text=_noop("Not known yet"),
        people={"en": _UNKNOWN_PEOPLE},
        operators_text=_UNKNOWN_OPERATORS,
        fix_text=_UNKNOWN_FIX,
        remedy=Remedy.NONE,
    )


def load(path: str = "") -> Known:
    """What comes with Remit, and what a site's file adds. Raises Unreadable."""
    theirs: list[Entry] = []
    if path:
        try:
            theirs = read(Path(path).read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise Unreadable([f"KNOWN_PROBLEMS: {path} cannot be read: {error}"]) from error
    ours = read(OWN_FILE.read_text(encoding="utf-8"), OWN_FILE.name)
    return Known(tuple(map(_problem, merge(ours, theirs, path or OWN_FILE.name))))


def _problem(entry: Entry) -> Problem:
    people = entry["people"] if isinstance(entry["people"], dict) else {"en": entry["people"]}
    words: str | None = entry.get("words")
    return Problem(
        id=entry["id"],
        title_text=entry["title"].strip(),
        people={language: text.strip() for language, text in people.items()},
        operators_text=entry["operators"].strip(),
        fix_text=entry["fix"].strip(),
        remedy=Remedy(entry["remedy"]),
        automatic=bool(entry.get("automatic", entry["remedy"] in BY_NATURE)),
        codes=frozenset(entry.get("codes", ())),
        drivers=frozenset(entry.get("drivers", ())),
        pattern=re.compile(words, re.IGNORECASE) if words else None,
    )


@cache
def known() -> Known:
    """What this process knows, read once: a change of the files takes a restart."""
    return load(settings.KNOWN_PROBLEMS)


def match(driver: str, code: str, words: str) -> Problem:
    """The known problem of an error; never None: an unmatched one is a problem of its own.

    driver: "nova"; code: of the driver or of delivery; words: the service's own.
    """
    return known().match(driver, code, words)


def automatic(problems: Sequence[Problem] | None = None) -> list[Problem]:
    """Those whose remedy does something and needs no click."""
    found = known().problems if problems is None else problems
    return [each for each in found if each.automatic and each.remedy is not Remedy.WAIT]
