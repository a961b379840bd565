"""From the limits that a cloud has to the quota that makes them, or to what is in doubt.

Pure: figures in base units go in, and nothing is asked or written. A limit is the sum of quota ×
factor of what counts against it; here it is solved for the quota. Limits that one offering feeds
alone say what it is; those that several share are the sum of what is known, or are split as the
answers say. What cannot be explained is kept as it is.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.lib.amounts import MAX_AMOUNT
from quotas.models import Reading
from quotas.states import KeptWhy

from .answers import KEEP, Answers
from .shape import Feed, Managed, Shape


@dataclass(frozen=True)
class Found:
    """A limit as it was read, in base units. limit −1: unlimited; None: not said."""

    limit: int | None
    used: int | None = None
    reserved: int | None = None

    @property
    def is_unlimited(self) -> bool:
        # What no account could hold bounds nothing either.
        return self.limit is not None and not 0 <= self.limit <= MAX_AMOUNT

    @property
    def floor(self) -> int | None:
        return None if self.used is None else self.used + (self.reserved or 0)


@dataclass(frozen=True)
class Doubt:
    """A limit that stays as it is. is_answered: somebody said that it shall."""

    managed: Managed
    why: KeptWhy
    seen: int
    is_answered: bool = False
    words: str = ""


@dataclass(frozen=True)
class Change:
    """A limit that will be written, as an answer makes it something else; in base units."""

    managed: Managed
    seen: int
    wanted: int
    floor: int | None

    @property
    def is_below_use(self) -> bool:
        return self.floor is not None and self.wanted < self.floor


@dataclass
class Explained:
    """quota: {offering id: base units} of what is known; kept: {limit id: why it stays}.

    settled: offerings of which the ledger had its amount already; it may have another by now.
    """

    quota: dict[int, int] = field(default_factory=dict)
    kept: dict[int, Doubt] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    settled: frozenset[int] = frozenset()

    def wanted(self, managed: Managed) -> int:
        """What the ledger will say of a limit."""
        return sum(self.quota.get(each.offering.pk, 0) * each.factor for each in managed.feeds)


def explain(
    shape: Shape,
    found: Mapping[int, Found],
    answers: Answers,
    *,
    said: Mapping[int, int],
    held: Mapping[int, int] | None = None,
) -> Explained:
    """What makes these limits, {limit id: Found}.

    said: {offering id: base units} that the file says of this project; held: what the ledger has
    already, which stays.
    """
    return _Solver(shape, found, answers, said, held or {}).solve()


class _Solver:
    def __init__(
        self,
        shape: Shape,
        found: Mapping[int, Found],
        answers: Answers,
        said: Mapping[int, int],
        held: Mapping[int, int],
    ) -> None:
        self.found = found
        self.answers = answers
        self.managed = [
            each
            for pk, each in shape.managed.items()
            if pk in found and found[pk].limit is not None and not self._is_public(each)
        ]
        self.result = Explained(quota={**said, **held}, settled=frozenset(held))
        self.held = set(held)
        # Offerings of which somebody said how much there is, whatever their own limits are.
        self.answered = set(said) - self.held
        self.single = {each.feeds[0].offering.pk for each in self.managed if len(each.feeds) == 1}
        # What each limit is to be explained as: as read, or as an answer says.
        self.numbers: dict[int, int] = {}

    def _is_public(self, managed: Managed) -> bool:
        """An access that everybody has: nobody's to keep or to give."""
        return managed.limit.is_access and self.found[managed.limit.pk].is_unlimited

    def solve(self) -> Explained:
        for each in self.managed:
            self._number(each)
        self._from_single()
        for each in self.managed:
            if each.is_shared:
                self._from_shared(each)
        for each in self.managed:
            self._settle(each)
        return self.result

    def _seen(self, managed: Managed) -> int:
        found = self.found[managed.limit.pk]
        return Reading.UNLIMITED if found.is_unlimited else found.limit or 0

    def _keep(
        self, managed: Managed, why: KeptWhy, *, is_answered: bool = False, words: str = ""
    ) -> None:
        pk = managed.limit.pk
        if pk not in self.result.kept:
            self.result.kept[pk] = Doubt(managed, why, self._seen(managed), is_answered, words)

    def _number(self, managed: Managed) -> None:
        pk = managed.limit.pk
        seen = self._seen(managed)
        if not managed.feeds:
            is_zero = self.answers.zeroes.get(pk)
            if seen and not is_zero:
                self._keep(managed, KeptWhy.UNFED, is_answered=is_zero is False)
            return
        if seen >= 0:
            self.numbers[pk] = seen
        elif self.answers.numbers.get(pk) is not None:
            self.numbers[pk] = self.answers.numbers[pk] or 0

    def _from_single(self) -> None:
        """What limits say that one offering feeds alone."""
        said: dict[int, dict[int, Managed]] = defaultdict(dict)
        for each in self.managed:
            if each.is_shared or not each.feeds or each.limit.pk not in self.numbers:
                continue
            feed = each.feeds[0]
            if feed.offering.pk in self.result.quota:
                continue
            amount = self._in_steps(self.numbers[each.limit.pk], feed)
            if amount is None:
                self._keep(each, KeptWhy.STEP, is_answered=self.answers.off_step == KEEP)
            else:
                said[feed.offering.pk].setdefault(amount, each)
        for offering_id, amounts in said.items():
            self._agree(offering_id, amounts)

    def _agree(self, offering_id: int, amounts: Mapping[int, Managed]) -> None:
        if len(amounts) == 1 or self.answers.differing in ("larger", "smaller"):
            choose = min if self.answers.differing == "smaller" else max
            self.result.quota[offering_id] = choose(amounts)
            return
        words = ", ".join(each.name for each in amounts.values())
        for each in self.managed:
            is_single = len(each.feeds) == 1 and each.feeds[0].offering.pk == offering_id
            if is_single and each.limit.pk in self.numbers:
                self._keep(
                    each, KeptWhy.DIFFERS, is_answered=self.answers.differing == KEEP, words=words
                )

    def _in_steps(self, number: int, feed: Feed) -> int | None:
        """The quota that makes a limit this number; None where its steps do not allow it."""
        step = feed.offering.resource.step
        per_step = step * feed.factor
        steps, rest = divmod(number, per_step)
        if rest and self.answers.off_step not in ("up", "down"):
            return None
        return (steps + (1 if rest and self.answers.off_step == "up" else 0)) * step

    def _from_shared(self, managed: Managed) -> None:
        pk, quota = managed.limit.pk, self.result.quota
        unknown = [each for each in managed.feeds if each.offering.pk not in quota]
        known = sum(
            quota.get(each.offering.pk, 0) * each.factor
            for each in managed.feeds
            if each not in unknown
        )
        if not unknown:
            if self.numbers.get(pk) != known and not self.answers.follows.get(pk):
                why = KeptWhy.TOTAL if pk in self.numbers else KeptWhy.UNLIMITED
                self._keep(managed, why, is_answered=self._is_left(pk, why), words=str(known))
            return
        if pk not in self.numbers:
            return  # unlimited, and told as that
        rest = self.numbers[pk] - known
        if rest < 0:
            is_answered = self.answers.follows.get(pk) is False
            self._keep(managed, KeptWhy.TOTAL, is_answered=is_answered, words=str(known))
        elif rest == 0:
            quota.update({each.offering.pk: 0 for each in unknown})
        else:
            self._split(managed, unknown, rest)

    def _is_left(self, pk: int, why: KeptWhy) -> bool:
        if self.answers.follows.get(pk) is False:
            return True
        return why == KeptWhy.UNLIMITED and pk in self.answers.numbers

    def _split(self, managed: Managed, unknown: list[Feed], rest: int) -> None:
        """Share out what is left of a limit: by the shares, in steps, the largest takes the rest.

        Where every zone has no more than whole steps, what lies between is the largest's.
        """
        shares = self.answers.shares.get(managed.limit.pk, {})
        taking = [each for each in unknown if shares.get(each.offering.pk)]
        if not taking:
            # Where each has a limit of its own, that one is what is in doubt.
            is_beside = all(each.offering.pk in self.single for each in unknown)
            why = KeptWhy.BESIDE if is_beside else KeptWhy.SHARED
            self._keep(managed, why, is_answered=is_beside)
            return
        total = sum(shares[each.offering.pk] for each in taking)
        largest = max(taking, key=lambda each: shares[each.offering.pk])
        amounts: dict[int, int] = {}
        for each in taking:
            per_step = each.offering.resource.step * each.factor
            steps = rest * shares[each.offering.pk] // total // per_step
            if each is not largest:
                amounts[each.offering.pk] = steps * each.offering.resource.step
        left = rest - sum(
            amounts[each.offering.pk] * each.factor for each in taking if each is not largest
        )
        amount = self._in_steps(left, largest)
        if amount is None:
            self._keep(managed, KeptWhy.STEP, is_answered=self.answers.off_step == KEEP)
            return
        amounts[largest.offering.pk] = amount
        # A zone that the shares leave out has nothing there.
        self.result.quota.update({each.offering.pk: 0 for each in unknown} | amounts)
        self.answered |= {each.offering.pk for each in unknown}

    def _settle(self, managed: Managed) -> None:
        """Kept, as it is, or written as an answer says: one of the three."""
        pk = managed.limit.pk
        seen = self._seen(managed)
        if pk in self.result.kept or (not managed.feeds and not seen):
            return
        if seen == Reading.UNLIMITED and not self._is_bounded(managed):
            self._keep(managed, KeptWhy.UNLIMITED, is_answered=pk in self.answers.numbers)
        elif (wanted := self.result.wanted(managed)) == seen:
            return
        elif self._may_change(managed, seen):
            self.result.changes[pk] = Change(managed, seen, wanted, self.found[pk].floor)
        elif seen == Reading.UNLIMITED and pk in self.numbers:
            # The number is one thing, what others booked since is another.
            is_answered = self.answers.follows.get(pk) is False
            self._keep(managed, KeptWhy.TOTAL, is_answered=is_answered, words=str(wanted))
        else:
            self._keep(managed, KeptWhy.BESIDE, is_answered=True)

    def _may_change(self, managed: Managed, seen: int) -> bool:
        """Whether an answer makes a limit another: what others booked since is none."""
        pk = managed.limit.pk
        ids = {each.offering.pk for each in managed.feeds}
        if not ids <= self.result.quota.keys():
            return False
        wanted = self.result.wanted(managed)
        is_numbered = seen == Reading.UNLIMITED and self.numbers.get(pk) == wanted
        return not ids or not ids <= self.held or is_numbered or bool(self.answers.follows.get(pk))

    def _is_bounded(self, managed: Managed) -> bool:
        """Whether an answer gives a number to a limit that has none."""
        pk = managed.limit.pk
        is_said = all(each.offering.pk in self.answered for each in managed.feeds)
        return pk in self.numbers or is_said or bool(self.answers.follows.get(pk))


def leave(
    result: Explained,
    offering_ids: set[int],
    shape: Shape,
    found: Mapping[int, Found],
    why: KeptWhy,
) -> None:
    """Take offerings out of what is known again: nothing is left to give of them.

    The limits that they feed are kept as they are.
    """
    for pk in offering_ids:
        result.quota.pop(pk, None)
    for pk, managed in shape.managed.items():
        is_fed = any(each.offering.pk in offering_ids for each in managed.feeds)
        seen = found[pk].limit if pk in found else None
        if not is_fed or seen is None or pk in result.kept:
            continue
        result.changes.pop(pk, None)
        is_unlimited = found[pk].is_unlimited
        seen = Reading.UNLIMITED if is_unlimited else seen
        result.kept[pk] = Doubt(managed, why, seen, is_answered=True)
