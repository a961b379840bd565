"""The geometry of bars: what is drawn, from where to where."""

from hypothesis import given
from hypothesis import strategies as st

from portal.lib.bars import Piece, fill_bar, parts_bar, percent, quota_bar, scale_of, short_names

AMOUNTS = st.integers(min_value=0, max_value=2**62)


def as_dict(bar):
    return {piece.kind: (piece.x, piece.width) for piece in bar.pieces}


def test_percent_of_nothing_is_zero():
    assert percent(5, 0) == "0%"


def test_quota_bar_draws_used_reserved_and_pending_beyond_the_limit():
    bar = quota_bar(50, 75, reserved=5, pending=25)
    assert as_dict(bar) == {
        "track": ("0%", "75%"),
        "used": ("0%", "50%"),
        "reserved": ("50%", "5%"),
        "pending": ("75%", "25%"),
    }
    assert (bar.limit_x, bar.gap_x) == ("75%", "50%")


def test_quota_bar_hatches_a_decrease_before_the_limit():
    bar = quota_bar(10, 100, pending=-40)
    assert as_dict(bar)["pending"] == ("60%", "40%")
    assert bar.limit_x == "100%"


def test_quota_bar_keeps_what_is_in_use_visible_below_a_decrease():
    bar = as_dict(quota_bar(30, 40, pending=-35))
    assert bar["over"] == ("12.5%", "62.5%")
    assert bar["pending"] == ("75%", "25%")


def test_quota_bar_marks_what_is_over_the_limit():
    bar = quota_bar(200, 100)
    assert as_dict(bar) == {
        "track": ("0%", "50%"),
        "used": ("0%", "50%"),
        "over": ("50%", "50%"),
    }


def test_quota_bar_over_a_limit_of_zero_is_all_over():
    assert as_dict(quota_bar(3, 0)) == {"over": ("0%", "100%")}


def test_quota_bar_without_a_limit_has_no_tick():
    bar = quota_bar(3, None, pending=5)
    assert as_dict(bar) == {"track": ("0%", "100%"), "used": ("0%", "100%")}
    assert bar.limit_x is None


def test_quota_bar_of_nothing_is_an_empty_track():
    assert quota_bar(0, 0).pieces == (Piece("track", "0%", "100%"),)


def test_quota_bar_on_a_given_scale():
    assert as_dict(quota_bar(1, 2, scale=8)) == {"track": ("0%", "25%"), "used": ("0%", "12.5%")}


def test_quota_bar_shows_the_smallest_use():
    assert as_dict(quota_bar(1, 10**9))["used"] == ("0%", "0.75%")


def test_fill_bar_splits_what_fits_from_what_is_too_much():
    assert as_dict(fill_bar(9, 11, 10)) == {
        "track": ("0%", "50%"),
        "used": ("0%", "45%"),
        "pending": ("45%", "5%"),
        "over": ("50%", "50%"),
    }


def test_fill_bar_of_a_return_hatches_what_becomes_free():
    assert as_dict(fill_bar(80, -30, 100)) == {
        "track": ("0%", "100%"),
        "used": ("0%", "50%"),
        "pending": ("50%", "30%"),
    }


def test_parts_label_only_what_is_wide_enough():
    parts = parts_bar([("compute-a 128", 900), ("b", 0), ("compute-c 64", 100)], 1000)
    assert [(part.label, part.x, part.width, part.has_label) for part in parts] == [
        ("compute-a 128", "0%", "90%", True),
        ("compute-c 64", "90%", "10%", False),
    ]


def test_short_names_keep_what_tells_them_apart():
    assert short_names(["compute-a", "compute-b"]) == ["a", "b"]
    assert short_names(["compute-a"]) == ["compute-a"]
    assert short_names(["fast", "slow"]) == ["fast", "slow"]
    assert short_names(["ssd-", "ssd-a"]) == ["ssd-", "ssd-a"]


def test_scale_of_is_what_fills_the_bar():
    assert scale_of(288, 384, reserved=8, pending=64) == 448
    assert scale_of(10, None) == 10


@given(AMOUNTS, st.none() | AMOUNTS, AMOUNTS, st.integers(-(2**62), 2**62))
def test_every_piece_stays_inside_the_bar(used, limit, reserved, pending):
    for piece in quota_bar(used, limit, reserved=reserved, pending=pending).pieces:
        start, width = float(piece.x[:-1]), float(piece.width[:-1])
        assert 0 <= start <= 100
        assert 0 < width <= 100
        assert start + width <= 100.02  # both are rounded to two decimals
