"""Text of others on one line, as a header or a log takes it: nothing in it moves anything."""

import unicodedata

# What is written from right to left, and letters that are joined, is made of these as well.
JOINERS = "\u200c\u200d"


def one_line(text: str, most: int = 300) -> str:
    """The text without control characters, orders of direction and runs of white space."""
    kept = "".join(
        each if each in JOINERS or unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else " " if each.isspace() else ""
        for each in text
    )  # fmt: skip
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
