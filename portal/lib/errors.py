"""The errors of the domain: raised by actions, translated once by each door.

A page and an API view answer the same error with the same status; the sentence is
for people, `code` is for programs and never changes its meaning.
"""

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """A refusal with a sentence; `facts` holds the figures behind it (JSON values)."""

    status = 400
    code = "refused"

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class NotVisible(DomainError):
    """Does not exist for this person: the answer never tells whether it does for others."""

    status = 404
    code = "not_found"


class Forbidden(DomainError):
    """May be seen, but not done, by this person."""

    status = 403
    code = "forbidden"


class Conflict(DomainError):
    """The move is not legal from the state that the row is in now."""

    status = 409
    code = "conflict"


class NoRoom(Conflict):
    """The source has less than is needed; facts: short, free, holder, next_holder."""

    code = "no_room"


class Stale(DomainError):
    """What the person saw has changed; facts hold the figures of now."""

    status = 412
    code = "stale"


class Invalid(DomainError):
    """Bad input. `errors` maps a field's name to the sentences about it."""

    status = 422
    code = "invalid"

    def __init__(self, errors: Mapping[str, list[str]], sentence: str = "", **facts: Any) -> None:
        first = next(iter(errors.values()), [""])[0]
        super().__init__(sentence or first, **facts)
        self.errors = dict(errors)
