"""Who may decide what, computed anew from plain rows: slow, simple, and knowing no code of ours.

The walk compares what Remit does with this.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from quotas.tests.walk.slow_amounts import SlowAmounts
from quotas.tests.walk.slow_chains import DECIDE, OPEN, Row


class Slow(SlowAmounts):
    """For whom a line waits, and who may do what with it."""

    def barred(self, line: Row) -> set[int]:
        """Who has a part in the matter: a role in the project, or in the asking for it."""
        found = self.involved[line["project_id"]] | {line["request__requester_id"]}
        return found | {line["request__asked_by_id"]} - {None}

    def free(self, leaf: int, line: Row) -> set[int]:
        """Whoever can use a delegation for a line."""
        barred = self.barred(line)
        if self.stood_in_for(leaf) & barred:
            return set()
        return (self.holders(leaf) & self.active) - barred

    def unit_of(self, line: Row) -> int:
        unit: int = self.projects[line["project_id"]]["unit_id"]
        return unit

    def deciding(self, line: Row) -> list[int]:
        """Delegations by which a line can be decided: of a project that is not open yet, those
        with both powers."""
        held = self.mandates(self.unit_of(line), DECIDE)
        if self.projects[line["project_id"]]["state"] != "proposed":
            return held
        opening = set(self.mandates(self.unit_of(line), OPEN))
        return [leaf for leaf in held if leaf in opening]

    def increase(self, line: Row) -> int:
        held = self.stored.quotas.get((line["project_id"], line["offering_id"]), 0)
        return int(line["wanted"]) - held

    def may_decide(self, person: int, line: Row, increase: int | None) -> bool:
        """Whether somebody may add so much to a line's quota; None: only refuse or endorse it."""
        return any(
            person in self.free(leaf, line)
            and self.reaches(leaf, line["offering_id"])
            and (
                increase is None
                or self.allows(leaf, line["offering_id"], line["project_id"], DECIDE, increase)
            )
            for leaf in self.deciding(line)
        )

    def turns(
        self, line: Row, endorsed: Collection[tuple[int, int]]
    ) -> dict[int, tuple[str, int, datetime | None]]:
        """{delegation: (decide or endorse, level, until)} of all whom a line waits for.

        endorsed: (delegation, person) of those who said about it what they had to say.
        """
        offering, increase = line["offering_id"], self.increase(line)
        levels: dict[tuple[int, int], list[int]] = defaultdict(list)
        for leaf in self.deciding(line):
            if self.free(leaf, line) and self.reaches(leaf, offering):
                levels[self.nearness(leaf)].append(leaf)
        nearest_first = [levels[each] for each in sorted(levels, reverse=True)]
        deciding = [
            enough
            for level in nearest_first
            if (enough := [
                leaf for leaf in level
                if self.allows(leaf, offering, line["project_id"], DECIDE, increase)
            ])
        ] or nearest_first[-1:]  # fmt: skip
        found = {
            leaf: ("decide", number, self._chain_end(leaf))
            for number, level in enumerate(deciding[: line["level"] + 1])
            for leaf in level
        }
        if nearest_first and self.nearness(nearest_first[0][0]) != self.nearness(deciding[0][0]):
            said, who = {leaf for leaf, _person in endorsed}, {person for _leaf, person in endorsed}
            who |= {person for leaf in said for person in self.stood_in_for(leaf)}
            for leaf in nearest_first[0]:
                people = {self.links[leaf]["user_id"], *self.stood_in_for(leaf)}
                if leaf not in said and not people & who:
                    found[leaf] = ("endorse", 0, self._chain_end(leaf))
        return found

    def why_nobody(self, line: Row) -> str | None:
        """Why nobody at all can decide a line; None: somebody can."""
        held = self.deciding(line)
        free = [leaf for leaf in held if self.free(leaf, line)]
        if any(self.reaches(leaf, line["offering_id"]) for leaf in free):
            return None
        if not held:
            return "ended"
        return "not covered" if free else "interested"

    def _chain_end(self, leaf: int) -> datetime | None:
        ends = [self.links[each]["ends_at"] for each in self.chain(leaf)]
        return min((each for each in ends if each is not None), default=None)
