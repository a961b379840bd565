"""Text of others on one line, as a header or a log takes it: nothing in it moves anything.

Providers and directories say what people are known by, are called, and where they are written to.
"""

import unicodedata

# What our columns hold.
MOST_KEY = 200
MOST_NAME = 200
MOST_MAIL = 254
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


def storable(text: str) -> str:
    """The text without what PostgreSQL takes in no column: NUL, and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def is_key(text: str) -> bool:
    """Whether a text can be what somebody or a group is known by, exactly as it is."""
    return 0 < len(text) <= MOST_KEY and text.isprintable() and text == text.strip()


def mail_in(text: str) -> str:
    """An address that fits, or none: half an address is somebody else's."""
    line = one_line(text, MOST_MAIL + 1)
    return line if "@" in line and " " not in line and len(line) <= MOST_MAIL else ""
