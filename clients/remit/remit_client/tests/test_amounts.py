"""How amounts are read from files and arguments, and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit_client.amounts import AmountError, change, parse, show

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "unit", "current", "amount"),
    [
        ("128", "", None, 128),
        (128, "", None, 128),
        ("010", "", None, 10),
        ("0", "B", None, 0),
        ("64GiB", "B", None, 64 * GIB),
        ("64 g", "B", None, 64 * GIB),
        ("1.5TiB", "B", None, 1536 * GIB),
        ("+64", "", 100, 164),
        ("-16", "", 100, 84),
        ("\u221216", "", 100, 84),
        ("+1TiB", "B", 0, 2**40),
    ],
)
def test_an_amount_is_absolute_or_a_change_from_now(
    text: object, unit: str, current: int | None, amount: int
) -> None:
    assert parse(text, unit, current) == amount


@pytest.mark.parametrize(
    ("text", "unit", "current", "sentence"),
    [
        ("many", "", None, "is no amount: write 64"),
        ("", "B", None, "is no amount: write 64GiB"),
        ("64", "B", None, "needs a unit: write 64GiB"),
        ("64GiB", "", None, "this is a count"),
        ("1.5", "", None, "no whole number"),
        ("+64", "", None, "write what it should be in the end"),
        ("-64", "", 16, "would take more than the 16 there is"),
        (True, "", None, "is no amount"),
        (None, "", None, "is no amount"),
        (["64"], "", None, "is no amount"),
        ("1" * 40, "", None, "is no amount"),
    ],
)
def test_what_is_no_amount_says_what_to_write(
    text: object, unit: str, current: int | None, sentence: str
) -> None:
    with pytest.raises(AmountError, match=sentence.replace("?", "[?]")):
        parse(text, unit, current)


@given(st.integers(0, 2**62), st.sampled_from(["", "B"]))
def test_what_is_shown_reads_back_as_the_same_amount(amount: int, unit: str) -> None:
    assert parse(show(amount, unit), unit) == amount


def test_changes_have_a_sign() -> None:
    shown = [change(64, ""), change(-2 * 2**40, "B"), change(0, "B"), show(None, "")]
    assert shown == ["+64", "-2 TiB", "0", "–"]
