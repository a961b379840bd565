"""What is wrong with a site's file, and on which line."""

from dataclasses import dataclass, field

from portal.lib.errors import Invalid

MOST_SHOWN = 20


@dataclass(frozen=True, order=True)
class Problem:
    """One contradiction: the line of the file (from 1 on) and a sentence about it."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


class Refused(Invalid):
    """The file cannot be loaded; `problems` in the order of its lines, nothing was changed."""

    code = "catalogue_refused"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__({"file": [str(each) for each in self.problems]})


@dataclass
class Problems:
    """Collects, so that one run names everything that is wrong."""

    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, sentence: str) -> None:
        self.found.append(Problem(line, sentence))

    def refuse(self) -> None:
        """Raise Refused if anything was found."""
        if self.found:
            raise Refused(self.found)
