"""What the import of a cloud cannot say by itself: kinds, and the way out of each."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from portal.lib.plain import one_line

MOST_NAME: Final = 80


class Kind(StrEnum):
    """What is contradicted, by the name that `accept` of the answers' file knows it by."""

    # The project is not taken over before it is answered.
    UNIT = "unknown unit"
    NAME = "name"
    FOREIGN = "another's tag"
    DISABLED = "disabled"
    DISAGREE = "clouds disagree"
    UNREAD = "not read"
    # The project is taken over; what is in doubt stays as it is.
    UNLIMITED = "unlimited"
    SHARED = "shared by zones"
    TOTAL = "not the sum"
    DIFFERS = "limits disagree"
    STEP = "not in steps"
    UNFED = "not offered"
    ROOM = "above envelope"
    BELOW = "below use"
    USAGE = "use above limit"
    PERSON = "unknown person"
    ROLE = "unknown role"
    OWNER = "no owner"


BLOCKING: Final = frozenset(
    {Kind.UNIT, Kind.NAME, Kind.FOREIGN, Kind.DISABLED, Kind.DISAGREE, Kind.UNREAD}
)
# What one may let pass as it is.
ACCEPTABLE: Final = tuple(each for each in Kind if each not in BLOCKING and each != Kind.BELOW)

TITLES: Final = {
    Kind.UNIT: "No rule says which unit they belong to",
    Kind.NAME: "Remit cannot call them so",
    Kind.FOREIGN: "They carry the tag of another Remit",
    Kind.DISABLED: "They are disabled",
    Kind.DISAGREE: "One name, and the identity services say different things",
    Kind.UNREAD: "They could not be read",
    Kind.UNLIMITED: "Unlimited is no number that could be granted",
    Kind.SHARED: "Several zones count against one limit, and nothing says which has what",
    Kind.TOTAL: "The total is not the sum of what counts in it",
    Kind.DIFFERS: "Limits that one quota feeds say different things",
    Kind.STEP: "The amount is not in steps of what is offered",
    Kind.UNFED: "Nothing that is offered counts against the limit",
    Kind.ROOM: "The envelope, or the pool, has less than its projects have",
    Kind.BELOW: "An answer is below what is in use",
    Kind.USAGE: "More is in use than the limit allows",
    Kind.PERSON: "Nobody here is known as",
    Kind.ROLE: "A role that no rule maps",
    Kind.OWNER: "Nobody would own them",
}

WAYS: Final = {
    Kind.UNIT: "add a rule under rules, or say unit or leave_out of it under projects",
    Kind.NAME: "say name of it under projects (it is then renamed in the cloud), or leave_out",
    Kind.FOREIGN: "leave it to that Remit (leave_out), or have the tag removed in the cloud",
    Kind.DISABLED: "say disabled: suspend (it can be resumed in Remit) or leave_out",
    Kind.DISAGREE: "say whose word counts under projects (like: keystone-a), or leave_out",
    Kind.UNREAD: "run it again once the service answers",
    Kind.UNLIMITED: "say a number, or keep, under unlimited; or split the total that it counts in",
    Kind.SHARED: "say which zone, or which share of each, under split",
    Kind.TOTAL: "say follow (it becomes the sum) or keep under totals",
    Kind.DIFFERS: "say differing: larger, smaller or keep; of one project under projects, quota",
    Kind.STEP: "say off_step: up, down or keep",
    Kind.UNFED: "say zero or keep under unfed, or offer it in the catalogue",
    Kind.ROOM: "say issue, fund or keep under room, or fund it by `manage.py fund` before",
    Kind.BELOW: "say a larger number: nothing is set below what is in use",
    Kind.USAGE: "have something freed, or accept it",
    Kind.PERSON: "say their subject under people, or unknown: make or leave_out",
    Kind.ROLE: "say what it is here under roles, or - for nothing",
    Kind.OWNER: "say owners of it under projects, map a role to owner, or accept it",
}


@dataclass(frozen=True)
class Contradiction:
    """One thing in doubt. subject: what one answer would be about; figures: as people read them.

    project: name and id as shown; "" where it is about no single one. key: by which the
    answers' file would name it.
    """

    kind: Kind
    subject: str
    project: str
    figures: str
    is_answered: bool = False
    key: str = ""

    @property
    def is_blocking(self) -> bool:
        return self.kind in BLOCKING


def shown(text: str) -> str:
    """A name of others on one line of a terminal, where nothing in it moves anything."""
    return one_line(text, MOST_NAME) or "(no name)"
