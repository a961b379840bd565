"""Wanted limits, and what is left to ask for: compared with the quota of now and what waits.

So a file can be applied again and again: where all is as it says, or asked for already,
nothing is sent.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .amounts import AmountError, parse
from .failures import Wrong
from .files import Fields
from .site import Site, address

PENDING = ("open", "returned")


@dataclass(frozen=True)
class Wish:
    """What is wanted of a project: {offering: text of an amount}.

    takes_changes: whether "+64" is understood; a file says what should be in the end.
    """

    project: str
    wanted: Mapping[str, Any]
    reason: str = ""
    until_on: str | None = None
    all_or_nothing: bool = False
    takes_changes: bool = False


@dataclass(frozen=True)
class Line:
    """One wanted limit. `request` is the number of what waits for the same offering, if any."""

    offering: str
    unit: str
    now: int
    wanted: int
    request: int | None = None
    asked: int | None = None

    @property
    def status(self) -> str:
        """`met`, `asked` (the same waits already), `clash` (another amount waits), `ask`."""
        if self.request is not None:
            return "asked" if self.asked == self.wanted else "clash"
        return "met" if self.now == self.wanted else "ask"


@dataclass(frozen=True)
class Plan:
    """What is left to do for a wish."""

    wish: Wish
    lines: Sequence[Line] = field(default=())

    def of(self, status: str) -> list[Line]:
        return [each for each in self.lines if each.status == status]

    def body(self) -> dict[str, Any]:
        """What to ask for, as the API takes it."""
        return {
            "project": self.wish.project,
            "lines": {each.offering: each.wanted for each in self.of("ask")},
            "reason": self.wish.reason,
            "until_on": self.wish.until_on,
            "all_or_nothing": self.wish.all_or_nothing,
        }


def wish_of_document(document: dict[str, Any], where: str) -> Wish:
    """A document of a file of wanted limits; raises Wrong."""
    fields = Fields(document, where)
    wish = Wish(
        project=fields.take("project"),
        wanted=fields.take_map("lines"),
        reason=fields.take("reason", ""),
        until_on=fields.take("until", "") or None,
        all_or_nothing=fields.take_yes_no("all_or_nothing"),
    )
    fields.done()
    return wish


def plan_of(site: Site, wish: Wish, offerings: Mapping[str, dict[str, Any]]) -> Plan:
    """Compare a wish with what the site has; raises Wrong, all wrong lines at once."""
    project = site.get(address("projects", wish.project))
    held = {each["offering"]: each["balance"] for each in project["quota"]}
    waiting = _waiting(site, wish.project)
    lines, wrong = [], []
    for slug, text in wish.wanted.items():
        known = offerings.get(slug)
        if known is None:
            wrong.append(f"{slug}: there is no such offering.{meant(slug, offerings)}")
            continue
        now = held.get(slug, 0)
        try:
            amount = parse(text, known["unit"], now if wish.takes_changes else None)
        except AmountError as error:
            wrong.append(f"{slug}: {error}.")
            continue
        request, asked = waiting.get(slug, (None, None))
        lines.append(Line(slug, known["unit"], now, amount, request, asked))
    if wrong:
        raise Wrong(f"What {wish.project} should have cannot be read.", *wrong)
    return Plan(wish, lines)


def offerings_of(site: Site) -> dict[str, dict[str, Any]]:
    """All that can be asked for, by its slug."""
    return {each["slug"]: each for each in site.pages("offerings/")}


def _waiting(site: Site, project: str) -> dict[str, tuple[int, int]]:
    """{offering: (number of the request, amount)} of the lines that wait."""
    found = {}
    for stage in ("waiting", "returned"):
        for asked in site.pages("requests/", project=project, stage=stage):
            for line in asked["lines"]:
                if line["state"] in PENDING:
                    found[line["offering"]] = (asked["id"], line["wanted"])
    return found


def meant(slug: str, offerings: Mapping[str, Any]) -> str:
    """A hint for a name that is no offering."""
    near = difflib.get_close_matches(slug, offerings, n=1)
    return f" Did you mean {near[0]}?" if near else " `remit offerings` lists them."
