"""What explains the limits that a cloud has, and what is kept; no database, no cloud."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.importing.answers import Answers
from quotas.importing.explaining import Explained, Found, explain
from quotas.importing.shape import Feed, Managed, Shape
from quotas.models import Endpoint, Limit, Offering, Resource, Zone
from quotas.states import KeptWhy

# Offerings: two compute zones share `cores`, two types count in `space` and have limits of their
# own; `fast` counts in `fast-too` as well; nothing counts in `spare`; `odd` comes in steps of ten.
A, B, FAST, SLOW, ODD = range(1, 6)
CORES, SPACE, SPACE_FAST, SPACE_SLOW, FAST_TOO, SPARE, OFF = range(1, 8)
FEEDS: Mapping[int, tuple[int, ...]] = {
    CORES: (A, B), SPACE: (FAST, SLOW), SPACE_FAST: (FAST,), SPACE_SLOW: (SLOW,),
    FAST_TOO: (FAST,), SPARE: (), OFF: (ODD,),
}  # fmt: skip


def _shape() -> Shape:
    endpoint = Endpoint(pk=1, slug="cloud")
    offerings = {
        pk: Offering(
            pk=pk, slug=f"offering-{pk}", zone=Zone(slug=f"zone-{pk}"),
            resource=Resource(step=10 if pk == ODD else 1),
        )
        for pk in (A, B, FAST, SLOW, ODD)
    }  # fmt: skip
    return Shape(
        {1: endpoint},
        {
            pk: Managed(
                Limit(pk=pk, endpoint=endpoint, key=str(pk)),
                tuple(Feed(offerings[each], 1) for each in ids),
            )
            for pk, ids in FEEDS.items()
        },
    )


SHAPE = _shape()


def run(
    limits: Mapping[int, int | None], answers: Answers | None = None, **said: Mapping[int, int]
) -> Explained:
    found = {pk: Found(limit, 5) for pk, limit in limits.items()}
    return explain(
        SHAPE, found, answers or Answers(), said=said.get("said", {}), held=said.get("held")
    )


def kept(result: Explained) -> dict[int, str]:
    return {pk: str(each.why) for pk, each in result.kept.items()}


def changed(result: Explained) -> dict[int, int]:
    return {pk: each.wanted for pk, each in result.changes.items()}


# what was found, answers → quota, kept, changed
CASES = {
    "a limit of one offering is its quota": ({SPACE_FAST: 40}, {}, {FAST: 40}, {}, {}),
    "types that add up explain the total": (
        {SPACE: 100, SPACE_FAST: 40, SPACE_SLOW: 60}, {}, {FAST: 40, SLOW: 60}, {}, {},
    ),
    "zero in two zones is zero in each": ({CORES: 0}, {}, {A: 0, B: 0}, {}, {}),
    "nothing says which zone has it": ({CORES: 8}, {}, {}, {CORES: "shared"}, {}),
    "shares say it, and the largest takes the rest": (
        {CORES: 9}, {"shares": {CORES: {A: 2, B: 1}}}, {A: 6, B: 3}, {}, {},
    ),
    "an odd rest is the largest's": (
        {CORES: 10}, {"shares": {CORES: {A: 2, B: 1}}}, {A: 7, B: 3}, {}, {},
    ),
    "unlimited is no number": ({SPACE_FAST: -1}, {}, {}, {SPACE_FAST: "unlimited"}, {}),
    "a number for it is written": (
        {SPACE_FAST: -1}, {"numbers": {SPACE_FAST: 70}}, {FAST: 70}, {}, {SPACE_FAST: 70},
    ),
    "unlimited that is to be kept is answered": (
        {SPACE_FAST: -1}, {"numbers": {SPACE_FAST: None}}, {}, {SPACE_FAST: "unlimited"}, {},
    ),
    "beside an unlimited type a total waits": (
        {SPACE: 100, SPACE_FAST: 40, SPACE_SLOW: -1}, {}, {FAST: 40},
        {SPACE: "beside", SPACE_SLOW: "unlimited"}, {},
    ),
    "a type that is unlimited beside a full total stays so": (
        {SPACE: 40, SPACE_FAST: 40, SPACE_SLOW: -1}, {}, {FAST: 40, SLOW: 0},
        {SPACE_SLOW: "unlimited"}, {},
    ),
    "a total is split among types without limits": (
        {SPACE: 100, SPACE_FAST: -1, SPACE_SLOW: -1}, {"shares": {SPACE: {FAST: 1}}},
        {FAST: 100, SLOW: 0}, {}, {SPACE_FAST: 100, SPACE_SLOW: 0},
    ),
    "a total above its types is kept": (
        {SPACE: 150, SPACE_FAST: 40, SPACE_SLOW: 60}, {}, {FAST: 40, SLOW: 60},
        {SPACE: "total"}, {},
    ),
    "or follows them": (
        {SPACE: 150, SPACE_FAST: 40, SPACE_SLOW: 60}, {"follows": {SPACE: True}},
        {FAST: 40, SLOW: 60}, {}, {SPACE: 100},
    ),
    "an unlimited total follows too": (
        {SPACE: -1, SPACE_FAST: 40, SPACE_SLOW: 60}, {"follows": {SPACE: True}},
        {FAST: 40, SLOW: 60}, {}, {SPACE: 100},
    ),
    "a total below its types is kept": (
        {SPACE: 50, SPACE_FAST: 40, SPACE_SLOW: 60}, {}, {FAST: 40, SLOW: 60},
        {SPACE: "total"}, {},
    ),
    "two limits of one quota disagree": (
        {SPACE_FAST: 40, FAST_TOO: 50}, {}, {}, {SPACE_FAST: "differs", FAST_TOO: "differs"}, {},
    ),
    "the larger of them": (
        {SPACE_FAST: 40, FAST_TOO: 50}, {"differing": "larger"}, {FAST: 50}, {}, {SPACE_FAST: 50},
    ),
    "what nothing counts in is not set to zero": ({SPARE: 7}, {}, {}, {SPARE: "unfed"}, {}),
    "unless somebody says so": ({SPARE: 7}, {"zeroes": {SPARE: True}}, {}, {}, {SPARE: 0}),
    "a limit between steps is kept": ({OFF: 25}, {}, {}, {OFF: "step"}, {}),
    "or goes up": ({OFF: 25}, {"off_step": "up"}, {ODD: 30}, {}, {OFF: 30}),
    "what the service does not say is nothing": ({SPACE_FAST: None}, {}, {}, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_limits_say(case: str) -> None:
    limits, said, quota, stays, writes = CASES[case]
    result = run(limits, Answers(**said))  # type: ignore[arg-type]  # the literal table
    assert (result.quota, kept(result), changed(result)) == (quota, stays, writes)


def test_a_quota_that_is_said_counts_before_all_else() -> None:
    result = run({SPACE_FAST: -1, SPACE: 100, SPACE_SLOW: 60}, said={FAST: 40})
    assert (result.quota, changed(result)) == ({FAST: 40, SLOW: 60}, {SPACE_FAST: 40})
    assert not result.kept


def test_what_others_booked_since_is_no_answer() -> None:
    result = run({SPACE_FAST: -1, SPACE_SLOW: 60}, held={FAST: 40, SLOW: 20})
    assert kept(result) == {SPACE_FAST: KeptWhy.UNLIMITED, SPACE_SLOW: KeptWhy.BESIDE}
    assert not result.changes
    # A number is written as that number, or not at all.
    number = Answers(numbers={SPACE_FAST: 50})
    result = run({SPACE_FAST: -1}, number, held={FAST: 0})
    assert (kept(result), changed(result)) == ({SPACE_FAST: KeptWhy.TOTAL}, {})
    assert changed(run({SPACE_FAST: -1}, number, held={FAST: 50})) == {SPACE_FAST: 50}
    result = run({SPACE_SLOW: 20}, held={SLOW: 20})
    assert not result.kept
    assert not result.changes


LIMITS = st.dictionaries(
    st.sampled_from(sorted(FEEDS)), st.none() | st.integers(-1, 30), max_size=len(FEEDS)
)


@given(LIMITS)
def test_without_answers_nothing_is_written_and_nothing_is_lost(
    limits: dict[int, int | None],
) -> None:
    result = run(limits)
    assert not result.changes
    for pk, seen in limits.items():
        if seen is not None:
            assert pk in result.kept or result.wanted(SHAPE.managed[pk]) == seen


@given(LIMITS, st.integers(0, 30), st.booleans(), st.sampled_from(["", "up", "down"]))
def test_with_answers_each_limit_is_kept_or_what_the_ledger_says(
    limits: dict[int, int | None], number: int, follows: bool, off_step: str
) -> None:
    answers = Answers(
        numbers=dict.fromkeys(FEEDS, number), shares={CORES: {A: 1, B: 2}, SPACE: {SLOW: 1}},
        follows=dict.fromkeys(FEEDS, follows), off_step=off_step, differing="larger",
    )  # fmt: skip
    result = run(limits, answers)
    assert all(amount >= 0 for amount in result.quota.values())
    for pk, seen in limits.items():
        if seen is None or pk in result.kept:
            continue
        wanted = result.wanted(SHAPE.managed[pk])
        assert wanted == (result.changes[pk].wanted if pk in result.changes else seen)
