"""A large site for tests of cost: 5,000 units, 20,000 delegations, 10,000 open lines.

Made by INSERT … SELECT in a few seconds, the same each time. Every row follows from its number,
so that a test can name a decider of many or of few, and a project of theirs.
"""

from .site import LargeSite, make_large_site
from .sizes import AMOUNTS, DECIDED, DELEGATIONS, FIRST, OPEN_LINES, UNITS, WIDE

__all__ = [
    "AMOUNTS",
    "DECIDED",
    "DELEGATIONS",
    "FIRST",
    "OPEN_LINES",
    "UNITS",
    "WIDE",
    "LargeSite",
    "make_large_site",
]
