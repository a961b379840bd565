"""Which commit is measured, and whether two of them are the same product."""

import os
import subprocess

from .places import ROOT

# Said once, as `python -m bench` starts: what it writes then is no change of what it measures.
NAME = "BENCH_COMMIT"
DIRTY = "-dirty"
WRITTEN = (":(exclude)bench/results", ":(exclude)docs")
# What is no part of what a site runs.
NO_PRODUCT = (
    ":(exclude)bench", ":(exclude)docs", ":(exclude,glob)**/tests/**", ":(exclude,glob)**/*.md",
    ":(exclude).ci",
)  # fmt: skip


def commit() -> str:
    """The one that was checked out at the start, "-dirty" where files differed from it."""
    return os.environ.get(NAME) or checked_out()


def checked_out() -> str:
    """Of this moment; "" where this is no checkout."""
    found = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *WRITTEN)
    return (found or "").strip() + (DIRTY if changed else "")


def differ(one: str, other: str) -> bool | None:
    """Whether what a site runs is not the same in both; None where git does not know them."""
    if one == other:
        return False
    names = [each.removesuffix(DIRTY) for each in (one, other)]
    changed = _git("diff", "--name-only", *names, "--", ".", *NO_PRODUCT)
    return None if changed is None else bool(changed)


def _git(*command: str) -> str | None:
    done = subprocess.run(
        ["git", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else None
