"""Who decides what in the contention part: they meet where they are to meet, and only there."""

from bench.parts.contention import AT_ONCE, ENVELOPE, ENVELOPES, HEADS, TOTAL, cases
from bench.site.cast import cast
from bench.site.numbers import Numbers
from bench.site.sizes import TENTH

SCALE = TENTH.with_open(30_000)


def test_three_decide_at_once_and_meet_at_the_envelope_or_the_total_alone() -> None:
    numbers, found = Numbers(SCALE), cast(SCALE)
    asked = {
        case: [[each for plan in rounds for each in plan.requests] for rounds in people]
        for case, people in cases(numbers, found).items()
    }

    assert {len(people) for people in asked.values()} == {AT_ONCE}
    everything = [each for people in asked.values() for own in people for each in own]
    assert len(everything) == len(set(everything))

    def drawn(requests: list[int]) -> set[tuple[int, int]]:
        """The envelopes, by unit and zone."""
        return {
            (numbers.paying(numbers.unit_of(numbers.project_of(each))), numbers.open_zone(each))
            for each in requests
        }

    for case, people in asked.items():
        projects = [{numbers.project_of(each) for each in own} for own in people]
        assert sum(map(len, projects)) == len(set.union(*projects))
        envelopes = [drawn(own) for own in people]
        met = sum(map(len, envelopes)) - len(set.union(*envelopes))
        assert met == {ENVELOPES: 0, ENVELOPE: AT_ONCE - 1, HEADS: 0, TOTAL: 0}[case]
    assert {each for own in asked[TOTAL] for each in own} <= set(found.total_requests)
