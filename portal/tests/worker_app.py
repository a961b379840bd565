"""The real Celery app with tasks that leave marks, which a test can see."""

import os
from pathlib import Path

from portal.celery import app
from portal.testing import wait_until

__all__ = ["app"]


@app.task(name="portal.tests.mark")
def mark(*, word: str) -> None:
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write(f"{word}\n")


@app.task(name="portal.tests.hold")
def hold(*, word: str) -> None:
    """Leave the mark, and work on until the test leaves a file."""
    mark(word=word)
    wait_until(lambda: Path(os.environ["MARKS"] + ".go").exists(), 60, "the test lets go")
