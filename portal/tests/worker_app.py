"""The real Celery app with one task more, which leaves a mark that a test can see."""

import os
from pathlib import Path

from portal.celery import app

__all__ = ["app"]


@app.task(name="portal.tests.mark")
def mark(*, word: str) -> None:
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write(f"{word}\n")
