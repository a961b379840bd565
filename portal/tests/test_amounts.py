"""Amounts as people write and read them."""

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from portal.lib.amounts import (
    ACCESS,
    MAX_AMOUNT,
    AmountError,
    format_amount,
    format_change,
    format_exact,
    format_pair,
    input_text,
    parse_amount,
)

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40
UNITS = st.sampled_from(["", "B"])
AMOUNTS = st.integers(min_value=0, max_value=MAX_AMOUNT)
SEPARATORS = st.sampled_from([" ", "\u00a0", "\u2009", "\u202f", ""])


def parse(text, *, unit="B", current=0, step=1):
    return parse_amount(text, unit=unit, current=current, step=step)


def sentence_about(text, **how):
    with pytest.raises(AmountError) as refusal:
        parse(text, **how)
    return refusal.value.sentence


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "", "0"),
        (0, "B", "0"),
        (64, "", "64"),
        (2000, "", "2000"),
        (12000, "", "12_000"),
        (-64, "", "−64"),
        (512, "B", "512_B"),
        (1536, "B", "1.5_KiB"),
        (256 * GIB, "B", "256_GiB"),
        (3 * TIB // 2, "B", "1.5_TiB"),
        (2 * TIB, "B", "2_TiB"),
        (1152 * GIB, "B", "1152_GiB"),
        (TIB - 1, "B", "1_TiB"),
        (TIB + 1, "B", "1_TiB"),
        (1_234_567_890_123, "B", "1.12_TiB"),
        (MAX_AMOUNT, "B", "4_EiB"),
        (-5 * TIB, "B", "−5_TiB"),
    ],
)
def test_format_amount(value, unit, text):
    assert format_amount(value, unit) == text.replace("_", "\u202f")


def test_format_amount_speaks_the_readers_language():
    with translation.override("fr"):
        assert format_amount(3 * TIB // 2, "B") == "1,5\u202fTiB"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(64, "", "+64"), (-2 * TIB, "B", "−2\u202fTiB"), (0, "B", "0")],
)
def test_format_change(value, unit, text):
    assert format_change(value, unit) == text


@pytest.mark.parametrize(
    ("one", "other", "unit", "texts"),
    [
        (288, 384, "", ("288", "384")),
        (1462 * GIB, 1792 * GIB, "B", ("1.43_TiB", "1.75_TiB")),
        (2 * TIB, 512 * GIB, "B", ("2_TiB", "0.5_TiB")),
        (512 * GIB, 1152 * GIB, "B", ("512_GiB", "1152_GiB")),
        (0, 2 * TIB, "B", ("0", "2_TiB")),
        (512 * GIB, 0, "B", ("512_GiB", "0")),
        (-256 * GIB, TIB, "B", ("−0.25_TiB", "1_TiB")),
        (3 * TIB, 3 * TIB, "B", ("3_TiB", "3_TiB")),
        # Two decimals would say "nothing", or "all of it".
        (GIB, 4 * 1024 * TIB, "B", ("1_GiB", "4_PiB")),
        (-GIB, 4 * 1024 * TIB, "B", ("−1_GiB", "4_PiB")),
        (2047 * GIB, 2 * TIB, "B", ("2047_GiB", "2_TiB")),
    ],
)
def test_format_pair(one, other, unit, texts):
    expected = tuple(text.replace("_", "\u202f") for text in texts)
    assert format_pair(one, other, unit) == expected
    assert format_pair(other, one, unit) == expected[::-1]


@given(AMOUNTS, AMOUNTS, UNITS)
def test_a_pair_never_looks_equal_where_it_differs_by_its_own_units(one, other, unit):
    texts = format_pair(one, other, unit)
    if format_amount(one, unit) != format_amount(other, unit):
        assert texts[0] != texts[1]
    assert (texts[0] == "0") == (one == 0)


def test_format_exact_has_every_digit():
    assert format_exact(2 * TIB, "B").replace("\u202f", " ") == "2 199 023 255 552 B"
    assert format_exact(-12000, "").replace("\u202f", " ") == "−12 000"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0"),
        (192, "", "192"),
        (768 * GIB, "B", "768G"),
        (3 * TIB // 2, "B", "1.5T"),
        (1152 * GIB, "B", "1152G"),
        (1023, "B", "1023B"),
    ],
)
def test_input_text_is_the_shortest(value, unit, text):
    assert input_text(value, unit) == text


def test_input_text_of_a_debt_is_a_mistake():
    with pytest.raises(ValueError, match="below zero"):
        input_text(-1, "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1.5T", 3 * TIB // 2),
        ("1.5 TiB", 3 * TIB // 2),
        ("1.5\u202fTiB", 3 * TIB // 2),
        ("0,75T", 768 * GIB),
        ("768G", 768 * GIB),
        ("768 gib", 768 * GIB),
        ("768GB", 768 * GIB),
        ("2 To", 2 * TIB),
        ("1.125T", 1152 * GIB),
        ("1 024 G", TIB),
        ("1'024 G", TIB),
        ("2\u202f199\u202f023\u202f255\u202f552 B", 2 * TIB),
        ("  512M ", 512 * MIB),
        ("4E", MAX_AMOUNT),
    ],
)
def test_parse_bytes(text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("64", 64), ("+16", 144), ("-16", 112), ("−16", 112), ("- 128", 0), ("12 000", 12000)],
)
def test_parse_counts_and_changes_from_128(text, value):
    assert parse(text, unit="", current=128) == value


@pytest.mark.parametrize(
    "text",
    [
        "many", "", "   ", "NaN", "inf", "-inf", "1e5", "1e", "0x10", "64 vCPU", "1.5", "1/2",
        "10²", "٦٤", "６４", "64\x00", "6\n4", "\u202e64", "6\u200b4", "1 2", "1,000,000", "--1",
        "+-1", "+", "1k", "9" * 41, "9" * 40, "½", "64;", "∞",
    ],
)  # fmt: skip
def test_parse_refuses_what_is_no_count(text):
    assert sentence_about(text, unit="", current=128).endswith(".")


@pytest.mark.parametrize("text", ["768", "768X", "1.5", "T", "5E", "1e3", "-1G", "nanG", "+1e9T"])
def test_parse_refuses_what_is_no_size(text):
    assert sentence_about(text).endswith(".")


def test_a_bare_number_of_bytes_is_asked_for_its_unit():
    assert sentence_about("768") == "“768” needs a unit. Write 768G for GiB or 768T for TiB."


def test_text_is_told_how_to_write_it():
    assert sentence_about("768X") == (
        "“768X” is not an amount. Write 768G, 1.5T, or a change: +256G."
    )
    assert sentence_about("lots", unit="") == (
        "“lots” is not a number. Write 64, or a change: +16."
    )


def test_a_change_below_zero_names_what_there_is():
    assert sentence_about("-16", unit="", current=8) == (
        "“-16” would take more than the 8 there is. The least is 0."
    )


def test_a_broken_count_names_its_neighbours():
    assert sentence_about("64.5", unit="") == (
        "“64.5” is not a whole number. The nearest are 64 and 65."
    )


def test_off_step_names_the_nearest_in_the_words_one_can_type():
    sentence = sentence_about("1.3G", step=GIB)
    assert sentence.replace("\u202f", " ") == (
        "“1.3G” is not a multiple of 1 GiB. The nearest are 1G and 2G."
    )


def test_what_is_there_already_is_never_off_step():
    assert parse("1.5G", current=3 * GIB // 2, step=GIB) == 3 * GIB // 2


def test_a_mark_that_can_be_read_in_two_ways_is_refused():
    assert "two ways" in sentence_about("1,000", unit="")
    assert "two ways" in sentence_about("1.000", unit="")
    assert "1125 or 1.125" in sentence_about("1,125T")


def test_huge_is_refused_in_words():
    assert "more than any cloud" in sentence_about(str(MAX_AMOUNT + 1), unit="")
    assert "more than any cloud" in sentence_about("+1", unit="", current=MAX_AMOUNT)


@given(AMOUNTS, UNITS)
def test_input_text_parses_back_to_exactly_the_value(value, unit):
    assert parse(input_text(value, unit), unit=unit) == value


@given(AMOUNTS, UNITS)
def test_exact_text_parses_back_to_exactly_the_value(value, unit):
    assert parse(format_exact(value, unit), unit=unit) == value


@given(st.integers(0, 1023 * 4), st.integers(1, 5))
def test_formatted_quarters_parse_back(quarters, power):
    value = quarters * 1024**power // 4
    assert parse(format_amount(value, "B")) == value


@given(AMOUNTS, AMOUNTS, UNITS)
def test_a_change_written_out_leads_to_its_end(current, wanted, unit):
    sign = "+" if wanted >= current else "-"
    text = sign + input_text(abs(wanted - current), unit)
    assert parse(text, unit=unit, current=current) == wanted


@given(st.text(max_size=60), UNITS, AMOUNTS, st.integers(1, 2**40))
def test_any_text_is_an_amount_or_a_sentence(text, unit, current, step):
    sentence = ""
    try:
        value = parse_amount(text, unit=unit, current=current, step=step)
    except AmountError as error:
        value, sentence = None, error.sentence
    assert (value is None) == bool(sentence)
    if value is not None:
        assert 0 <= value <= MAX_AMOUNT
        assert value == current or value % step == 0


def test_an_access_is_granted_or_not_in_words_and_one_or_none_typed() -> None:
    assert [format_amount(value, ACCESS) for value in (0, 1, 3)] == ["not granted", "granted", "3"]
    assert [format_change(value, ACCESS) for value in (1, -1, 0)] == ["grant", "revoke", "0"]
    assert (format_exact(1, ACCESS), input_text(1, ACCESS)) == ("1", "1")
    typed = [parse_amount(text, unit=ACCESS, current=0, step=1) for text in ("1", "+1", "0")]
    assert typed == [1, 1, 0]
    for text, sentence in (
        ("2", "“2” is too much: write 1 to have it granted, 0 not to."),
        ("yes", "“yes” is no answer. Write 1 to have it granted, 0 not to."),
    ):
        with pytest.raises(AmountError) as refused:
            parse_amount(text, unit=ACCESS, current=0, step=1)
        assert refused.value.sentence == sentence
