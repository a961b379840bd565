"""The reader's words, each looked up once: a page has hundreds, and Django looks through the
catalogue of each app anew for every one.
"""

from functools import lru_cache
from typing import Any

from django.utils import translation
from django.utils.translation.trans_real import catalog

# More than there are sentences in two languages.
_KEPT = 8192


def words_key() -> Any:
    """What words are kept for: those of the active language as they were read.

    Not the language's name: where translations are read anew (while developing, in tests), this is
    another.
    """
    return catalog()


def gettext(message: str) -> str:
    """As Django's."""
    return _said(words_key(), message)


@lru_cache(maxsize=_KEPT)
def _said(_key: Any, message: str) -> str:
    return translation.gettext(message)
