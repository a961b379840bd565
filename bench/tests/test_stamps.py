"""A made site is made anew when it would not be the same any more."""

from pathlib import Path

from bench.harness.commits import checked_out, differ
from bench.harness.places import ROOT
from bench.harness.sites import facts_of, newest_migrations, source_of


def test_the_hash_of_what_makes_sites_follows_each_of_its_files(tmp_path: Path) -> None:
    made = tmp_path / "bench" / "site"
    made.mkdir(parents=True)
    (made / "words.py").write_text("WORDS = 1\n")
    first = source_of(tmp_path)
    assert source_of(tmp_path) == first

    (made / "words.py").write_text("WORDS = 2\n")
    second = source_of(tmp_path)
    (made / "words.py").rename(made / "names.py")

    assert len({first, second, source_of(tmp_path)}) == 3


def test_the_newest_migrations_are_told_of_each_app(tmp_path: Path) -> None:
    for name in ("projects/migrations/0001_first", "projects/migrations/0020_later",
                 "quotas/migrations/0003_other", "quotas/migrations/__init__"):  # fmt: skip
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    assert newest_migrations(tmp_path) == {"projects": "0020_later", "quotas": "0003_other"}
    assert newest_migrations(ROOT).keys() == {"projects", "quotas"}


def test_rows_are_told_the_counts_of_a_stamp_and_its_seed() -> None:
    stamp = {"made_by": {"scale": "small", "seed": 7}, "counts": {"requests": 10_000, "open": 99}}

    assert facts_of(stamp) == {"requests": 10_000, "open": 99, "seed": 7}


def test_a_commit_is_the_same_product_as_itself_and_not_comparable_with_an_unknown_one() -> None:
    own = checked_out()

    assert differ(own, own) is False
    assert differ("no-such-commit", own or "other") is None
