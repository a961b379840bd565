"""How far a long command is, on standard error: how many of how many, how fast, how long yet."""

import time
from typing import Final, TextIO

from django.core.management.base import OutputWrapper

EVERY_SECONDS: Final = 5.0


class Progress:
    """Says a line every few seconds, and one as each part ends.

    Called with what is done, how many are, and of how many.
    """

    def __init__(self, out: OutputWrapper | TextIO, every: float = EVERY_SECONDS) -> None:
        self.out = out
        self.every = every
        self.what = ""
        self.began = 0.0
        self.first = 0
        self.said = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self.what:
            self.what, self.began, self.first, self.said = what, now, done, now
            return
        is_end = total > 0 and done == total
        if not is_end and now - self.said < self.every:
            return
        self.said = now
        self.out.write(self._line(done, total, now - self.began) + "\n")

    def _line(self, done: int, total: int, seconds: float) -> str:
        rate = (done - self.first) / seconds if seconds > 0 else 0.0
        words = f"{self.what}: {done:,} of {total:,}"
        if done == total:
            return f"{words} in {span(seconds)}, {rate:,.1f} a second"
        left = f", {span((total - done) / rate)} left" if rate > 0 else ""
        return f"{words}, {rate:,.1f} a second{left}"


def span(seconds: float) -> str:
    """A length of time as people say it: "40 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
