"""How a command ends when it does not end well: a sentence for people, a code for scripts."""

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes. They never change their meaning."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    TIMEOUT = 4
    UNREACHABLE = 5
    CHANGED = 6
    FAULT = 70
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done, or nothing was to do",
    Exit.REFUSED: "refused: by the site, by a decision, or by the cloud",
    Exit.USAGE: "wrong usage: an option, a name or a file that cannot be read",
    Exit.NOT_SIGNED_IN: "not signed in: no token, or one that is not in force",
    Exit.TIMEOUT: "`wait` waited as long as it was told to",
    Exit.UNREACHABLE: "the site does not answer, or not now",
    Exit.CHANGED: "changed since it was read: look again",
    Exit.FAULT: "a fault of this program",
    Exit.INTERRUPTED: "interrupted",
}


class Failure(Exception):
    """A command ends with `code`; `details` are further lines for people."""

    code = Exit.REFUSED

    def __init__(self, sentence: str, *details: str, facts: Any = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details
        self.facts = facts


class Wrong(Failure):
    """What was typed, or what a file says, cannot be meant."""

    code = Exit.USAGE


class NotSignedIn(Failure):
    """There is no token, or the site does not take it."""

    code = Exit.NOT_SIGNED_IN


class TimedOut(Failure):
    """What was waited for did not come in time."""

    code = Exit.TIMEOUT


class Unreachable(Failure):
    """No answer that is one: network, TLS, a fault of the site, too many requests."""

    code = Exit.UNREACHABLE


class Refused(Failure):
    """The site answered with a problem document, which is in `problem`."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(_sentence(status, problem), *_details(problem), facts=problem)
        if status == 401:
            self.code = Exit.NOT_SIGNED_IN
        elif status == 412:
            self.code = Exit.CHANGED


def _sentence(status: int, problem: dict[str, Any]) -> str:
    text = problem.get("detail") or problem.get("title")
    return str(text) if text else f"The site refused it ({status})."


def _details(problem: dict[str, Any]) -> list[str]:
    """The places that are wrong, then the figures, each in a line."""
    lines = []
    errors = problem.get("errors")
    for each in errors if isinstance(errors, list) else []:
        if isinstance(each, dict):
            lines.append(f"{_place(str(each.get('pointer', '#')))}: {each.get('detail', '')}")
    facts = problem.get("facts")
    for name, value in facts.items() if isinstance(facts, dict) else ():
        if isinstance(value, str | int) and not isinstance(value, bool):
            lines.append(f"{name.replace('_', ' ')}: {value}")
    return lines


def _place(pointer: str) -> str:
    """`#/lines/geneva.compute-a.vcpu` as people write it: `lines / geneva.compute-a.vcpu`."""
    parts = pointer.removeprefix("#").strip("/").split("/")
    named = [each.replace("~1", "/").replace("~0", "~") for each in parts if each]
    return " / ".join(named) or "the whole"
