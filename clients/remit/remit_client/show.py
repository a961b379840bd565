"""What people and programs are shown: tables, sentences, JSON.

What comes from the site is text: a control character in it is shown as its number, so that
nobody's name or reason can move the cursor or colour the terminal of somebody else.
"""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from .failures import Failure

GAP = "  "
NARROWEST = 12
COLOURS = {
    "applied": "green", "granted": "green", "declined": "red", "refused": "red",
    "withdrawn": "red", "returned": "yellow", "open": "yellow", "applying": "cyan",
}  # fmt: skip


class ReaderGone(Exception):
    """Whoever read what we say has seen enough, as `head` does; no OSError, which click takes."""


def clean(value: Any) -> str:
    """One line of text that moves nothing: control and direction characters as `\\x1b`."""
    text = "" if value is None else str(value)
    return "".join(map(_harmless, text))


def _harmless(char: str) -> str:
    if char in "\n\t":
        return " "
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        code = ord(char)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return char


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) != 0 for each in text)


@dataclass
class Screen:
    """Where a command speaks. `as_json`: programs read standard output; sentences go aside."""

    as_json: bool = False

    def table(self, rows: Sequence[dict[str, Any]], empty: str) -> None:
        """Rows with the same keys in the same order; on a narrow terminal one below the other."""
        if not rows:
            return self.line(empty)
        heads = list(rows[0])
        cells = [[clean(row[head]) for head in heads] for row in rows]
        widths = [
            max(width(head), *(width(row[index]) for row in cells))
            for index, head in enumerate(heads)
        ]
        room = shutil.get_terminal_size().columns
        # The last column is the one of long words: a terminal folds it, down to a least width.
        if sum(widths[:-1]) + len(GAP) * (len(heads) - 1) + min(widths[-1], NARROWEST) > room:
            return self._records(heads, cells)
        for line in [heads, *cells]:
            text = GAP.join(_padded(each, widths[i]) for i, each in enumerate(line)).rstrip()
            self.line(_styled(text, bold=line is heads), is_clean=True)
        return None

    def _records(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for index, row in enumerate(rows):
            if index:
                self.line("")
            for head, cell in zip(heads, row, strict=True):
                self.line(f"{head}: {cell}")

    def facts(self, **facts: Any) -> None:
        """`name: value` lines; what has no value is left out."""
        for name, value in facts.items():
            if value not in (None, "", []):
                self.line(f"{name.replace('_', ' ')}: {clean(value)}")

    def state(self, label: str, state: str) -> None:
        """A sentence that ends with a state, in its colour."""
        self.line(f"{clean(label)}{_styled(clean(state), fg=COLOURS.get(state))}", is_clean=True)

    def line(self, text: str, *, is_clean: bool = False) -> None:
        _write(text if is_clean else clean(text), err=self.as_json)

    def aside(self, text: str) -> None:
        """What is said while something goes on: never on standard output."""
        _write(clean(text), err=True)

    def json(self, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        _write("".join(map(_in_json, text)))

    def failure(self, failure: Failure) -> None:
        """The sentence and its details; for programs the problem as it came."""
        if self.as_json and isinstance(failure.facts, dict | list):
            self.json(failure.facts)
        head = _styled("remit: ", is_error=True, fg="red")
        _write(head + clean(failure.sentence), err=True)
        for each in dict.fromkeys(failure.details):
            if each != failure.sentence:
                _write("  " + clean(each), err=True)


def _write(text: str, *, err: bool = False) -> None:
    try:
        click.echo(text, err=err, color=True)
    except BrokenPipeError as error:
        # What nobody hears aside changes nothing of how it ends.
        if not err:
            raise ReaderGone from error


def _in_json(char: str) -> str:
    """JSON may hold what a terminal would obey: C1 controls and direction marks."""
    if char in "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _padded(text: str, size: int) -> str:
    return text + " " * (size - width(text))


def _styled(text: str, *, is_error: bool = False, fg: str | None = None, bold: bool = False) -> str:
    """In colour where a person looks at a terminal that has it, and has not said NO_COLOR."""
    stream = sys.stderr if is_error else sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return click.style(text, fg=fg, bold=bold)
